#pragma once
#include "thread.h"

status_t user_copy_in(struct thread *self, void *to, uint64_t address, size_t bytes);
status_t user_copy_out(struct thread *self, uint64_t address, const void *from, size_t bytes);

#pragma once
/* A mistake planted in the kernel: the linker puts it in the place of system.nop (--wrap). */
#include <kernel.h>

struct thread;
status_t __wrap_sys_system_nop(struct thread *self);

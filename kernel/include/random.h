#pragma once
/* The kernel's random generator (obj/random.c). */
#include "kernel.h"

/** Fill @to with @bytes of unpredictable bytes. Any lock up to kmem_lock may be held. */
void random_bytes(void *to, size_t bytes);
/** Seed from boot_info.seed and the CPU. Called once, before anything asks. */
void random_init(void);

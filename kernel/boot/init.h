#pragma once
/* The only process that the kernel starts. */
#include <stdint.h>

struct budget;
struct thread;

/** Where it starts: for thread_start(). */
struct init_start {
    struct thread *thread;
    uint64_t pc, sp, argument;
};

/** Load `init` from the boot archive, give it the root capabilities. Panics with a reason if it cannot. */
struct init_start init_create(struct budget *root);

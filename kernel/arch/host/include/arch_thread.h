#pragma once
/* The reference architecture: generic kernel files compiled for Linux, under ASan and UBSan, for unit tests. Registers are an array
 * of words; nothing ever runs. What arch.h lists beyond these headers a test supplies itself, as far as it links it. */
#include <stdbool.h>
#include <stdint.h>

struct arch_context {
    uint64_t number; /* system call */
    uint64_t args[8];
    uint64_t status;
    uint64_t results[4];
    uint64_t handle, info, words[6], deadline, queue; /* message calls */
    uint64_t pc, sp, argument, tls;
    uint64_t restarts; /* how often the call was made to start again */
};

struct arch_fpu;

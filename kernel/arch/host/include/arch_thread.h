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
};

#define ARCH_DEBUG_REGISTERS 0u
#define ARCH_SYSCALL_BYTES 1u
#define ARCH_NUMBER number
#define ARCH_STATUS status
#define ARCH_ARG(i) args[i]
#define ARCH_RESULT(i) results[i]
#define ARCH_HANDLE handle
#define ARCH_INFO info
#define ARCH_WORD(i) words[i]
#define ARCH_DEADLINE deadline
#define ARCH_QUEUE queue
#define ARCH_FOREIGN_RESULT status
#define ARCH_PC pc
#define ARCH_FRAME sp
#define ARCH_FRAME_BASE 0u
#define ARCH_TLS tls

struct arch_fpu;

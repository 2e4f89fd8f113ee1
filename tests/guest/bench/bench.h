#pragma once
/* What the benchmark and its server share. */
#include <os/syscall.h>
#include <stdint.h>
#include <veridian/abi.h>

enum { OP_NOTHING = 1, OP_CAP = 2, OP_READ = 3 };

/** The cycle counter: under -icount it counts instructions. */
uint64_t cycles(void);
/** This thread's TLS pointer, to be shared by helper threads that use no thread-local data of their own. */
uint64_t bench_tls(void);

/** A call without words, as lean as the registers allow. */
static inline uint64_t bench_call_0(handle_t target, uint64_t label)
{
    struct ipc_regs regs = {.target = target, .info = label, .deadline = DEADLINE_NEVER};
    return (uint64_t)(uint32_t)status_code(ipc_raw_call(&regs));
}

/** Serve until killed. */
_Noreturn void server_main(void);

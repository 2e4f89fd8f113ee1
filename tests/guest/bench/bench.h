#pragma once
/* What the parts of the benchmark and its architecture files share. */
#include <os/syscall.h>
#include <stdbool.h>
#include <stdint.h>
#include <veridian/abi.h>

/* What the server does with a call. */
enum { OP_NOTHING = 1, OP_CAP = 2, OP_READ = 3, OP_FPU = 4, OP_YIELD = 5 };

/** A page that the benchmark shares with the process that it measures. */
struct shared {
    uint64_t woken_at;  /**< cycles() of the thread that was waited for */
    uint64_t calls;     /**< made by the peer */
    uint64_t doorbells; /**< rung by both */
    uint32_t running;
};

/** A priority of the normal band whose threads do not fall while they compute (kernel/sched/policy.c): two of it take turns as they wait and yield. */
#define PRIORITY_EVEN 1u

/** The largest grant that is measured. */
#define GRANT_BYTES_MAX (1u << 20)

/** The cycle counter: under -icount it counts instructions. */
uint64_t cycles(void);

/** Begin and end of a region for tests/bench/count.c: instructions that do nothing. */
void bench_mark_begin(void);
void bench_mark_end(void);
/** The same of what this CPU alone does: if there are turns in a region, they are what is counted of it. */
void bench_turn_begin(void);
void bench_turn_end(void);

/** A system call without arguments as a foreign thread makes it, by Linux's registers: its result. */
uint64_t bench_foreign_call(uint64_t number);
/** What the personality answers with 0, and with the thread's end. */
enum { FOREIGN_NOTHING = 1, FOREIGN_END = 2 };

/** A call without words, as lean as the registers allow. */
static inline uint64_t bench_call_0(handle_t target, uint64_t label)
{
    struct ipc_regs regs = {.target = target, .info = label, .deadline = DEADLINE_NEVER};
    return (uint64_t)(uint32_t)status_code(ipc_raw_call(&regs));
}

/** Ends the program with a message unless @status is OK. */
void must(status_t status, const char *what);
void report(const char *name, uint64_t value);
/** Uses the floating-point registers. */
void use_fpu(void);

/** Start this program again as @argument, in a process of its own. */
struct process_cap;
handle_t spawn(const char *const *args, const struct process_cap *caps, size_t count);

/** A process of its own, the page that it shares, and what it and we signal to each other. */
struct peer {
    handle_t process, bell, done;
    volatile struct shared *shared;
};
/** Start the peer of these arguments, @more is one more capability for it or NULL, and wait until it has begun. */
struct peer start_peer(const char *const *args, const struct process_cap *more);
void end_process(handle_t process);
/** As a peer: the shared page. */
volatile struct shared *shared_page(void);

/** Report the least cost of @repeat runs of @body, in instructions for each, of BENCH_ROUNDS rounds. */
void measure(const char *name, void (*body)(uint32_t repeat), uint32_t repeat);
#define BENCH_ROUNDS 5u

/** What goes one way (streams.c); the number of messages outstanding ends @name. */
void measure_channel(const char *name);
void measure_ring_full(const char *name);
void measure_ring_trickle(const char *name);
/** The receiving ends, as peers. */
_Noreturn void channel_receiver(uint32_t outstanding);
_Noreturn void ring_consumer(void);

/** The other ends, in processes of their own; which of them is the first argument. Returns if it is none of them. */
void peer_main(int argc, char **argv);

/** Rounds of @calls calls to a server on another CPU. Ends with the program. */
void measure_other_cpu(uint32_t calls);

/** @cpus pairs of client and server, each pair on a CPU of its own, 1, 2, 4 … of them at work: @calls calls each. @shared: the servers are
 *  workers of one, at one endpoint. Ends with the program. */
void measure_pairs(uint32_t cpus, uint32_t calls, bool shared);

/** What makes the kernel's paths long (hostile.c); and the process of many threads that all wait as @how says. */
void hostile(void (*grants)(uint32_t repeat));
_Noreturn void hostile_crowd(const char *how);
/** The server that answers nobody; the process that crashes. */
_Noreturn void hostile_saver(void);
_Noreturn void hostile_crash(void);

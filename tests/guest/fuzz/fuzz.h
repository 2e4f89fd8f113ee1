#pragma once
/* What the parent and its fuzzing children share: a Memory that both have mapped. */
#include "guest.h"

#define CHILDREN 8u
#define NUMBERS_MAX (16u * 64u)

/** A call of a program: what it chooses for the i-th argument follows from seeds[i]; a message's part has a seed each. */
#define FUZZ_SEEDS 9u
#define FUZZ_JUNK_SEED 8u /* of the registers that are no argument; 0: they are 0 */
#define FUZZ_MESSAGE_SEEDS 5u
struct fuzz_record {
    uint8_t call;   /* index in fuzz_syscalls */
    uint8_t thread; /* 0: the first, 1: the server, 2: any that the two begin */
    uint16_t seeds[FUZZ_SEEDS];
};
#define FUZZ_THREADS 3u
#define FUZZ_RECORDS 24u
struct fuzz_program {
    uint32_t count;
    struct fuzz_record records[FUZZ_RECORDS];
};

struct fuzz_counts {
    uint64_t calls[NUMBERS_MAX]; /* by system call number; atomic */
    uint64_t successes[NUMBERS_MAX];
    uint32_t statuses[NUMBERS_MAX]; /* bit n: it answered -n */
    uint64_t total;
    uint64_t target;             /* of it, then all end; atomic */
    uint64_t progress[CHILDREN]; /* calls begun by each child */
    uint64_t undocumented;       /* statuses outside the ABI's list */
    uint64_t undocumented_last;  /* the call's number, above what it answered */
    uint64_t trace;              /* of all calls, their choices and their statuses */
    struct fuzz_program program; /* of fuzz_program_child() */
};

/** Another number for each @number, and never 0 (splitmix64 by Steele, Lea and Flood, 2014). */
static inline uint64_t fuzz_mix(uint64_t number)
{
    number += 0x9e3779b97f4a7c15;
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9;
    number = (number ^ number >> 27) * 0x94d049bb133111eb;
    return (number ^ number >> 31) | 1ull << 63;
}

/** The child: system calls at random until its process ends, or the children have made counts->target calls. */
void fuzz_child(void);
/** Another child: it makes the calls of counts->program and ends. Coverage is of these calls. */
void fuzz_program_child(void);
/** child_start.values: */
enum { VALUE_COUNTS, VALUE_SEED, VALUE_INDEX };
/** child_start.handles: */
enum {
    HANDLE_BUDGET,
    HANDLE_PROCESS,
    HANDLE_ASPACE,
    HANDLE_IOPORT,
    HANDLE_INTERRUPT,
    HANDLE_DMA,
    HANDLE_SHARED_ENDPOINT,
    HANDLE_SHARED_MEMORY,
    HANDLE_DEVICE_MEMORY,
    HANDLE_TRACE,
    HANDLES,
    HANDLE_KCOV = HANDLES, /* a program's: the port of coverage. Its calls do not get it */
};

/* ── For parents: parent.c ───────────────────────────────────────────────────────────────────────────────────────── */

#define COUNTS_BYTES ((sizeof(struct fuzz_counts) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1))
/** Guest time after which a child without a call, or a program, is given up: it waits for what never comes. */
#define STUCK_NS (20 * MS)

/** Check that the children's native calls answered nothing but what the ABI lists; say which did not. */
void fuzz_check_statuses(const struct fuzz_counts *counts);
/** A budget for a child, as it becomes free: each of the same size. */
handle_t fuzz_budget(void);
/** End all processes that are charged to @budget. */
void fuzz_end_all(handle_t budget);

/** What a child is given beside what is its own and the root's. */
struct fuzz_things {
    handle_t budget, ports, endpoint, memory, device;
};
/** A port that any may use; address space where there is no device. */
handle_t fuzz_ports(void);
handle_t fuzz_device(void);
/** What children are clones of, so that they share the pages of the program: an emulator translates them once. @counts, our mapping of @memory, is
 * at the same address in all. */
void fuzz_model_begin(struct fuzz_counts *counts, handle_t memory);
void fuzz_model_end(void);
/** A child that does not run yet: with a message buffer, and all handles up to HANDLES, which are noted in @start. */
void fuzz_child_begin(struct child *child, struct child_start *start,
                      const struct fuzz_things *things);

/** At the end: let go what DMA spaces had mapped. Some end only now, after a grace period. */
void fuzz_let_go(void);

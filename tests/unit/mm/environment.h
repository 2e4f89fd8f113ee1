#pragma once
/* What kernel/mm stands on, made small: RAM in an array, two CPUs that run when the test says, grace periods that end when the test
 * says, budgets that count, capability leaves in a list, threads that wait in name only. */
#include <arch_cpu.h>
#include <cap.h>
#include <mm/aspace.h>
#include <mm/memory.h>
#include <process.h>
#include <stdio.h>
#include <thread.h>

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))
#define CHECK_STATUS(expression, expected) \
    check_status(__FILE__, __LINE__, #expression, (expression), (expected))

struct test {
    const char *name;
    void (*run)(void);
};

extern const struct test phys_tests[], radix_tests[], pagetable_tests[], aspace_tests[],
    memory_tests[];

void check_failed(const char *file, int line, const char *condition);
void check_status(const char *file, int line, const char *expression, status_t status,
                  status_t expected);

#define ENVIRONMENT_RAM_BYTES (96ull << 20)

struct environment {
    struct budget *budget;
    struct process process;
    unsigned yield_every; /* sched_should_yield() says yes each so many calls; 0: never */
    unsigned yield_calls;
    void (*paused)(void); /* others, while a walk has let go of its lock; NULL: nobody */
    unsigned ipis, page_flushes;
    unsigned events; /* posted to pagers */
    bool no_tables;  /* for the heap's region */
    bool revoking;   /* cap_tree_enter() blocks */
    bool panic_expected;
    unsigned panics;
    struct object *published; /* by cap_create */
};

extern struct environment env;

void environment_init(void);
/** Frames, heap and budget as they are when nothing is held. */
void environment_begin(void);
void environment_end(void);
void environment_cpu(unsigned cpu);
/** Let every CPU leave the kernel (flush), then run all callbacks, until there are none. */
void environment_grace(void);
/** Pass @periods grace periods, in which nothing happens. */
void environment_pass(uint64_t periods);
uint32_t random_u32(void);
uint64_t random_below(uint64_t limit);
void budget_limits(uint64_t pages, uint64_t kmem);
uint64_t budget_pages_used(void);

/** What the way out does: load @aspace, or flush it if it is stale. */
static inline void aspace_activate(struct aspace *aspace)
{
    if (!aspace_is_current(aspace, arch_cpu_local()))
        aspace_load(aspace, arch_cpu_local());
}

struct thread *thread_make(struct aspace *aspace);
void thread_free(struct thread *thread);
bool thread_is_waiting(const struct thread *thread);
/** A capability to @object with @rights, for handlers. */
struct cap cap_to(struct object *object, uint32_t rights);
/** Run @self's continuation to its end; the status it left. */
status_t continuation_run(struct thread *self, status_t status);
/** Revoke: sever the leaf of every mapping of @object. */
void leaves_sever(struct object *object);
/** Run @statement; true if it panicked. */
#define PANICS(statement)       \
    (env.panic_expected = true, \
     panic_mark() == 0 ? ((statement), env.panic_expected = false, false) : true)
#include <setjmp.h>
extern jmp_buf panic_jump;
#define panic_mark() setjmp(panic_jump)

#pragma once
/* The frame of the guest tests: output, checks, helper threads and child processes. */
#include <os/syscall.h>
#include <stdbool.h>
#include <veridian/abi.h>
#include <veridian/syscalls.h>

/** What the kernel gave us. */
extern const struct init_info *info;

struct test {
    const char *name;
    void (*run)(void);
};

#define TEST(function) {#function, function}
/** The tests of this boot archive, in groups; both end with NULL. */
extern const struct test *const test_groups[];

/** A line to the debug console, with "# " in front. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** The machine lacks what this test is about: what, in a few words. */
void skip(const char *why);
/** Tell the launcher @status and end the machine: what runs once all tests are through. */
__attribute__((noreturn)) void machine_end(unsigned status);
void check_failed(const char *file, int line, const char *condition);
/** A failed check that got a status. */
void check_status_failed(const char *file, int line, const char *what, status_t got);

#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))
#define CHECK_STATUS(wanted, call)                                   \
    do {                                                             \
        status_t status_ = (call);                                   \
        if (status_ != (wanted))                                     \
            check_status_failed(__FILE__, __LINE__, #call, status_); \
    } while (0)
#define OK(call) CHECK_STATUS(STATUS_OK, call)

/** What follows @text in the first 256 characters of the kernel's command line; NULL if @text is not there. */
const char *boot_word(const char *text);
/** Is @word there? */
bool is_told(const char *word);
/** The number that follows @name there, or @otherwise. */
uint64_t boot_number(const char *name, uint64_t otherwise);

uint64_t now_ns(void);
#define MS UINT64_C(1000000)
/** A deadline @ms from now. */
uint64_t in_ms(uint64_t ms);
void sleep_ms(uint64_t ms);

/** A user address where nothing is mapped, and one of the kernel's. */
#define NOWHERE UINT64_C(0x123450000)
#define KERNEL_ADDRESS UINT64_C(0xffffffff80100000)

/** Close @handle; it must be one. */
void close_handle(handle_t handle);
/** A capability with just @rights, made from @source. */
handle_t with_rights(handle_t source, uint32_t rights);
/** @bytes of committed anonymous memory, mapped for reading and writing. */
void *map_new(uint64_t bytes, handle_t *memory);
void unmap(void *address, uint64_t bytes);
/** A Memory of @pages with creation @flags; where the kernel maps the first @pages of one, with map @flags; a word of it. */
handle_t memory_new(uint64_t pages, uint32_t flags);
uint64_t map_memory(handle_t memory, uint64_t pages, uint32_t flags);
uint64_t word_of(handle_t memory, uint64_t offset);
void word_to(handle_t memory, uint64_t offset, uint64_t word);

/* ── Threads of this process ─────────────────────────────────────────────────────────────────────────────────────── */

/** A helper thread: its own stack and message buffer. */
struct worker {
    handle_t thread;
    handle_t buffer_memory;
    struct ipc_buffer *buffer;
    void (*run)(struct worker *self);
    void *context;
    uint64_t value; /* for the test */
    uint32_t done;  /* futex: 1 when run() has returned */
    uint32_t stack;
};

/** Start @run in a new thread with @context. */
void worker_start(struct worker *worker, void (*run)(struct worker *), void *context);
/** Long enough for what must come, on a host that lets the guest run now and then; only a failure waits for it. */
#define PATIENCE_MS 30000
/** Wait until it ends. False: not within PATIENCE_MS. */
bool worker_join(struct worker *worker);
/** How many threads of this process wait in the system call @number (SYS_…). A worker has begun to wait when it is seen here, not before. */
unsigned threads_in(uint32_t number);
/** Forget a worker that was killed or never ends by itself: close its handles. */
void worker_drop(struct worker *worker);
/** Wait until @condition holds; false after PATIENCE_MS. */
#define EVENTUALLY(condition)                              \
    __extension__({                                        \
        uint64_t end_ = in_ms(PATIENCE_MS);                \
        bool holds_;                                       \
        while (!(holds_ = (condition)) && now_ns() < end_) \
            sleep_ms(1);                                   \
        holds_;                                            \
    })

/* ── Other processes ─────────────────────────────────────────────────────────────────────────────────────────────── */

/** A process that runs a function of this program on a copy of its memory, as it is when child_create() is called. */
struct child {
    handle_t process, aspace, thread, budget;
    handle_t stack_memory;
    uint64_t stack_top;
    uint64_t buffer;                /* address of its message buffer there */
    struct ipc_buffer *buffer_here; /* the same page in this process */
    handle_t buffer_memory;
};

/** Handles that a child finds in its own table; the others of its copied variables mean nothing there. */
struct child_start {
    handle_t handles[12];
    uint64_t values[4];
    struct ipc_buffer *buffer;
};
extern struct child_start child_start;

/** Make the process, charged to @budget (0: the root's), stopped. @start goes into its child_start. */
void child_create(struct child *child, handle_t budget, const struct child_start *start);
/** The same with a copy of the memory of @model, a child that was created and not run: cheap, and without a message buffer. */
void child_clone(struct child *child, const struct child *model, handle_t budget);
/** A copy of @handle in the child's table. */
handle_t child_give(const struct child *child, handle_t handle);
/** Put @start where the child finds it, and run @entry there. */
void child_run(struct child *child, const struct child_start *start, void (*entry)(void));
/** Wait for its end, close all of it. The exit status, or INT64_MIN if it did not end. */
int64_t child_end(struct child *child);
/** In the child. */
__attribute__((noreturn)) void child_exit(int64_t status);

/* ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static inline uint64_t message_info(uint32_t label, uint32_t bytes, uint32_t caps, uint32_t grants)
{
    return label | (uint64_t)bytes << IPC_INFO_DATA_SHIFT | (uint64_t)caps << IPC_INFO_CAPS_SHIFT |
           (uint64_t)grants << IPC_INFO_GRANTS_SHIFT;
}

static inline uint32_t message_kind(uint64_t message)
{
    return (uint32_t)(message >> IPC_INFO_KIND_SHIFT & IPC_INFO_KIND_MASK);
}

static inline uint32_t message_caps(uint64_t message)
{
    return (uint32_t)(message >> IPC_INFO_CAPS_SHIFT & IPC_INFO_CAPS_MASK);
}

/** The message buffer of the first thread. */
struct ipc_buffer *my_buffer(void);

/* ── What each architecture has of its own: arch/<its name>/, which has _start too ───────────────────────────────── */

/** Instructions of a function that returns 42: [begin, end). */
extern const unsigned char code_returns_42[], code_returns_42_end[];
/** Execute the @index-th thing that user code must not get away with; does nothing beyond the last. */
void forbidden_execute(uint64_t index);
/** Does this machine forbid it? */
bool forbidden_is(uint64_t index);
extern const uint64_t forbidden_count;

/** What a debugger sets in a frame's flags for a single step (0: there are none), and what an exception leaves set there (QEMU 7.2's does not). */
extern const uint64_t step_flag, fault_flags;
/** Debug registers that break and that watch, maybe the same ones; whether they can watch for reads alone; whether who met one goes on by itself. */
extern const unsigned debug_breakpoints, debug_watchpoints;
extern const bool debug_reads, debug_goes_on;

/** Sets of registers that the kernel need not keep for who does not use them: floating point, vectors. A machine may lack the last ones:
 *  then register_set_pass() ends the process. */
extern const unsigned register_sets;
#define REGISTER_SET_BYTES_MAX 12288u
/** Bytes of a set. */
size_t register_set_bytes(unsigned set);
/** Load the whole set from @in, spend a while (by a system call that yields, or by looping @turns times), store the set to @out. */
void register_set_pass(unsigned set, const void *in, void *out, bool yield, uint64_t turns);
/** What rules floating point, of all its units together, and what was noted of it: what a thread begins with; to nearest, up, down and to zero,
 *  with an inexact result noted. */
#define FP_MODES 4u
extern const uint64_t fp_initial, fp_modes[FP_MODES];
uint64_t fp_mode(void);
void fp_mode_set(uint64_t mode);
/** Message call @number with @info and no words; every register that is none of its parameters holds @fill. What registers that are
 *  none of its results hold afterwards goes to @out: how many (at most MESSAGE_UNUSED_MAX). */
#define MESSAGE_UNUSED_MAX 20u
unsigned message_filled(uint64_t number, handle_t target, uint64_t info, uint64_t fill,
                        uint64_t *out);

/** A device that interrupts when told, at @irq_line. */
extern const uint32_t irq_line, irq_flags;
/** Have messages to CPUs an address? */
bool has_messages(void);
/** Is a store to that address by a CPU a message, as a device's is? */
bool message_is_a_store(void);
/** Does the machine have I/O ports beyond the three that every architecture answers? */
extern const bool has_ports;
/** Registers of an interrupt controller, a page of RAM: neither is a driver's. */
extern const uint64_t device_page, ram_page;
/** It wants an interrupt; it wants another one, before the one it had is acknowledged; it wants none any more. */
void irq_begin(void);
void irq_again(void);
void irq_end(void);

/* A fuzzing child: it keeps a pool of handles with their types, and makes calls whose arguments mostly pass the first checks: handles
 * of the right type, values that the interface lists, values that an earlier call answered under the same name, and by the argument's
 * name sizes and addresses that fit what is there. Some are hostile: other types, guessed handles, kernel addresses, huge lengths. A second
 * thread serves calls, and makes its own in the middle of them; more begin at random. What a thread chooses follows from the seed, from the
 * child's and the thread's number and from what the kernel answered it: nothing that it chooses from is another thread's. Only the memory
 * that calls read and write is everybody's, so that it changes while the kernel looks. */
#include "fuzz.h"

#include <fuzz/syscalls.h>
#include <kcov.h>
#include <kstring.h>

#define POOL 96u
#define SCRATCH_BYTES 16384u
#define SYSCALLS (sizeof(fuzz_syscalls) / sizeof(fuzz_syscalls[0]))

#define LEARNED 8u
#define STACK_BYTES 4096u
/** The first thread, the server, and those that each of the two may begin. */
#define ACTORS 8u
#define BEGUN 3u
#define SPILL_BYTES (3 * PAGE_SIZE)
/** In the scratch, where little is written: words at which threads wait and others wake them. */
#define MEETING_AT (SCRATCH_BYTES - 64u)
/** The argument of thread.start. */
#define REGISTER_SP 2u

struct pool_entry {
    handle_t handle;
    uint32_t type;
    uint32_t rights;
};

/** What calls answered, by the name of the result. */
struct learned {
    uint64_t values[LEARNED];
    uint32_t count;
};

/* "mapped" is where aspace.map put it; "token" and "mapping" name what is kept in the kernel. */
static const char *const learned_names[] = {"mapped", "token", "mapping", "object_id", "paged"};
#define NAMES (sizeof(learned_names) / sizeof(learned_names[0]))

/** A thread that makes calls. */
struct actor {
    struct ipc_buffer *buffer;        /* NULL: it has none */
    uint64_t random;                  /* its choices */
    uint64_t trace;                   /* its calls so far, and what they answered */
    const struct fuzz_record *record; /* the call that it makes is a program's; NULL: it chooses */
    bool serves;                      /* it has a call to answer */
    bool runs; /* what another began: that sets it, and it clears it at its end; atomic */
    struct pool_entry pool[POOL];
    struct learned learned[NAMES];
};

static struct actor actors[ACTORS];
/* Of the actors, but the first. */
static uint8_t stacks[ACTORS][STACK_BYTES] __attribute__((aligned(4096)));
/* What calls read and write, and behind it what is written by mistake: lengths go beyond. */
static uint8_t scratch[SCRATCH_BYTES + SPILL_BYTES] __attribute__((aligned(4096)));
static struct fuzz_counts *counts;

/* What a child overwrites of its own may be this, and zeros would follow zeros. */
static uint64_t random_next(struct actor *self)
{
    if (self->random == 0)
        self->random = fuzz_mix((uint64_t)(self - actors));
    if (self->random == 0) /* a call has written there: from 0 nothing else would ever follow */
        self->random = fuzz_mix(self->trace);
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return self->random;
}

/* What is chosen from here on follows from the @index-th seed, if a program has one. */
static void choose_by(struct actor *self, uint32_t index)
{
    if (self->record != NULL)
        self->random = fuzz_mix((uint64_t)self->record->seeds[index] << 8 | index);
}

static uint64_t below(struct actor *self, uint64_t bound)
{
    return random_next(self) % bound;
}

static bool chance(struct actor *self, uint32_t percent)
{
    return below(self, 100) < percent;
}

/* ── Arguments ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static struct pool_entry entry_of(handle_t handle)
{
    struct pool_entry entry = {.handle = handle};
    uint64_t badge, id;
    if (!status_is_ok(sys_cap_info(handle, &entry.type, &entry.rights, &badge, &id)))
        entry = (struct pool_entry){0};
    return entry;
}

static void pool_put(struct actor *self, handle_t handle)
{
    struct pool_entry *entry = &self->pool[HANDLES + below(self, POOL - HANDLES)];
    if (entry->handle != 0)
        status_ignore(sys_cap_close(entry->handle));
    *entry = entry_of(handle);
}

/* An entry of @type (OBJECT_NONE: any) that is still alive, or NULL. The others found on the way are forgotten. */
static struct pool_entry *pool_get(struct actor *self, uint32_t type)
{
    uint64_t start = below(self, POOL);
    for (uint64_t i = 0; i < POOL; i++) {
        struct pool_entry *entry = &self->pool[(start + i) % POOL];
        if (entry->handle == 0 || (type != OBJECT_NONE && entry->type != type))
            continue;
        *entry = entry_of(entry->handle);
        if (entry->handle != 0)
            return entry;
    }
    return NULL;
}

static uint64_t any_handle(struct actor *self)
{
    const struct pool_entry *entry = pool_get(self, OBJECT_NONE);
    if (entry != NULL && chance(self, 85))
        return entry->handle;
    return chance(self, 50) || entry == NULL ? random_next(self)
                                             : entry->handle ^ (1ull << below(self, 64));
}

static uint64_t handle_of(struct actor *self, uint32_t type)
{
    const struct pool_entry *entry = chance(self, 6) ? NULL : pool_get(self, type);
    return entry != NULL ? entry->handle : any_handle(self);
}

static const uint64_t edges[] = {0,
                                 1,
                                 7,
                                 63,
                                 64,
                                 4095,
                                 4096,
                                 4097,
                                 8192,
                                 65536,
                                 1ull << 20,
                                 1ull << 31,
                                 (1ull << 32) - 1,
                                 1ull << 32,
                                 1ull << 47,
                                 (1ull << 47) - 4096,
                                 ~0ull - 4095,
                                 ~0ull - 1,
                                 ~0ull,
                                 KERNEL_ADDRESS,
                                 NOWHERE};

static uint64_t number(struct actor *self)
{
    switch (below(self, 5)) {
    case 0:
        return edges[below(self, sizeof(edges) / sizeof(edges[0]))];
    case 1:
        return below(self, 16) * PAGE_SIZE;
    case 2:
        return below(self, 64);
    case 3:
        return random_next(self) >> below(self, 64);
    default:
        return (uint64_t)scratch + below(self, SCRATCH_BYTES);
    }
}

static bool is_same(const char *left, const char *right)
{
    size_t length = strlen(left);
    return length == strlen(right) && memcmp(left, right, length) == 0;
}

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names != NULL && !is_same(name, *names))
        names++;
    return *names != NULL;
}

static struct learned *learned_find(struct actor *self, const char *name)
{
    for (unsigned i = 0; i < NAMES; i++)
        if (is_same(learned_names[i], name))
            return &self->learned[i];
    return NULL;
}

static void learn(struct actor *self, const char *name, uint64_t value)
{
    struct learned *it = learned_find(self, name);
    if (it != NULL)
        it->values[it->count++ % LEARNED] = value;
}

/* One of the values that calls answered as @name; false if there is none yet. */
static bool recall(struct actor *self, const char *name, uint64_t *value)
{
    const struct learned *it = learned_find(self, name);
    if (it == NULL || it->count == 0)
        return false;
    *value = it->values[below(self, it->count < LEARNED ? it->count : LEARNED)];
    return true;
}

static void fuzz_thread(void);

/* The top of the stack of a thread that @self may begin. If all run: of a place where it will end at once. */
static uint64_t stack_find(struct actor *self)
{
    uint64_t first = 2 + BEGUN * (uint64_t)(self - actors), start = below(self, BEGUN);
    for (uint64_t i = 0; i < BEGUN && self <= &actors[1]; i++) {
        uint64_t index = first + (start + i) % BEGUN;
        if (!__atomic_load_n(&actors[index].runs, __ATOMIC_ACQUIRE))
            return (uint64_t)stacks[index] + STACK_BYTES - 8;
    }
    return (uint64_t)scratch + SCRATCH_BYTES - 8;
}

/* Whose stack holds @address; NULL if it is the first thread's, or nobody's. */
static struct actor *actor_of_stack(uint64_t address)
{
    uint64_t index = (address - (uint64_t)stacks) / STACK_BYTES;
    return index < ACTORS ? &actors[index] : NULL;
}

/* A value that fits the meaning of the argument's name; false where the name says nothing. */
static bool fitting(struct actor *self, const char *name, uint64_t *value)
{
    static const char *const page_offsets[] = {"offset", "source_offset", "memory_offset", NULL};
    static const char *const sizes[] = {"bytes", "length", NULL};
    static const char *const zeros[] = {"index", "badge", "expected", "cursor", "after", NULL};
    static const char *const few[] = {
        "priority", "priority_ceiling", "slots", "pages", "message_bytes", "count", "mask", "width",
        NULL};
    if (is_same(name, "deadline_ns"))
        *value = chance(self, 30) ? 0 : now_ns() + below(self, chance(self, 10) ? MS : MS / 10);
    else if (is_same(name, "period_ns"))
        *value = chance(self, 50) ? 0 : 100000 + below(self, 100000);
    else if (is_same(name, "budget_ns"))
        *value = 1 + below(self, 100000);
    else if (is_same(name, "priority") && chance(self, 2))
        *value = PRIORITY_NORMAL_MAX + 1 + below(self, 4);
    else if (is_one_of(name, page_offsets))
        *value = chance(self, 40)   ? 0
                 : chance(self, 60) ? below(self, 3) * PAGE_SIZE
                                    : below(self, 64);
    else if (is_same(name, "grant") || is_same(name, "caps"))
        *value = below(self, chance(self, 50) ? 1 : 3);
    else if (is_same(name, "status"))
        *value = (uint64_t)status_code(STATUS_IO);
    else if (is_one_of(name, sizes))
        *value = (1 + below(self, 2)) * PAGE_SIZE;
    else if (is_same(name, "realtime"))
        *value = below(self, 4) * (BUDGET_REALTIME_CPU / 4);
    else if (is_same(name, "kmem_bytes"))
        *value = below(self, 8) * PAGE_SIZE;
    else if (is_one_of(name, zeros))
        *value = 0;
    else if (is_same(name, "line"))
        *value =
            irq_line + 1 + below(self, 16); /* lines that the machine has, but not the console's */
    else if (is_one_of(name, few))
        *value = 1 + below(self, chance(self, 50) ? 4 : 20);
    else if (is_same(name, "port") || is_same(name, "base"))
        *value = 0x80;
    else if (is_same(name, "pc"))
        *value = (uint64_t)fuzz_thread;
    else if (is_same(name, "sp"))
        *value = stack_find(self);
    else if (is_same(name, "address") && chance(self, 30))
        *value = (uint64_t)scratch + MEETING_AT + 4 * below(self, 2); /* threads meet there */
    else if (is_same(name, "address") && (chance(self, 30) || !recall(self, "mapped", value)))
        *value = (uint64_t)scratch + below(self, SCRATCH_BYTES / 8) * 8;
    else if (is_same(name, "process_id"))
        return recall(self, "object_id", value);
    else if (is_same(name, "token") && (chance(self, 50) || !recall(self, "token", value)))
        *value = 0;
    else if (!is_same(name, "address") && !is_same(name, "token"))
        return recall(self, name, value);
    return true;
}

static uint64_t integer(struct actor *self, const struct fuzz_argument *a, uint64_t first)
{
    uint64_t value;
    if (is_same(a->name, "rights") && chance(self, 90))
        return chance(self, 50) ? entry_of(first).rights
                                : entry_of(first).rights & random_next(self);
    if (a->is_flags && chance(self, 90)) {
        value = random_next(self) & a->valid;
        return chance(self, 50)   ? value & ~(uint64_t)MAP_EXECUTE
               : chance(self, 50) ? value & 3
                                  : value;
    }
    if (a->is_enum && chance(self, 90))
        return below(self, a->valid + 1);
    if (chance(self, 85) && fitting(self, a->name, &value))
        return value;
    value = number(self);
    if (a->bytes < 8 && chance(self, 95))
        value &= (1ull << 8 * a->bytes) - 1;
    return value;
}

static uint64_t address(struct actor *self, uint64_t *length)
{
    if (chance(self, 85)) {
        uint64_t at = below(self, SCRATCH_BYTES);
        uint64_t most = SCRATCH_BYTES - at < 32 || chance(self, 20) ? SCRATCH_BYTES - at : 32;
        *length = chance(self, 95) ? below(self, most + 1) : number(self);
        return (uint64_t)scratch + at;
    }
    *length = number(self);
    return number(self);
}

static bool is_of_pager(const struct fuzz_syscall *call)
{
    return call->number >= SYS_MEMORY_SET_PAGER && call->number <= SYS_MEMORY_DIRTY_NEXT;
}

static void fill(struct actor *self, const struct fuzz_syscall *call, uint64_t *registers)
{
    uint64_t length;
    bool junk = self->record == NULL || self->record->seeds[FUZZ_JUNK_SEED] != 0;
    choose_by(self, FUZZ_JUNK_SEED);
    for (uint32_t i = 0; i < 8; i++)
        registers[i] = !junk || chance(self, 90) ? 0 : random_next(self);
    for (uint32_t i = 0; i < call->argument_count; i++) {
        const struct fuzz_argument *a = &call->arguments[i];
        choose_by(self, i);
        switch (a->kind) {
        case FUZZ_INT:
            registers[a->reg] = integer(self, a, registers[0]);
            break;
        case FUZZ_HANDLE:
            /* A reply is saved with a notice or, as often, without. */
            if (call->number != SYS_ENDPOINT_REPLY_SAVE)
                registers[a->reg] = any_handle(self);
            else
                registers[a->reg] = chance(self, 50) ? 0 : handle_of(self, OBJECT_ENDPOINT);
            break;
        case FUZZ_CAP:
            if (!is_of_pager(call) || a->reg != 0 || chance(self, 30) ||
                !recall(self, "paged", &registers[a->reg]))
                registers[a->reg] = handle_of(self, a->object_type);
            break;
        case FUZZ_IN_BYTES:
        case FUZZ_OUT_BYTES:
            registers[a->reg] = address(self, &length);
            registers[a->reg + 1] = length;
            break;
        default:
            registers[a->reg] = chance(self, 50) ? (uint64_t)scratch
                                : chance(self, 80)
                                    ? (uint64_t)scratch + below(self, SCRATCH_BYTES / 16) * 8
                                    : number(self);
        }
    }
}

/* ── Calls ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What this call adds to the trace depends on all before it; the traces of all threads add up. */
static void trace(struct actor *self, const struct fuzz_syscall *call, int32_t code)
{
    self->trace =
        fuzz_mix(self->trace ^ self->random ^ (uint64_t)call->number << 32 ^ (uint32_t)code);
    __atomic_fetch_add(&counts->trace, self->trace, __ATOMIC_RELAXED);
}

/* A child makes threads foreign, too: their calls do not come to the kernel, and a page of random bytes may be the table that answers them. */
static bool is_native(void)
{
    uint64_t badge, id;
    uint32_t type, rights;
    return sys_cap_info(0, &type, &rights, &badge, &id) == STATUS_BAD_HANDLE;
}

static void note_undocumented(const struct fuzz_syscall *call, int32_t code)
{
    if (!is_native())
        return;
    __atomic_store_n(&counts->undocumented_last, (uint64_t)call->number << 32 | (uint32_t)code,
                     __ATOMIC_RELAXED);
    __atomic_fetch_add(&counts->undocumented, 1, __ATOMIC_RELAXED);
}

static void note(struct actor *self, const struct fuzz_syscall *call, status_t status)
{
    int32_t code = status_code(status);
    trace(self, call, code);
    __atomic_fetch_add(&counts->calls[call->number], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&counts->total, 1, __ATOMIC_RELAXED);
    if (code == 0 && (counts->successes[call->number] != 0 || is_native()))
        __atomic_fetch_add(&counts->successes[call->number], 1, __ATOMIC_RELAXED);
    if (code > 0 || code < -20)
        note_undocumented(call, code);
    else
        __atomic_fetch_or(&counts->statuses[call->number], 1u << -code, __ATOMIC_RELAXED);
}

/* Ends of ourselves are rare, so that most of what a child does has a history behind it. */
static bool is_wanted(struct actor *self, const struct fuzz_syscall *call)
{
    if (call->number == SYS_PROCESS_EXIT || call->number == SYS_THREAD_EXIT)
        return below(self, 4000) == 0;
    if (call->number == SYS_PROCESS_KILL || call->number == SYS_ASPACE_UNMAP)
        return below(self, 20) == 0;
    return true;
}

static void buffer_fill(struct actor *self, struct ipc_buffer *buffer)
{
    for (uint32_t i = 0; i < IPC_CAPS_MAX; i++)
        buffer->caps[i] = (struct cap_out){.handle = any_handle(self),
                                           .badge = chance(self, 70) ? 0 : random_next(self),
                                           .rights = (uint32_t)random_next(self) & RIGHT_ALL,
                                           .mode = (uint32_t)below(self, chance(self, 95) ? 3 : 9)};
    for (uint32_t i = 0; i < IPC_GRANTS_MAX; i++) {
        buffer->grants[i].address = address(self, &buffer->grants[i].length);
        buffer->grants[i].access = RIGHT_READ | RIGHT_WRITE;
    }
    buffer->accept = (uint32_t)below(self, chance(self, 95) ? 5 : 100);
}

static void message(struct actor *self, const struct fuzz_syscall *call)
{
    struct ipc_buffer *buffer = self->buffer;
    uint64_t token = 0;
    choose_by(self, 0);
    if (buffer != NULL)
        buffer_fill(self, buffer);
    choose_by(self, 1);
    if (call->number == SYS_ENDPOINT_REPLY && chance(self, 40))
        recall(self, "token", &token);
    struct ipc_regs regs = {.target = token};
    if (call->number != SYS_ENDPOINT_REPLY)
        regs.target = handle_of(self, OBJECT_ENDPOINT);
    choose_by(self, 2);
    regs.info = chance(self, 90) ? message_info((uint32_t)below(self, 8),
                                                (uint32_t)below(self, chance(self, 80) ? 64 : 3200),
                                                (uint32_t)below(self, chance(self, 60) ? 1 : 5),
                                                (uint32_t)below(self, 3))
                                 : number(self);
    choose_by(self, 3);
    regs.deadline = now_ns() + below(self, 500000);
    choose_by(self, 4);
    regs.queue = chance(self, 70) ? 0 : handle_of(self, OBJECT_QUEUE);
    if (chance(self, 10))
        regs.info |= 1ull << IPC_INFO_NOWAIT_SHIFT;
    status_t status = ipc_raw(call->number, &regs);
    note(self, call, status);
    if (status != STATUS_OK)
        return;
    if (call->number != SYS_ENDPOINT_CALL)
        self->serves =
            call->number != SYS_ENDPOINT_REPLY && message_kind(regs.info) == IPC_KIND_CALL;
    for (uint32_t i = 0; buffer != NULL && i < message_caps(regs.info) && i < IPC_CAPS_MAX; i++)
        if (buffer->received[i] != 0 && entry_of(buffer->received[i]).type != OBJECT_NONE)
            pool_put(self, buffer->received[i]);
}

/* Who has a call to answer mostly works on it. */
static const struct fuzz_syscall *next_call(struct actor *self)
{
    const struct fuzz_syscall *call;
    bool of_reply = self->serves && chance(self, 60);
    do
        call = &fuzz_syscalls[below(self, SYSCALLS)];
    while (of_reply && memcmp(call->name, "endpoint.reply", 14) != 0);
    return call;
}

static void make_call(struct actor *self, const struct fuzz_syscall *call)
{
    uint64_t registers[8], results[4];
    __atomic_fetch_add(&counts->progress[child_start.values[VALUE_INDEX]], 1, __ATOMIC_RELAXED);
    if ((call->flags & FUZZ_RAW) != 0) {
        message(self, call);
        return;
    }
    fill(self, call, registers);
    struct actor *begun =
        call->number == SYS_THREAD_START ? actor_of_stack(registers[REGISTER_SP]) : NULL;
    if (begun != NULL)
        __atomic_store_n(&begun->runs, true, __ATOMIC_RELEASE);
    status_t status = syscall_raw(call->number, registers, 8, results);
    note(self, call, status);
    if (status != STATUS_OK && begun != NULL)
        __atomic_store_n(&begun->runs, false, __ATOMIC_RELEASE);
    if (status != STATUS_OK)
        return;
    if (call->number == SYS_ENDPOINT_REPLY_SAVE)
        self->serves = false;
    for (uint32_t i = 0; i < call->result_count; i++) {
        learn(self, call->results[i].name, results[i]);
        if (call->results[i].is_handle)
            pool_put(self, results[i]);
    }
}

static void one_call(struct actor *self)
{
    const struct fuzz_syscall *call = next_call(self);
    if (is_wanted(self, call))
        make_call(self, call);
}

static bool is_enough(void)
{
    return __atomic_load_n(&counts->total, __ATOMIC_RELAXED) >=
           __atomic_load_n(&counts->target, __ATOMIC_RELAXED);
}

/* ── Programs ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_program;
static uint32_t threads_running; /* of the first two; atomic */

static void program_run(struct actor *self, uint32_t thread)
{
    const struct fuzz_program *program = &counts->program;
    for (uint32_t i = 0; i < program->count && i < FUZZ_RECORDS; i++) {
        struct fuzz_record record = program->records[i];
        if (record.thread != thread || record.call >= SYSCALLS)
            continue;
        self->record = &record;
        make_call(self, &fuzz_syscalls[record.call]);
        self->record = NULL;
    }
}

/* The last of the two ends the process. Each calls this on its own stack. */
static void program_part(uint32_t thread)
{
    program_run(&actors[thread], thread);
    if (__atomic_sub_fetch(&threads_running, 1, __ATOMIC_ACQ_REL) == 0)
        child_exit(0);
    for (;;)
        status_ignore(sys_thread_sleep(UINT64_MAX));
}

static void program_server(void)
{
    program_part(1);
}

/* ── Threads ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What a thread started at random does. On a stack of nobody's it ends at once. */
static void fuzz_thread(void)
{
    struct actor *self = actor_of_stack((uint64_t)__builtin_frame_address(0));
    if (self != NULL && is_program)
        program_run(self, 2);
    for (int i = 0; self != NULL && !is_program && i < 20 && !is_enough(); i++)
        one_call(self);
    if (self != NULL)
        __atomic_store_n(&self->runs, false, __ATOMIC_RELEASE);
    status_ignore(sys_thread_exit());
}

/* Serves the shared endpoint and whatever else it finds. */
static void fuzz_server(void)
{
    struct actor *self = &actors[1];
    const struct fuzz_syscall *receive = fuzz_syscalls;
    while (receive->number != SYS_ENDPOINT_RECEIVE)
        receive++;
    while (!is_enough()) {
        if (!self->serves && chance(self, 30))
            message(self, receive);
        one_call(self);
    }
    for (;;)
        status_ignore(sys_thread_sleep(UINT64_MAX));
}

/* The second thread, with a message buffer. */
static void server_begin(handle_t budget, void (*entry)(void))
{
    handle_t thread, memory;
    uint64_t address_;
    if (!status_is_ok(sys_thread_create(child_start.handles[HANDLE_PROCESS], budget, &thread)))
        return;
    if (status_is_ok(sys_memory_create(budget, PAGE_SIZE, MEMORY_COMMIT, &memory)) &&
        status_is_ok(sys_thread_set_buffer(thread, memory, 0)) &&
        status_is_ok(sys_aspace_map(child_start.handles[HANDLE_ASPACE], memory, 0, 0, PAGE_SIZE,
                                    MAP_READ | MAP_WRITE, 0, &address_))) {
        actors[1].buffer = (struct ipc_buffer *)address_;
        status_ignore(
            sys_thread_start(thread, (uint64_t)entry, (uint64_t)stacks[1] + STACK_BYTES - 8, 0, 0));
    }
}

/* The first page of a pager's Memory is there, and dirty: chance alone hardly gets that far. */
static void paged_begin(handle_t budget, handle_t paged)
{
    handle_t source;
    if (!status_is_ok(sys_memory_create(budget, PAGE_SIZE, MEMORY_COMMIT, &source)))
        return;
    if (status_is_ok(sys_memory_supply(paged, 0, source, 0, PAGE_SIZE, 0)))
        status_ignore(sys_memory_write(paged, 0, scratch, 1));
    status_ignore(sys_cap_close(source));
}

static void pool_begin(struct actor *self)
{
    handle_t handle, other;
    handle_t budget = child_start.handles[HANDLE_BUDGET];
    for (uint32_t i = 0; i < HANDLES; i++)
        self->pool[i] = entry_of(child_start.handles[i]);
    if (status_is_ok(sys_memory_create(budget, 4 * PAGE_SIZE, 0, &handle)))
        pool_put(self, handle);
    if (status_is_ok(sys_memory_create(budget, 4 * PAGE_SIZE, MEMORY_PAGED, &handle))) {
        learn(self, "paged", handle);
        pool_put(self, handle);
        paged_begin(budget, handle);
    }
    if (status_is_ok(sys_endpoint_create(budget, &handle)))
        pool_put(self, handle);
    if (status_is_ok(sys_queue_create(budget, &handle)))
        pool_put(self, handle);
    if (status_is_ok(sys_notification_create(budget, &handle)))
        pool_put(self, handle);
    if (status_is_ok(sys_timer_create(budget, &handle)))
        pool_put(self, handle);
    if (status_is_ok(sys_channel_create(budget, 4, 64, &handle, &other))) {
        pool_put(self, handle);
        pool_put(self, other);
    }
    if (status_is_ok(sys_thread_create(child_start.handles[HANDLE_PROCESS], budget, &handle)))
        pool_put(self, handle);
    if (status_is_ok(sys_interrupt_create(child_start.handles[HANDLE_INTERRUPT], budget,
                                          irq_line + 1, 0, &handle)))
        pool_put(self, handle);
    /* Enough for a trace, on as many CPUs as these machines have. */
    if (status_is_ok(sys_memory_create(budget, 4 * PAGE_SIZE, MEMORY_CONTIGUOUS, &handle)))
        pool_put(self, handle);
}

/* All know what the first thread was given and made; each chooses on its own. */
static void actors_begin(void)
{
    pool_begin(&actors[0]);
    for (uint32_t i = 1; i < ACTORS; i++)
        actors[i] = actors[0];
    for (uint32_t i = 0; i < ACTORS; i++)
        actors[i].random = fuzz_mix(child_start.values[VALUE_SEED] + i);
    actors[0].buffer = child_start.buffer;
}

void fuzz_child(void)
{
    counts = (struct fuzz_counts *)child_start.values[VALUE_COUNTS];
    actors[0].random = child_start.values[VALUE_SEED];
    actors_begin();
    server_begin(child_start.handles[HANDLE_BUDGET], fuzz_server);
    while (!is_enough())
        one_call(&actors[0]);
    child_exit(0);
}

void fuzz_program_child(void)
{
    handle_t budget = child_start.handles[HANDLE_BUDGET], port = child_start.handles[HANDLE_KCOV];
    bool has_server = false;
    counts = (struct fuzz_counts *)child_start.values[VALUE_COUNTS];
    is_program = true;
    actors[0].random = child_start.values[VALUE_SEED];
    actors_begin();
    for (uint32_t i = 0; i < counts->program.count; i++)
        has_server = has_server || counts->program.records[i].thread == 1;
    threads_running = has_server ? 2 : 1;
    status_ignore(sys_ioport_out(port, KCOV_PORT, 4, (uint32_t)KCOV_BEGIN << KCOV_COMMAND_SHIFT));
    status_ignore(sys_cap_close(port));
    if (has_server)
        server_begin(budget, program_server);
    program_part(0);
}

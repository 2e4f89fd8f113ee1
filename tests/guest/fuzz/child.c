/* A fuzzing child: it keeps a pool of handles with their types, and makes calls whose arguments mostly pass the first checks: handles
 * of the right type, values that the interface lists, values that an earlier call answered under the same name, and by the argument's
 * name sizes and addresses that fit what is there. Some are hostile: other types, guessed handles, kernel addresses, huge lengths. A second
 * thread serves calls, and makes its own in the middle of them. All choices come from one seed. */
#include "fuzz.h"

#include <fuzz/syscalls.h>
#include <kstring.h>

#define POOL 96u
#define SCRATCH_BYTES 16384u
#define SYSCALLS (sizeof(fuzz_syscalls) / sizeof(fuzz_syscalls[0]))

#define LEARNED 8u
#define STACK_BYTES 4096u

struct pool_entry {
    handle_t handle;
    uint32_t type;
    uint32_t rights;
};

/** What calls answered, by the name of the result. */
struct learned {
    const char *name;
    uint64_t values[LEARNED];
    uint32_t count;
};

static struct pool_entry pool[POOL];
/* "mapped" is where aspace.map put it; "token" and "mapping" name what is kept in the kernel. */
static struct learned learned[] = {{.name = "mapped"},
                                   {.name = "token"},
                                   {.name = "mapping"},
                                   {.name = "object_id"}};
static uint8_t scratch[SCRATCH_BYTES] __attribute__((aligned(4096)));
/* The first is the server's; the others go round. */
static uint8_t stacks[8][STACK_BYTES] __attribute__((aligned(4096)));
static uint64_t state;
static struct fuzz_counts *counts;

static uint64_t random_next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static uint64_t below(uint64_t bound)
{
    return random_next() % bound;
}

static bool chance(uint32_t percent)
{
    return below(100) < percent;
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

static void pool_put(handle_t handle)
{
    struct pool_entry *entry = &pool[HANDLES + below(POOL - HANDLES)];
    if (entry->handle != 0)
        status_ignore(sys_cap_close(entry->handle));
    *entry = entry_of(handle);
}

/* An entry of @type (OBJECT_NONE: any) that is still alive, or NULL. The others found on the way are forgotten. */
static struct pool_entry *pool_get(uint32_t type)
{
    uint64_t start = below(POOL);
    for (uint64_t i = 0; i < POOL; i++) {
        struct pool_entry *entry = &pool[(start + i) % POOL];
        if (entry->handle == 0 || (type != OBJECT_NONE && entry->type != type))
            continue;
        *entry = entry_of(entry->handle);
        if (entry->handle != 0)
            return entry;
    }
    return NULL;
}

static uint64_t any_handle(void)
{
    const struct pool_entry *entry = pool_get(OBJECT_NONE);
    if (entry != NULL && chance(85))
        return entry->handle;
    return chance(50) || entry == NULL ? random_next() : entry->handle ^ (1ull << below(64));
}

static uint64_t handle_of(uint32_t type)
{
    const struct pool_entry *entry = chance(6) ? NULL : pool_get(type);
    return entry != NULL ? entry->handle : any_handle();
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

static uint64_t number(void)
{
    switch (below(5)) {
    case 0:
        return edges[below(sizeof(edges) / sizeof(edges[0]))];
    case 1:
        return below(16) * PAGE_SIZE;
    case 2:
        return below(64);
    case 3:
        return random_next() >> below(64);
    default:
        return (uint64_t)scratch + below(SCRATCH_BYTES);
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

static struct learned *learned_find(const char *name)
{
    for (unsigned i = 0; i < sizeof(learned) / sizeof(learned[0]); i++)
        if (is_same(learned[i].name, name))
            return &learned[i];
    return NULL;
}

static void learn(const char *name, uint64_t value)
{
    struct learned *it = learned_find(name);
    if (it != NULL)
        it->values[it->count++ % LEARNED] = value;
}

/* One of the values that calls answered as @name; false if there is none yet. */
static bool recall(const char *name, uint64_t *value)
{
    const struct learned *it = learned_find(name);
    if (it == NULL || it->count == 0)
        return false;
    *value = it->values[below(it->count < LEARNED ? it->count : LEARNED)];
    return true;
}

static void fuzz_thread(void);

/* A value that fits the meaning of the argument's name; false where the name says nothing. */
static bool fitting(const char *name, uint64_t *value)
{
    static const char *const page_offsets[] = {"offset", "source_offset", "memory_offset", NULL};
    static const char *const sizes[] = {"bytes", "length", NULL};
    static const char *const zeros[] = {"index", "badge", "expected", "cursor", "after", NULL};
    static const char *const few[] = {
        "priority", "priority_ceiling", "slots", "pages", "message_bytes", "count", "mask", "width",
        NULL};
    if (is_same(name, "deadline_ns"))
        *value = chance(30) ? 0 : now_ns() + below(100000);
    else if (is_same(name, "period_ns"))
        *value = chance(50) ? 0 : 100000 + below(100000);
    else if (is_same(name, "budget_ns"))
        *value = 1 + below(100000);
    else if (is_same(name, "priority") && chance(2))
        *value = PRIORITY_NORMAL_MAX + 1 + below(4);
    else if (is_one_of(name, page_offsets))
        *value = chance(40) ? 0 : chance(60) ? below(3) * PAGE_SIZE : below(64);
    else if (is_same(name, "grant") || is_same(name, "caps"))
        *value = below(chance(50) ? 1 : 3);
    else if (is_same(name, "status"))
        *value = (uint64_t)status_code(STATUS_IO);
    else if (is_one_of(name, sizes))
        *value = (1 + below(2)) * PAGE_SIZE;
    else if (is_same(name, "kmem_bytes"))
        *value = below(8) * PAGE_SIZE;
    else if (is_one_of(name, zeros))
        *value = 0;
    else if (is_same(name, "line"))
        *value = irq_line + 1 + below(16); /* lines that the machine has, but not the console's */
    else if (is_one_of(name, few))
        *value = 1 + below(chance(50) ? 4 : 20);
    else if (is_same(name, "port") || is_same(name, "base"))
        *value = 0x80;
    else if (is_same(name, "pc"))
        *value = (uint64_t)fuzz_thread;
    else if (is_same(name, "sp"))
        *value = (uint64_t)stacks[1 + below(7)] + STACK_BYTES - 8;
    else if (is_same(name, "address") && (chance(30) || !recall("mapped", value)))
        *value = (uint64_t)scratch + below(SCRATCH_BYTES / 8) * 8;
    else if (is_same(name, "process_id"))
        return recall("object_id", value);
    else if (is_same(name, "token") && (chance(50) || !recall("token", value)))
        *value = 0;
    else if (!is_same(name, "address") && !is_same(name, "token"))
        return recall(name, value);
    return true;
}

static uint64_t integer(const struct fuzz_argument *a, uint64_t first)
{
    uint64_t value;
    if (is_same(a->name, "rights") && chance(90))
        return chance(50) ? entry_of(first).rights : entry_of(first).rights & random_next();
    if (a->is_flags && chance(90)) {
        value = random_next() & a->valid;
        return chance(50) ? value & ~(uint64_t)MAP_EXECUTE : chance(50) ? value & 3 : value;
    }
    if (a->is_enum && chance(90))
        return below(a->valid + 1);
    if (chance(85) && fitting(a->name, &value))
        return value;
    value = number();
    if (a->bytes < 8 && chance(95))
        value &= (1ull << 8 * a->bytes) - 1;
    return value;
}

static uint64_t address(uint64_t *length)
{
    if (chance(85)) {
        uint64_t at = below(SCRATCH_BYTES);
        uint64_t most = SCRATCH_BYTES - at < 32 || chance(20) ? SCRATCH_BYTES - at : 32;
        *length = chance(95) ? below(most + 1) : number();
        return (uint64_t)scratch + at;
    }
    *length = number();
    return number();
}

static bool is_of_pager(const struct fuzz_syscall *call)
{
    return call->number >= SYS_MEMORY_SET_PAGER && call->number <= SYS_MEMORY_DIRTY_NEXT;
}

static void fill(const struct fuzz_syscall *call, uint64_t *registers)
{
    uint64_t length;
    for (uint32_t i = 0; i < 8; i++)
        registers[i] = chance(90) ? 0 : random_next();
    for (uint32_t i = 0; i < call->argument_count; i++) {
        const struct fuzz_argument *a = &call->arguments[i];
        switch (a->kind) {
        case FUZZ_INT:
            registers[a->reg] = integer(a, registers[0]);
            break;
        case FUZZ_HANDLE:
            registers[a->reg] = any_handle();
            break;
        case FUZZ_CAP:
            if (!is_of_pager(call) || a->reg != 0 || chance(30) ||
                !recall("paged", &registers[a->reg]))
                registers[a->reg] = handle_of(a->object_type);
            break;
        case FUZZ_IN_BYTES:
        case FUZZ_OUT_BYTES:
            registers[a->reg] = address(&length);
            registers[a->reg + 1] = length;
            break;
        default:
            registers[a->reg] = chance(50)   ? (uint64_t)scratch
                                : chance(80) ? (uint64_t)scratch + below(SCRATCH_BYTES / 16) * 8
                                             : number();
        }
    }
}

/* ── Calls ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** A thread that makes calls. */
struct actor {
    struct ipc_buffer *buffer;
    bool serves; /* it has a call to answer */
};

static struct actor actors[2];

static void note(const struct fuzz_syscall *call, status_t status)
{
    int32_t code = status_code(status);
    __atomic_fetch_add(&counts->calls[call->number], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&counts->total, 1, __ATOMIC_RELAXED);
    if (code == 0)
        __atomic_fetch_add(&counts->successes[call->number], 1, __ATOMIC_RELAXED);
    if (code > 0 || code < -20)
        __atomic_fetch_add(&counts->undocumented, 1, __ATOMIC_RELAXED);
    else
        __atomic_fetch_or(&counts->statuses[call->number], 1u << -code, __ATOMIC_RELAXED);
}

/* Ends of ourselves are rare, so that most of what a child does has a history behind it. */
static bool is_wanted(const struct fuzz_syscall *call)
{
    if (call->number == SYS_PROCESS_EXIT || call->number == SYS_THREAD_EXIT)
        return below(4000) == 0;
    if (call->number == SYS_PROCESS_KILL || call->number == SYS_ASPACE_UNMAP)
        return below(20) == 0;
    return true;
}

static void message(struct actor *self, const struct fuzz_syscall *call)
{
    struct ipc_buffer *buffer = self->buffer;
    for (uint32_t i = 0; i < IPC_CAPS_MAX; i++)
        buffer->caps[i] = (struct cap_out){.handle = any_handle(),
                                           .badge = chance(70) ? 0 : random_next(),
                                           .rights = (uint32_t)random_next() & RIGHT_ALL,
                                           .mode = (uint32_t)below(chance(95) ? 3 : 9)};
    for (uint32_t i = 0; i < IPC_GRANTS_MAX; i++) {
        buffer->grants[i].address = address(&buffer->grants[i].length);
        buffer->grants[i].access = RIGHT_READ | RIGHT_WRITE;
    }
    buffer->accept = (uint32_t)below(chance(95) ? 5 : 100);
    uint64_t token = 0;
    if (call->number == SYS_ENDPOINT_REPLY && chance(40))
        recall("token", &token);
    struct ipc_regs regs = {
        .target = call->number == SYS_ENDPOINT_REPLY ? token : handle_of(OBJECT_ENDPOINT),
        .info = chance(90)
                    ? message_info((uint32_t)below(8), (uint32_t)below(chance(80) ? 64 : 3200),
                                   (uint32_t)below(chance(60) ? 1 : 5), (uint32_t)below(3))
                    : number(),
        .deadline = now_ns() + below(500000),
        .queue = chance(70) ? 0 : handle_of(OBJECT_QUEUE),
    };
    if (chance(10))
        regs.info |= 1ull << IPC_INFO_NOWAIT_SHIFT;
    status_t status = ipc_raw(call->number, &regs);
    note(call, status);
    if (status != STATUS_OK)
        return;
    if (call->number != SYS_ENDPOINT_CALL)
        self->serves =
            call->number != SYS_ENDPOINT_REPLY && message_kind(regs.info) == IPC_KIND_CALL;
    for (uint32_t i = 0; i < message_caps(regs.info) && i < IPC_CAPS_MAX; i++)
        if (buffer->received[i] != 0 && entry_of(buffer->received[i]).type != OBJECT_NONE)
            pool_put(buffer->received[i]);
}

/* Who has a call to answer mostly works on it. */
static const struct fuzz_syscall *next_call(const struct actor *self)
{
    const struct fuzz_syscall *call;
    bool of_reply = self->serves && chance(60);
    do
        call = &fuzz_syscalls[below(SYSCALLS)];
    while (of_reply && memcmp(call->name, "endpoint.reply", 14) != 0);
    return call;
}

static void one_call(struct actor *self)
{
    const struct fuzz_syscall *call = next_call(self);
    uint64_t registers[8], results[4];
    if (!is_wanted(call))
        return;
    __atomic_fetch_add(&counts->progress[child_start.values[VALUE_INDEX]], 1, __ATOMIC_RELAXED);
    if ((call->flags & FUZZ_RAW) != 0) {
        message(self, call);
        return;
    }
    fill(call, registers);
    status_t status =
        syscall_raw8(call->number, registers[0], registers[1], registers[2], registers[3],
                     registers[4], registers[5], registers[6], registers[7], results);
    note(call, status);
    if (status != STATUS_OK)
        return;
    if (call->number == SYS_ENDPOINT_REPLY_SAVE)
        self->serves = false;
    for (uint32_t i = 0; i < call->result_count; i++) {
        learn(call->results[i].name, results[i]);
        if (call->results[i].is_handle)
            pool_put(results[i]);
    }
}

static bool is_enough(void)
{
    return __atomic_load_n(&counts->total, __ATOMIC_RELAXED) >= child_start.values[VALUE_TARGET];
}

/* What a thread started at random does. */
static void fuzz_thread(void)
{
    for (int i = 0; i < 20 && !is_enough(); i++)
        one_call(&actors[1]);
    status_ignore(sys_thread_exit());
}

/* Serves the shared endpoint and whatever else it finds. */
static void fuzz_server(void)
{
    const struct fuzz_syscall *receive = fuzz_syscalls;
    while (receive->number != SYS_ENDPOINT_RECEIVE)
        receive++;
    while (!is_enough()) {
        if (!actors[1].serves && chance(30))
            message(&actors[1], receive);
        one_call(&actors[1]);
    }
    for (;;)
        status_ignore(sys_thread_sleep(UINT64_MAX));
}

/* The second thread, with a message buffer. */
static void server_begin(handle_t budget)
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
        status_ignore(sys_thread_start(thread, (uint64_t)fuzz_server,
                                       (uint64_t)stacks[0] + STACK_BYTES - 8, 0, 0));
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

static void pool_begin(void)
{
    handle_t handle, other;
    handle_t budget = child_start.handles[HANDLE_BUDGET];
    for (uint32_t i = 0; i < HANDLES; i++)
        pool[i] = entry_of(child_start.handles[i]);
    if (status_is_ok(sys_memory_create(budget, 4 * PAGE_SIZE, 0, &handle)))
        pool_put(handle);
    if (status_is_ok(sys_memory_create(budget, 4 * PAGE_SIZE, MEMORY_PAGED, &handle))) {
        learn("paged", handle);
        pool_put(handle);
        paged_begin(budget, handle);
    }
    if (status_is_ok(sys_endpoint_create(budget, &handle)))
        pool_put(handle);
    if (status_is_ok(sys_queue_create(budget, &handle)))
        pool_put(handle);
    if (status_is_ok(sys_notification_create(budget, &handle)))
        pool_put(handle);
    if (status_is_ok(sys_timer_create(budget, &handle)))
        pool_put(handle);
    if (status_is_ok(sys_channel_create(budget, 4, 64, &handle, &other))) {
        pool_put(handle);
        pool_put(other);
    }
    if (status_is_ok(sys_thread_create(child_start.handles[HANDLE_PROCESS], budget, &handle)))
        pool_put(handle);
    if (status_is_ok(sys_interrupt_create(child_start.handles[HANDLE_INTERRUPT], budget,
                                          irq_line + 1, 0, &handle)))
        pool_put(handle);
}

void fuzz_child(void)
{
    counts = (struct fuzz_counts *)child_start.values[VALUE_COUNTS];
    state = child_start.values[VALUE_SEED];
    actors[0].buffer = actors[1].buffer = child_start.buffer;
    pool_begin();
    server_begin(child_start.handles[HANDLE_BUDGET]);
    while (!is_enough())
        one_call(&actors[0]);
    child_exit(0);
}

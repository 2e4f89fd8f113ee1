/* A fuzzing child: it keeps a pool of handles with their types, and makes calls whose arguments mostly pass the first checks: handles
 * of the right type, values that the interface lists, addresses of memory that is there. Some are hostile: other types, guessed handles, kernel
 * addresses, huge lengths. All choices come from one seed. */
#include "fuzz.h"

#include <fuzz/syscalls.h>
#include <kstring.h>

#define POOL 96u
#define SCRATCH_BYTES 16384u
#define SYSCALLS (sizeof(fuzz_syscalls) / sizeof(fuzz_syscalls[0]))

struct pool_entry {
    handle_t handle;
    uint32_t type;
};

static struct pool_entry pool[POOL];
static uint8_t scratch[SCRATCH_BYTES] __attribute__((aligned(4096)));
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

static uint32_t type_of(handle_t handle)
{
    uint32_t type = OBJECT_NONE, rights;
    uint64_t badge, id;
    status_ignore(sys_cap_info(handle, &type, &rights, &badge, &id));
    return type;
}

static void pool_put(handle_t handle)
{
    struct pool_entry *entry = &pool[8 + below(POOL - 8)];
    if (entry->handle != 0)
        status_ignore(sys_cap_close(entry->handle));
    *entry = (struct pool_entry){handle, type_of(handle)};
}

static uint64_t any_handle(void)
{
    if (chance(80))
        return pool[below(POOL)].handle;
    return chance(50) ? random_next() : pool[below(POOL)].handle ^ (1ull << below(64));
}

static uint64_t handle_of(uint32_t type)
{
    if (type == OBJECT_NONE || chance(6))
        return any_handle();
    uint64_t start = below(POOL);
    for (uint64_t i = 0; i < POOL; i++)
        if (pool[(start + i) % POOL].type == type)
            return pool[(start + i) % POOL].handle;
    return any_handle();
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

static bool text_has(const char *text, const char *word)
{
    size_t length = strlen(word);
    for (; strlen(text) >= length; text++)
        if (memcmp(text, word, length) == 0)
            return true;
    return false;
}

static uint64_t integer(const struct fuzz_argument *a)
{
    if (text_has(a->name, "deadline"))
        return chance(50) ? 0 : now_ns() + below(200000);
    if (a->is_flags && chance(90))
        return random_next() & a->valid;
    if (a->is_enum && chance(90))
        return below(a->valid + 1);
    uint64_t value = number();
    if (a->bytes < 8 && chance(95))
        value &= (1ull << 8 * a->bytes) - 1;
    return value;
}

static uint64_t address(uint64_t *length)
{
    if (chance(85)) {
        uint64_t at = below(SCRATCH_BYTES);
        *length = chance(90) ? below(SCRATCH_BYTES - at + 1) : number();
        return (uint64_t)scratch + at;
    }
    *length = number();
    return number();
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
            registers[a->reg] = integer(a);
            break;
        case FUZZ_HANDLE:
            registers[a->reg] = any_handle();
            break;
        case FUZZ_CAP:
            registers[a->reg] = handle_of(a->object_type);
            break;
        case FUZZ_IN_BYTES:
        case FUZZ_OUT_BYTES:
            registers[a->reg] = address(&length);
            registers[a->reg + 1] = length;
            break;
        default:
            registers[a->reg] =
                chance(90) ? (uint64_t)scratch + below(SCRATCH_BYTES / 2) : number();
        }
    }
}

/* ── Calls ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void note(uint32_t number_, status_t status)
{
    int32_t code = status_code(status);
    __atomic_fetch_add(&counts->calls[number_], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&counts->total, 1, __ATOMIC_RELAXED);
    if (code == 0)
        __atomic_fetch_add(&counts->successes[number_], 1, __ATOMIC_RELAXED);
    if (code > 0 || code < -20)
        __atomic_fetch_add(&counts->undocumented, 1, __ATOMIC_RELAXED);
    else
        __atomic_fetch_or(&counts->statuses[number_], 1u << -code, __ATOMIC_RELAXED);
}

/* Ends of ourselves are rare, so that most of what a child does has a history behind it. */
static bool is_wanted(const struct fuzz_syscall *call)
{
    if (call->number == SYS_PROCESS_EXIT || call->number == SYS_THREAD_EXIT)
        return below(4000) == 0;
    if (call->number == SYS_PROCESS_KILL || call->number == SYS_THREAD_SUSPEND ||
        call->number == SYS_ASPACE_UNMAP)
        return below(20) == 0;
    return true;
}

static void message(const struct fuzz_syscall *call)
{
    struct ipc_regs regs;
    struct ipc_buffer *buffer = child_start.buffer;
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
    regs = (struct ipc_regs){
        .target = chance(20) ? 0 : handle_of(OBJECT_ENDPOINT),
        .info = chance(80) ? message_info((uint32_t)below(8), (uint32_t)below(3200),
                                          (uint32_t)below(5), (uint32_t)below(3))
                           : number(),
        .deadline = now_ns() + below(100000),
        .queue = chance(50) ? 0 : handle_of(OBJECT_QUEUE),
    };
    if (chance(30))
        regs.info |= 1ull << IPC_INFO_NOWAIT_SHIFT;
    status_t status = ipc_raw(call->number, &regs);
    note(call->number, status);
    for (uint32_t i = 0; i < message_caps(regs.info) && i < IPC_CAPS_MAX && status == STATUS_OK;
         i++)
        if (buffer->received[i] != 0 && type_of(buffer->received[i]) != OBJECT_NONE)
            pool_put(buffer->received[i]);
}

static void one_call(void)
{
    const struct fuzz_syscall *call = &fuzz_syscalls[below(SYSCALLS)];
    uint64_t registers[8], results[4];
    if (!is_wanted(call))
        return;
    __atomic_fetch_add(&counts->progress[child_start.values[VALUE_INDEX]], 1, __ATOMIC_RELAXED);
    if ((call->flags & FUZZ_RAW) != 0) {
        message(call);
        return;
    }
    fill(call, registers);
    status_t status =
        syscall_raw8(call->number, registers[0], registers[1], registers[2], registers[3],
                     registers[4], registers[5], registers[6], registers[7], results);
    note(call->number, status);
    for (uint32_t i = 0; i < call->result_count && status == STATUS_OK; i++)
        if (call->results[i].is_handle)
            pool_put(results[i]);
}

static void pool_begin(void)
{
    handle_t handle, other;
    handle_t budget = child_start.handles[HANDLE_BUDGET];
    for (uint32_t i = 0; i < 8; i++)
        pool[i] = (struct pool_entry){child_start.handles[i], type_of(child_start.handles[i])};
    if (status_is_ok(sys_memory_create(budget, 4 * PAGE_SIZE, 0, &handle)))
        pool_put(handle);
    if (status_is_ok(sys_memory_create(budget, 4 * PAGE_SIZE, MEMORY_PAGED, &handle)))
        pool_put(handle);
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
    if (status_is_ok(
            sys_interrupt_create(child_start.handles[HANDLE_INTERRUPT], budget, 20, 0, &handle)))
        pool_put(handle);
}

void fuzz_child(void)
{
    counts = (struct fuzz_counts *)child_start.values[VALUE_COUNTS];
    state = child_start.values[VALUE_SEED];
    pool_begin();
    while (__atomic_load_n(&counts->total, __ATOMIC_RELAXED) < child_start.values[VALUE_TARGET])
        one_call();
    child_exit(0);
}

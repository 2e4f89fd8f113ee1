/* The run time of -fsanitize=thread: data races, found by watching.
 *
 * The compiler calls in here for every access. One in SAMPLE plain accesses of a CPU sets a watchpoint on its address, waits a moment, and
 * takes it away; an access of another CPU that meets it, one of the two being a write, is a race: nothing orders the two. It is
 * printed on the debug console with both places, each pair of places once, and the kernel goes on; a test looks for `KCSAN:`.
 * Atomic accesses watch nothing, for two of them are no race; but one that meets a plain one has found the side that was forgotten.
 * Volatile accesses are a device's or a user's memory: they neither watch nor meet. Accesses under one lock are apart in time, so they
 * never meet. No lock is taken here, and nothing is logged: the watched code may hold any.
 * This file is not instrumented. The names are LLVM's. */
#include <stddef.h>
#include <stdint.h>

#ifdef CONFIG_KCSAN
#include <arch.h>
#include <arch_cpu.h>
#include <format.h>
#include <kstring.h>
#include <ksyms.h>

#define SLOTS 64u
#define SAMPLE 500u
#define WAIT_NS 20000u
#define REPORTS_MAX 64u
#define LINE_BYTES 256u

enum kind { READ, WRITE, ATOMIC_READ, ATOMIC_WRITE };

/** A plain access. */
struct watch {
    uintptr_t address; /* atomic; 0: none */
    uint32_t bytes;
    enum kind kind;
    uint32_t cpu;
    uintptr_t pc;
    bool taken; /* atomic: being set up or looked at */
};

static struct watch watches[SLOTS];

/* Own CPU only. */
static struct {
    uint32_t countdown;
    bool busy; /* what reports is instrumented itself */
} state[CPU_MAX];

static struct {
    uintptr_t first, second;
} reported[REPORTS_MAX];
static uint32_t reported_count; /* atomic */

/* One slot for each of SLOTS neighbouring 64-byte lines: an access that crosses a line is looked for by its first byte alone. */
static struct watch *watch_of(uintptr_t address)
{
    return &watches[address / CACHE_LINE % SLOTS];
}

static void put(const char *text)
{
    for (; *text != '\0'; text++)
        arch_putc(*text);
}

static bool is_write(enum kind kind)
{
    return kind == WRITE || kind == ATOMIC_WRITE;
}

static void put_place(enum kind kind, uintptr_t pc)
{
    static const char *const names[] = {"read", "write", "atomic read", "atomic write"};
    char line[LINE_BYTES];
    uint64_t offset;
    const char *name = ksym_name(pc, &offset);

    format_text(line, sizeof(line), " %s %#llx %s+%#llx", names[kind], (unsigned long long)pc,
                name != NULL ? name : "?", (unsigned long long)offset);
    put(line);
}

/** True the first time that these two places meet. */
static bool is_new(uintptr_t first, uintptr_t second)
{
    uint32_t count = MIN(__atomic_load_n(&reported_count, __ATOMIC_ACQUIRE), REPORTS_MAX);

    for (uint32_t i = 0; i < count; i++)
        if ((reported[i].first == first && reported[i].second == second) ||
            (reported[i].first == second && reported[i].second == first))
            return false;
    uint32_t mine = __atomic_fetch_add(&reported_count, 1, __ATOMIC_ACQ_REL);

    if (mine >= REPORTS_MAX)
        return false;
    reported[mine].first = first;
    reported[mine].second = second;
    return true;
}

static void report(const struct watch *watch, uintptr_t address, enum kind kind, uintptr_t pc)
{
    char line[LINE_BYTES];

    if (!is_new(watch->pc, pc))
        return;
    format_text(line, sizeof(line), "KCSAN: data race at %#llx:", (unsigned long long)address);
    put(line);
    put_place(kind, pc);
    put(" and");
    put_place(watch->kind, watch->pc);
    put("\n");
}

/** Does the access meet what another CPU watches? */
static void look(uint32_t cpu, uintptr_t address, uint32_t bytes, enum kind kind, uintptr_t pc)
{
    struct watch *watch = watch_of(address);
    uintptr_t watched = __atomic_load_n(&watch->address, __ATOMIC_ACQUIRE);

    if (watched == 0 || watch->cpu == cpu || address >= watched + watch->bytes ||
        watched >= address + bytes || !(is_write(kind) || is_write(watch->kind)))
        return;
    state[cpu].busy = true;
    if (!__atomic_exchange_n(&watch->taken, true, __ATOMIC_ACQ_REL)) {
        if (__atomic_load_n(&watch->address, __ATOMIC_ACQUIRE) == watched)
            report(watch, address, kind, pc);
        __atomic_store_n(&watch->taken, false, __ATOMIC_RELEASE);
    }
    state[cpu].busy = false;
}

/** Before the clock runs there is but one CPU. */
static void wait(void)
{
    uint64_t start_ns = arch_time_now_ns();

    while (start_ns != 0 && arch_time_now_ns() - start_ns < WAIT_NS)
        arch_cpu_relax();
}

/** Watch the address for a moment, unless its slot is in use. */
static void watch_set(uint32_t cpu, uintptr_t address, uint32_t bytes, enum kind kind, uintptr_t pc)
{
    struct watch *watch = watch_of(address);
    uintptr_t nobody = 0;

    if (__atomic_load_n(&watch->address, __ATOMIC_RELAXED) != 0 ||
        __atomic_exchange_n(&watch->taken, true, __ATOMIC_ACQ_REL))
        return;
    if (__atomic_load_n(&watch->address, __ATOMIC_ACQUIRE) == nobody) {
        watch->bytes = bytes;
        watch->kind = kind;
        watch->cpu = cpu;
        watch->pc = pc;
        __atomic_store_n(&watch->address, address, __ATOMIC_RELEASE);
    }
    bool mine = watch->cpu == cpu && watch->address == address;

    __atomic_store_n(&watch->taken, false, __ATOMIC_RELEASE);
    if (!mine)
        return;
    wait();
    while (__atomic_exchange_n(&watch->taken, true, __ATOMIC_ACQ_REL))
        arch_cpu_relax();
    __atomic_store_n(&watch->address, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&watch->taken, false, __ATOMIC_RELEASE);
}

static void access(const void *pointer, size_t bytes, enum kind kind, uintptr_t pc)
{
    uint32_t cpu = arch_cpu_local()->id;

    if (state[cpu].busy)
        return;
    look(cpu, (uintptr_t)pointer, (uint32_t)bytes, kind, pc);
    if (kind == ATOMIC_READ || kind == ATOMIC_WRITE || state[cpu].countdown-- != 0)
        return;
    state[cpu].countdown = SAMPLE;
    state[cpu].busy = true;
    watch_set(cpu, (uintptr_t)pointer, (uint32_t)bytes, kind, pc);
    state[cpu].busy = false;
}

/* ── What compiled code calls ─────────────────────────────────────────────────────────────────────────────────────── */

#define CALLER ((uintptr_t)__builtin_return_address(0))

#define PLAIN(name, bytes, kind)              \
    void __tsan_##name(void *pointer);        \
    void __tsan_##name(void *pointer)         \
    {                                         \
        access(pointer, bytes, kind, CALLER); \
    }
#define MEANT(name)                    \
    void __tsan_##name(void *pointer); \
    void __tsan_##name(void *pointer)  \
    {                                  \
        (void)pointer;                 \
    }
#define ACCESSES(bytes)                         \
    PLAIN(read##bytes, bytes, READ)             \
    PLAIN(write##bytes, bytes, WRITE)           \
    PLAIN(unaligned_read##bytes, bytes, READ)   \
    PLAIN(unaligned_write##bytes, bytes, WRITE) \
    MEANT(volatile_read##bytes)                 \
    MEANT(volatile_write##bytes)                \
    MEANT(unaligned_volatile_read##bytes)       \
    MEANT(unaligned_volatile_write##bytes)
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_read_range(void *pointer, size_t bytes);
void __tsan_read_range(void *pointer, size_t bytes)
{
    access(pointer, bytes, READ, CALLER);
}

void __tsan_write_range(void *pointer, size_t bytes);
void __tsan_write_range(void *pointer, size_t bytes)
{
    access(pointer, bytes, WRITE, CALLER);
}

void *__tsan_memcpy(void *to, const void *from, size_t bytes);
void *__tsan_memcpy(void *to, const void *from, size_t bytes)
{
    return memcpy(to, from, bytes);
}

void *__tsan_memmove(void *to, const void *from, size_t bytes);
void *__tsan_memmove(void *to, const void *from, size_t bytes)
{
    return memmove(to, from, bytes);
}

void *__tsan_memset(void *to, int value, size_t bytes);
void *__tsan_memset(void *to, int value, size_t bytes)
{
    return memset(to, value, bytes);
}

/* Instrumented atomics are calls: here they are done, in the strongest order. */
#define ATOMIC_FETCH(bits, type, operation)                                             \
    type __tsan_atomic##bits##_fetch_##operation(type *pointer, type value, int order); \
    type __tsan_atomic##bits##_fetch_##operation(type *pointer, type value, int order)  \
    {                                                                                   \
        (void)order;                                                                    \
        access(pointer, sizeof(type), ATOMIC_WRITE, CALLER);                            \
        return __atomic_fetch_##operation(pointer, value, __ATOMIC_SEQ_CST);            \
    }
#define ATOMIC_EXCHANGE_IF(bits, type, kind)                                                     \
    int __tsan_atomic##bits##_compare_exchange_##kind(type *pointer, type *expected, type value, \
                                                      int good, int bad);                        \
    int __tsan_atomic##bits##_compare_exchange_##kind(type *pointer, type *expected, type value, \
                                                      int good, int bad)                         \
    {                                                                                            \
        (void)good;                                                                              \
        (void)bad;                                                                               \
        access(pointer, sizeof(type), ATOMIC_WRITE, CALLER);                                     \
        return __atomic_compare_exchange_n(pointer, expected, value, false, __ATOMIC_SEQ_CST,    \
                                           __ATOMIC_SEQ_CST);                                    \
    }
#define ATOMICS(bits, type)                                                                   \
    type __tsan_atomic##bits##_load(const type *pointer, int order);                          \
    type __tsan_atomic##bits##_load(const type *pointer, int order)                           \
    {                                                                                         \
        (void)order;                                                                          \
        access(pointer, sizeof(type), ATOMIC_READ, CALLER);                                   \
        return __atomic_load_n(pointer, __ATOMIC_SEQ_CST);                                    \
    }                                                                                         \
    void __tsan_atomic##bits##_store(type *pointer, type value, int order);                   \
    void __tsan_atomic##bits##_store(type *pointer, type value, int order)                    \
    {                                                                                         \
        (void)order;                                                                          \
        access(pointer, sizeof(type), ATOMIC_WRITE, CALLER);                                  \
        __atomic_store_n(pointer, value, __ATOMIC_SEQ_CST);                                   \
    }                                                                                         \
    type __tsan_atomic##bits##_exchange(type *pointer, type value, int order);                \
    type __tsan_atomic##bits##_exchange(type *pointer, type value, int order)                 \
    {                                                                                         \
        (void)order;                                                                          \
        access(pointer, sizeof(type), ATOMIC_WRITE, CALLER);                                  \
        return __atomic_exchange_n(pointer, value, __ATOMIC_SEQ_CST);                         \
    }                                                                                         \
    type __tsan_atomic##bits##_compare_exchange_val(type *pointer, type expected, type value, \
                                                    int good, int bad);                       \
    type __tsan_atomic##bits##_compare_exchange_val(type *pointer, type expected, type value, \
                                                    int good, int bad)                        \
    {                                                                                         \
        (void)good;                                                                           \
        (void)bad;                                                                            \
        access(pointer, sizeof(type), ATOMIC_WRITE, CALLER);                                  \
        __atomic_compare_exchange_n(pointer, &expected, value, false, __ATOMIC_SEQ_CST,       \
                                    __ATOMIC_SEQ_CST);                                        \
        return expected;                                                                      \
    }                                                                                         \
    ATOMIC_EXCHANGE_IF(bits, type, strong)                                                    \
    ATOMIC_EXCHANGE_IF(bits, type, weak)                                                      \
    ATOMIC_FETCH(bits, type, add)                                                             \
    ATOMIC_FETCH(bits, type, sub)                                                             \
    ATOMIC_FETCH(bits, type, and)                                                             \
    ATOMIC_FETCH(bits, type, or)                                                              \
    ATOMIC_FETCH(bits, type, xor)                                                             \
    ATOMIC_FETCH(bits, type, nand)
ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
    (void)order;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order)
{
    (void)order;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void user_memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    volatile char *target = to; /* else the compiler makes a memcpy of it, which is watched */
    const char *source = from;

    while (bytes-- != 0)
        *target++ = *source++;
}
#endif

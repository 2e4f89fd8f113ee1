/* The run time of -fsanitize=kernel-address.
 *
 * The compiler checks each access against shadow memory inline, puts redzones around variables on the stack and globals, and calls what is
 * here to report, and to mark stack frames. The architecture maps shadow for all that the kernel maps, zeroed: all may be touched.
 * Stack frames that are left for good (every way out of the kernel is a function that does not return) never clear their redzones;
 * the compiler calls __asan_handle_no_return() before such a call, which clears this CPU's stack above the caller.
 * This file is not instrumented. The names and the shadow's values are LLVM's. */
#include <kasan.h>

#ifdef CONFIG_KASAN
#include <arch_cpu.h>
#include <kernel.h>

#define GRANULE 8u
/* No kernel stack is bigger. */
#define STACK_BYTES_MAX (64u << 10)

/** What the compiler tells of a global variable. */
struct asan_global {
    uintptr_t start;
    size_t bytes;
    size_t bytes_with_redzone;
    const char *name;
    const char *module;
    uintptr_t has_dynamic_init;
    uintptr_t location;
    uintptr_t odr_indicator;
};

/* The linker script's: constructors, one for each file with globals. */
extern void (*const init_array_start[])(void);
extern void (*const init_array_end[])(void);

static uint8_t *shadow_of(uintptr_t address)
{
    return (uint8_t *)((address >> 3) + KASAN_SHADOW_OFFSET);
}

static void shadow_set(uint8_t *shadow, uint8_t value, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ((volatile uint8_t *)shadow)[i] = value;
}

void kasan_poison(const void *start, size_t bytes, uint8_t why)
{
    shadow_set(shadow_of((uintptr_t)start), why, bytes / GRANULE);
}

void kasan_unpoison(const void *start, size_t bytes)
{
    uint8_t *shadow = shadow_of((uintptr_t)start);

    shadow_set(shadow, 0, bytes / GRANULE);
    if (bytes % GRANULE != 0)
        shadow[bytes / GRANULE] = bytes % GRANULE;
}

static bool byte_is_good(uintptr_t address)
{
    int8_t shadow = (int8_t)*shadow_of(address);

    return shadow == 0 || (shadow > 0 && (int8_t)(address % GRANULE) < shadow);
}

static bool range_is_good(uintptr_t address, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += GRANULE - (address + i) % GRANULE)
        if (!byte_is_good(
                MIN(address + i + GRANULE - 1 - (address + i) % GRANULE, address + bytes - 1)))
            return false;
    return true;
}

static NORETURN void report(uintptr_t address, size_t bytes, bool write)
{
    panic("KASAN: %s of %llu bytes at %#llx, shadow %#x", write ? "write" : "read",
          (unsigned long long)bytes, (unsigned long long)address, *shadow_of(address));
}

void kasan_check(const void *start, size_t bytes, bool write)
{
    if (!range_is_good((uintptr_t)start, bytes))
        report((uintptr_t)start, bytes, write);
}

void kasan_init(void)
{
    for (void (*const *constructor)(void) = init_array_start; constructor < init_array_end;
         constructor++)
        (*constructor)();
}

/* ── What compiled code calls ─────────────────────────────────────────────────────────────────────────────────────── */

#define ENTRY_POINTS(name, bytes, write)                 \
    void __asan_report_##name##bytes(uintptr_t address); \
    void __asan_report_##name##bytes(uintptr_t address)  \
    {                                                    \
        report(address, bytes, write);                   \
    }                                                    \
    void __asan_##name##bytes(uintptr_t address);        \
    void __asan_##name##bytes(uintptr_t address)         \
    {                                                    \
        if (!range_is_good(address, bytes))              \
            report(address, bytes, write);               \
    }
#define ENTRY_POINTS_OF(name, write)                                \
    ENTRY_POINTS(name, 1, write)                                    \
    ENTRY_POINTS(name, 2, write)                                    \
    ENTRY_POINTS(name, 4, write)                                    \
    ENTRY_POINTS(name, 8, write)                                    \
    ENTRY_POINTS(name, 16, write)                                   \
    void __asan_report_##name##_n(uintptr_t address, size_t bytes); \
    void __asan_report_##name##_n(uintptr_t address, size_t bytes)  \
    {                                                               \
        report(address, bytes, write);                              \
    }                                                               \
    void __asan_##name##N(uintptr_t address, size_t bytes);         \
    void __asan_##name##N(uintptr_t address, size_t bytes)          \
    {                                                               \
        if (!range_is_good(address, bytes))                         \
            report(address, bytes, write);                          \
    }
ENTRY_POINTS_OF(load, false)
ENTRY_POINTS_OF(store, true)

#define SET_SHADOW(value)                                           \
    void __asan_set_shadow_##value(uintptr_t shadow, size_t bytes); \
    void __asan_set_shadow_##value(uintptr_t shadow, size_t bytes)  \
    {                                                               \
        shadow_set((uint8_t *)shadow, 0x##value, bytes);            \
    }
SET_SHADOW(00)
SET_SHADOW(f1)
SET_SHADOW(f2)
SET_SHADOW(f3)
SET_SHADOW(f5)
SET_SHADOW(f8)

void __asan_handle_no_return(void);
void __asan_handle_no_return(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)(GRANULE - 1);
    uintptr_t top = arch_cpu_local()->kernel_stack;

    if (here < top && top - here <= STACK_BYTES_MAX)
        kasan_unpoison((const void *)here, top - here);
}

void __asan_register_globals(const struct asan_global *globals, size_t count);
void __asan_register_globals(const struct asan_global *globals, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uintptr_t end = globals[i].start + globals[i].bytes;
        uintptr_t zone = (end + GRANULE - 1) & ~(uintptr_t)(GRANULE - 1);

        kasan_unpoison((const void *)globals[i].start, globals[i].bytes);
        kasan_poison((const void *)zone, globals[i].start + globals[i].bytes_with_redzone - zone,
                     KASAN_GLOBAL);
    }
}

void __asan_unregister_globals(const struct asan_global *globals, size_t count);
void __asan_unregister_globals(const struct asan_global *globals, size_t count)
{
    (void)globals;
    (void)count;
}
#endif

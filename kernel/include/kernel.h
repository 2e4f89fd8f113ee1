#pragma once
/* What every kernel file may use: types, assertions, bits. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status_internal.h"

#define container_of(pointer, type, member) \
    ((type *)(void *)((char *)(pointer) - offsetof(type, member)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define NORETURN __attribute__((noreturn))
/** Seldom executed: compiled for size where all around is for speed, and not inlined there. */
#ifdef __clang__
#define COLD __attribute__((cold, noinline, minsize))
#else
#define COLD __attribute__((cold, noinline))
#endif
/** What runs at boot alone: unmapped, and its memory free, before init runs. Nothing else may refer to it (tools/check-init). Sources that have
 *  nothing else are in mk/kernel.mk's list. */
#define INIT_TEXT __attribute__((section(".init.text")))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define CACHE_LINE 64
/** Load a pointer that others store with release, to read only what it leads to: such loads come after it on every architecture here. */
#define load_dependent(pointer) __atomic_load_n(pointer, __ATOMIC_RELAXED)
/** Add to what nobody else writes meanwhile, though others read it. */
#define add_owned(pointer, amount)                                \
    __atomic_store_n(pointer,                                     \
                     __atomic_load_n(pointer, __ATOMIC_RELAXED) + \
                         (__typeof__(*(pointer)))(amount),        \
                     __ATOMIC_RELAXED)
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/** Stop the machine: all CPUs halt, registers and backtrace are printed, QEMU ends with a failing status. */
NORETURN void panic(const char *format, ...) PRINTF_LIKE(1, 2);

/** Stays in release builds. Never on what came from a user, a device or the boot loader. */
#define ASSERT(condition)  \
    ((condition) ? (void)0 \
                 : panic("%s", __FILE__ ":" TEXT(__LINE__) ": assertion failed: " #condition))
#define TEXT(x) TEXT_OF(x)
#define TEXT_OF(x) #x

#ifdef CONFIG_DEBUG
#define DEBUG_ASSERT(condition) ASSERT(condition)
#else
#define DEBUG_ASSERT(condition) ((void)sizeof(condition))
#endif

/** Printf-style line to the kernel log ring (and the debug console). Callable anywhere, any lock held. */
void klog(const char *format, ...) PRINTF_LIKE(1, 2);

static inline bool is_page_aligned(uint64_t value)
{
    return (value & (PAGE_SIZE - 1)) == 0;
}

/** Physical addresses are numbers; phys_to_virt (mm/phys.h) gives the direct-map pointer. */
typedef uint64_t paddr_t;

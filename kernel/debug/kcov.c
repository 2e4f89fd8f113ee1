/* The run time of -fsanitize-coverage=trace-pc.
 *
 * The compiler calls in here once for every edge of a function. An edge counts while the CPU works for a thread of the process that is watched,
 * on its system call or its fault; what interrupts do meanwhile is chance and does not count. Seen edges are one bitmap for the whole
 * machine; those that were not seen before are listed besides, so that after a run of the process one look says whether it got anywhere new.
 * The bitmap is atomic, and no lock is taken: the code that calls may hold any.
 * This file is not instrumented. The name is LLVM's. */
#include <kcov.h>

#ifdef CONFIG_KCOV
#include <arch_cpu.h>
#include <mm/kernelmap.h>
#include <thread.h>

#define OPERAND ((1u << KCOV_COMMAND_SHIFT) - 1)

static const struct process *watched;               /* atomic */
static uint32_t seen[KCOV_EDGES / 32];              /* atomic */
static uint32_t fresh[KCOV_FRESH_MAX], fresh_count; /* the count is atomic */
static uint32_t last_command;
static bool paused[CPU_MAX]; /* own CPU only */

static uint32_t *word_of(uint32_t edge)
{
    return &seen[edge / 32 % (KCOV_EDGES / 32)];
}

/* True if it was not seen before. */
static bool see(uint32_t edge)
{
    uint32_t bit = 1u << edge % 32;
    return (__atomic_load_n(word_of(edge), __ATOMIC_RELAXED) & bit) == 0 &&
           (__atomic_fetch_or(word_of(edge), bit, __ATOMIC_RELAXED) & bit) == 0;
}

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    uintptr_t pc = (uintptr_t)__builtin_return_address(0);
    const struct process *process = __atomic_load_n(&watched, __ATOMIC_RELAXED);
    if (likely(process == NULL))
        return;
    const struct cpu *cpu = arch_cpu_local();
    if (cpu->current == NULL || cpu->current->process != process || paused[cpu->id])
        return;
    uint64_t edge = (pc - (uintptr_t)image_start) / KCOV_STEP;
    if (edge >= KCOV_EDGES || !see((uint32_t)edge))
        return;
    uint32_t index = __atomic_fetch_add(&fresh_count, 1, __ATOMIC_RELAXED);
    if (index < KCOV_FRESH_MAX)
        fresh[index] = (uint32_t)edge;
}

void kcov_pause(bool pause)
{
    paused[arch_cpu_local()->id] = pause;
}

void kcov_write(const struct process *process, uint32_t command)
{
    uint32_t operand = command & OPERAND;
    last_command = command;
    switch (command >> KCOV_COMMAND_SHIFT) {
    case KCOV_STOP:
        __atomic_store_n(&watched, NULL, __ATOMIC_RELAXED);
        break;
    case KCOV_BEGIN:
        __atomic_store_n(&fresh_count, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&watched, process, __ATOMIC_RELAXED);
        break;
    case KCOV_FORGET:
        __atomic_fetch_and(word_of(operand), ~(1u << operand % 32), __ATOMIC_RELAXED);
        break;
    case KCOV_SEE:
        (void)see(operand);
        break;
    default:
        break; /* it is for kcov_read() */
    }
}

uint32_t kcov_read(void)
{
    uint32_t operand = last_command & OPERAND;
    uint32_t count = __atomic_load_n(&fresh_count, __ATOMIC_RELAXED);
    switch (last_command >> KCOV_COMMAND_SHIFT) {
    case KCOV_FRESH:
        return operand < MIN(count, KCOV_FRESH_MAX) ? fresh[operand] : KCOV_NONE;
    case KCOV_WORD:
        return operand < KCOV_EDGES / 32 ? __atomic_load_n(&seen[operand], __ATOMIC_RELAXED) : 0;
    default:
        return count;
    }
}
#endif

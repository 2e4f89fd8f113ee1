/* The end of the machine.
 *
 * The first CPU that panics stops the others, waits until they have stopped (not for long: one may not be able to), prints why, the registers (of what faulted, and of its current thread in user mode) and
 * a symbolised backtrace, and ends the machine with a failing status. A second CPU that panics meanwhile waits to be stopped; a panic inside the panic ends the
 * machine at once. No lock is taken from here on: whoever holds one may have been stopped. */
#include <arch_cpu.h>
#include <debug.h>
#include <format.h>
#include <ksyms.h>
#include <log.h>
#include <thread.h>

#define PANIC_STATUS 1
#define PANIC_TEXT_BYTES 256
#define BACKTRACE_DEPTH 24
#define STOP_PATIENCE_NS 1000000000u

/* Id of the panicking CPU + 1, 0 while all is well. */
static uint32_t panic_cpu;
static uint32_t stopped; /* atomic: CPUs that have */

void panic_cpu_stopped(void)
{
    __atomic_fetch_add(&stopped, 1, __ATOMIC_RELEASE);
}

static void stop_others(void)
{
    uint64_t until_ns = arch_time_now_ns() + STOP_PATIENCE_NS;
    uint32_t others = 0;
    for (uint32_t i = 0; i < cpu_count; i++)
        others += cpus[i] != arch_cpu_local() && cpu_is_online(cpus[i]);
    arch_stop_others();
    while (__atomic_load_n(&stopped, __ATOMIC_ACQUIRE) < others && arch_time_now_ns() < until_ns)
        arch_cpu_relax();
}

void backtrace_print(uint64_t frame_pointer)
{
    uint64_t addresses[BACKTRACE_DEPTH];
    size_t count = arch_backtrace(frame_pointer, addresses, BACKTRACE_DEPTH);

    klog("backtrace:");
    for (size_t i = 0; i < count; i++) {
        uint64_t offset;
        /* Of the call, not of what follows it: that is another function's if the callee does not return. */
        const char *name = ksym_name(addresses[i] - 1, &offset);

        if (name != NULL)
            klog("  %#018llx %s+%#llx", (unsigned long long)addresses[i], name,
                 (unsigned long long)offset + 1);
        else
            klog("  %#018llx", (unsigned long long)addresses[i]);
    }
}

/** True for the one CPU that may report. Does not return on the others. */
static void panic_enter(void)
{
    uint32_t me = arch_cpu_local()->id + 1;
    uint32_t nobody = 0;

    if (__atomic_compare_exchange_n(&panic_cpu, &nobody, me, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return;
    if (nobody == me)
        arch_poweroff(PANIC_STATUS);
    panic_cpu_stopped();
    for (;;)
        arch_cpu_relax();
}

static void no_pause(void)
{
}

static void panic_report(const char *text, uint64_t frame_pointer, const struct trap_frame *frame)
{
    const struct thread *current = arch_cpu_local()->current;

    klog("PANIC on CPU %u: %s", arch_cpu_local()->id, text);
    if (frame != NULL)
        arch_print_frame(frame);
    if (current != NULL)
        arch_print_registers(current, no_pause);
    backtrace_print(frame_pointer);
}

void panic(const char *format, ...)
{
    char text[PANIC_TEXT_BYTES];
    va_list arguments;

    panic_enter();
    stop_others();
    log_enter_panic();
    va_start(arguments, format);
    format_text_va(text, sizeof(text), format, arguments);
    va_end(arguments);
    panic_report(text, 0, NULL);
    arch_poweroff(PANIC_STATUS);
}

void trap_kernel_fault(const char *what, uint64_t pc, uint64_t address, uint64_t frame_pointer,
                       const struct trap_frame *frame)
{
    char text[PANIC_TEXT_BYTES];
    uint64_t offset;
    const char *name = ksym_name(pc, &offset);

    panic_enter();
    stop_others();
    log_enter_panic();
    format_text(text, sizeof(text), "%s %s at %#llx (%s+%#llx), address %#llx", what,
                name != NULL ? "in the kernel" : "outside of the kernel", (unsigned long long)pc,
                name != NULL ? name : "?", (unsigned long long)offset, (unsigned long long)address);
    panic_report(text, frame_pointer, frame);
    arch_poweroff(PANIC_STATUS);
}

void __stack_chk_fail(void)
{
    panic("stack overflow: the guard of a frame was overwritten");
}

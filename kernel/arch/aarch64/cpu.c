/* Each CPU's system registers, beyond those that boot.S must set first.
 *
 * The kernel needs ARMv8.1 with the GICv3's system registers: atomic instructions and PAN. Pointer authentication, branch target
 * identification and random numbers are used where present. */
#include <arch.h>
#include <arch_cpu.h>

#include "cpu_regs.h"
#include "layout.h"
#include "local.h"

struct cpu boot_cpu = {.self = &boot_cpu};
struct arch_cpu boot_arch_cpu;

/* Told without the log and without panic(): both need atomic instructions. */
static INIT_TEXT NORETURN void cpu_lacks(const char *what)
{
    for (const char *part = "PANIC: this CPU has no "; *part != '\0'; part++)
        arch_putc(*part);
    for (; *what != '\0'; what++)
        arch_putc(*what);
    arch_putc('\n');
    arch_poweroff(1);
}

INIT_TEXT void cpu_check(void)
{
    uint64_t memory = SYSREG_READ(id_aa64mmfr0_el1);

    if (id_field(SYSREG_READ(id_aa64isar0_el1), 20) < 2)
        cpu_lacks("atomic instructions (LSE)");
    if (id_field(SYSREG_READ(id_aa64mmfr1_el1), 20) == 0)
        cpu_lacks("PAN");
    if (id_field(memory, 28) != 0 && id_field(memory, 28) != 1)
        cpu_lacks("4 KiB pages");
    if (id_field(SYSREG_READ(id_aa64pfr0_el1), 24) == 0)
        cpu_lacks("registers for a GICv3");
}

static const char *yes_or_no(bool is_there)
{
    return is_there ? "yes" : "no";
}

INIT_TEXT void cpu_log(void)
{
    klog("cpu: %u found; pointer authentication: %s, landing pads: %s, vectors: %s", cpu_count,
         yes_or_no(cpu_has_pac()), yes_or_no(id_field(SYSREG_READ(id_aa64pfr1_el1), 0) != 0),
         yes_or_no(id_field(SYSREG_READ(id_aa64pfr0_el1), 32) != 0));
}

void cpu_setup(struct cpu *cpu, struct arch_cpu *arch)
{
    cpu->arch = arch;
    asids_init(arch);
    cpu->scratch = kernelmap_stack_top(cpu->id, 1);               /* entry.S */
    SYSREG_WRITE(sctlr_el1, SYSREG_READ(sctlr_el1) | 1ull << 19); /* WXN */
    SYSREG_WRITE(ttbr0_el1, image_physical(empty_root));
    SYSREG_WRITE(tpidrro_el0, 0);
    SYSREG_WRITE(cpacr_el1, 0);
    SYSREG_WRITE(
        cntkctl_el1,
        1u << 1); /* EL0VCTEN: user code reads the virtual counter, nothing else of the timers */
    SYSREG_WRITE(mdscr_el1, 0);
    SYSREG_WRITE(oslar_el1, 0); /* which would keep debug exceptions off */
    __asm__ volatile("isb\n\ttlbi vmalle1\n\tdsb nsh\n\tisb" : : : "memory");
    __asm__ volatile(".arch_extension pan\n\tmsr pan, #1");
}

void arch_cpu_relax(void)
{
    __asm__ volatile("yield" : : : "memory");
}

/* An interrupt that waits is taken when it is unmasked, at the latest where the context synchronises. */
/* The short way out of a system call goes back by these two as they were when it came. */
void arch_irq_window(void)
{
    uint64_t pc = SYSREG_READ(elr_el1), pstate = SYSREG_READ(spsr_el1);
    __asm__ volatile("msr daifclr, #2\n\tisb\n\tmsr daifset, #2" : : : "memory");
    SYSREG_WRITE(elr_el1, pc);
    SYSREG_WRITE(spsr_el1, pstate);
}

/* wfi goes on when an interrupt waits, masked or not: none is lost between the caller's last look and it. */
void arch_cpu_idle(void)
{
    __asm__ volatile("dsb sy\n\twfi\n\tmsr daifclr, #2\n\tisb\n\tmsr daifset, #2" : : : "memory");
}

bool arch_irq_pending(void)
{
    return SYSREG_READ(isr_el1) != 0;
}

size_t arch_random(void *seed, size_t bytes)
{
    uint8_t *to = seed;
    size_t done = 0;

    if (id_field(SYSREG_READ(id_aa64isar0_el1), 60) == 0)
        return 0;
    while (done < bytes) {
        uint64_t value, good;

        /* RNDR; Z: it had none in time (Arm ARM D19.2.112). */
        __asm__ volatile("mrs %0, S3_3_C2_C4_0\n\tcset %1, ne" : "=r"(value), "=r"(good) : : "cc");
        if (!good)
            return 0;
        for (unsigned i = 0; i < 8 && done < bytes; i++, done++)
            to[done] = (uint8_t)(value >> (8 * i));
    }
    return done;
}

/* The machine's CPUs: those that the device tree lists, started one at a time by the firmware (PSCI).
 *
 * All that a CPU needs (its data, its stacks) is made by the boot CPU beforehand, so that starting it allocates nothing. */
#include <arch.h>
#include <arch_cpu.h>
#include <boot.h>

#include "cpu_regs.h"
#include "layout.h"
#include "local.h"

/* A firmware that has said yes needs some time; emulators on a busy host need more. */
#define START_WAIT_NS 10000000000ull

/** The fields of MPIDR_EL1 that name the CPU, Aff3 moved down: 32 bits. */
static uint32_t affinity(uint64_t mpidr)
{
    return (uint32_t)(mpidr & 0xffffff) | (uint32_t)(mpidr >> 32 & 0xff) << 24;
}

/** As firmware wants it. */
static uint64_t mpidr_of(const struct cpu *cpu)
{
    return (uint64_t)(cpu->arch_id >> 24) << 32 | (cpu->arch_id & 0xffffff);
}

INIT_TEXT void cpus_discover(void)
{
    struct boot_fdt_node node;
    uint64_t mpidr;

    boot_cpu.arch_id = affinity(SYSREG_READ(mpidr_el1));
    boot_arch_cpu.started = true;
    boot_cpu_name(&boot_cpu, boot_cpu.arch_id);
    for (uint32_t i = 0; boot_fdt_cpu(i, &node, &mpidr); i++) {
        if (affinity(mpidr) == boot_cpu.arch_id)
            continue;
        struct cpu *cpu = boot_cpu_add(affinity(mpidr), sizeof(struct arch_cpu));

        if (cpu == NULL)
            break;
        boot_cpu_name(cpu, cpu->arch_id);
    }
}

static bool answers(const struct arch_cpu *arch)
{
    uint64_t end_ns = arch_time_now_ns() + START_WAIT_NS;

    while (!__atomic_load_n(&arch->started, __ATOMIC_ACQUIRE)) {
        if (arch_time_now_ns() >= end_ns)
            return false;
        arch_cpu_relax();
    }
    return true;
}

bool arch_cpu_start(uint32_t id)
{
    struct cpu *cpu = cpus[id];
    struct arch_cpu *arch = arch_cpu_of(cpu);

    if (arch->gicr == NULL)
        return false; /* no interrupt would reach it */
    cache_clean(&kernelmap_root, sizeof(kernelmap_root));
    return psci_cpu_on(mpidr_of(cpu), image_physical((const void *)ap_start),
                       (uint64_t)(uintptr_t)cpu) &&
           answers(arch);
}

void ap_main(struct cpu *cpu)
{
    struct arch_cpu *arch = arch_cpu_of(cpu);

    cpu_setup(cpu, arch);
    gic_cpu_init();
    time_cpu_init();
    fpu_cpu_init();
    __atomic_store_n(&arch->started, true, __ATOMIC_RELEASE);
    kernel_cpu_main();
}

INIT_TEXT void arch_init(void)
{
    debug_init();
    time_init();
    cpus_discover();
    gic_init();
    its_init();
    fpu_cpu_init();
    cpu_log();
}

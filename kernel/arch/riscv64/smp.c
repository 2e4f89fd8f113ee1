/* The machine's harts: found in the device tree, started one at a time by the firmware (SBI HSM, chapter 9), and poked through it (IPI).
 *
 * All that a hart needs (its data, its stacks) is made by the boot CPU beforehand, so that starting it allocates nothing. CPU 0 is
 * whichever hart the firmware chose to boot. */
#include <arch.h>
#include <arch_cpu.h>
#include <boot.h>

#include "csr.h"
#include "layout.h"
#include "local.h"

#define START_POLL_NS 100000u

struct cpu *hart_starting;

/** The handle of the interrupt controller that the CPU of @node has in itself; 0: none. */
static uint32_t intc_of(const struct boot_fdt_node *node)
{
    struct boot_fdt_node intc;

    return boot_fdt_child(node, "interrupt-controller", &intc) ? boot_fdt_u32(&intc, "phandle", 0)
                                                               : 0;
}

static INIT_TEXT void cpus_discover(void)
{
    struct boot_fdt_node node;
    uint64_t hart;

    boot_arch_cpu.started = true;
    for (uint32_t i = 0; boot_fdt_cpu(i, &node, &hart); i++) {
        struct cpu *cpu = &boot_cpu;

        if (hart > UINT32_MAX)
            continue;
        if (hart != boot_cpu.arch_id)
            cpu = boot_cpu_add((uint32_t)hart, sizeof(struct arch_cpu));
        if (cpu == NULL)
            break;
        boot_cpu_name(cpu, intc_of(&node));
    }
}

/* Its start was accepted, so it is only a matter of time, which the firmware and the machine's host may take. Between two looks this hart is
 * idle: where harts take turns on one CPU of the host, one that is never idle gives nobody his (QEMU with -icount; pause is no turn's end). */
static bool comes_up(const struct cpu *cpu)
{
    while (!__atomic_load_n(&arch_cpu_of(cpu)->started, __ATOMIC_ACQUIRE)) {
        struct sbi_result state = sbi_call(SBI_HSM, SBI_HSM_STATUS, cpu->arch_id, 0, 0);

        if (state.error != 0 || state.value == SBI_HSM_STOPPED)
            return false;
        arch_timer_arm(arch_time_now_ns() + START_POLL_NS);
        __asm__ volatile("wfi" : : : "memory");
    }
    return true;
}

bool arch_cpu_start(uint32_t id)
{
    struct cpu *cpu = cpus[id];

    __atomic_store_n(&hart_starting, cpu, __ATOMIC_SEQ_CST); /* for boot.S */
    struct sbi_result started =
        sbi_call(SBI_HSM, SBI_HSM_START, cpu->arch_id, image_physical((const void *)hart_start),
                 (uint64_t)(uintptr_t)cpu);

    return started.error == 0 && comes_up(cpu);
}

void hart_main(struct cpu *cpu)
{
    cpu_setup();
    fpu_init();
    irq_cpu_init();
    __atomic_store_n(&arch_cpu_of(cpu)->started, true, __ATOMIC_RELEASE);
    kernel_cpu_main();
}

void arch_ipi_send(uint32_t id)
{
    (void)sbi_call(SBI_IPI, 0, 1, cpus[id]->arch_id, 0);
}

INIT_TEXT void arch_init(void)
{
    isa_read();
    poweroff_init();
    time_init();
    cpus_discover();
    fpu_init();
    irq_init();
    irq_cpu_init();
    klog("cpu: %u found, hart %u boots", cpu_count, boot_cpu.arch_id);
}

/* The machine's CPUs: found in the MADT, started one at a time by INIT and start-up interrupts (SDM vol. 3, 9.4.4).
 *
 * All that a CPU needs (its data, its stacks) is made by the boot CPU beforehand, so that starting it allocates nothing. */
#include <arch.h>
#include <arch_cpu.h>
#include <boot.h>
#include <kstring.h>

#include "layout.h"
#include "local.h"

#define STARTUP_WAIT_NS 200000ull
/* Ten seconds in all: an emulator's busy host may let a CPU wait for long. */
#define STARTUP_TRIES 50000

struct cpu *ap_cpu;

/* boot.S: what the trampoline must be told, since it does not know its page */
extern char trampoline_32[], trampoline_64[], trampoline_gdt[], trampoline_gdt_pointer[];
extern char trampoline_jump_32[], trampoline_jump_64[], trampoline_root[];

/** Store @value in the copy of the trampoline's 32-bit word @at. */
static INIT_TEXT void trampoline_set(const char *at, uint64_t value)
{
    uint32_t word = (uint32_t)value;

    memcpy((char *)arch_direct_map(TRAMPOLINE_PAGE) + (at - trampoline_start), &word, sizeof(word));
}

static uint64_t in_page(const char *symbol)
{
    return TRAMPOLINE_PAGE + (uint64_t)(symbol - trampoline_start);
}

static void trampoline_copy(void)
{
    ASSERT((size_t)(trampoline_end - trampoline_start) <= PAGE_SIZE);
    memcpy(arch_direct_map(TRAMPOLINE_PAGE), trampoline_start,
           (size_t)(trampoline_end - trampoline_start));
    trampoline_set(trampoline_gdt_pointer + 2, in_page(trampoline_gdt));
    trampoline_set(trampoline_jump_32, in_page(trampoline_32));
    trampoline_set(trampoline_jump_64, in_page(trampoline_64));
    trampoline_set(trampoline_root, image_physical(boot_pml4));
}

INIT_TEXT void cpus_discover(void)
{
    uint32_t me = apic_id();

    boot_cpu.arch_id = me;
    boot_arch_cpu.started = true;
    for (uint32_t i = 0; i < acpi_cpu_count; i++) {
        if (acpi_apic_ids[i] != me &&
            boot_cpu_add(acpi_apic_ids[i], sizeof(struct arch_cpu)) == NULL)
            break;
    }
    if (cpu_count > 1)
        trampoline_copy();
}

static bool answers(const struct arch_cpu *arch, uint64_t ns)
{
    uint64_t end_ns = arch_time_now_ns() + ns;

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
    const struct arch_cpu *arch = arch_cpu_of(cpu);
    uint32_t page = TRAMPOLINE_PAGE / PAGE_SIZE;

    __atomic_store_n(&ap_cpu, cpu, __ATOMIC_RELEASE);
    /* The 10 ms between INIT and start-up are for CPUs older than the kernel runs on. A start-up that comes before INIT has taken
     * effect is lost, and one that comes to a running CPU is ignored: so it is repeated until there is an answer. */
    apic_send_init(cpu->arch_id);
    for (int i = 0; i < STARTUP_TRIES; i++) {
        apic_send_startup(cpu->arch_id, page);
        if (answers(arch, STARTUP_WAIT_NS))
            return true;
    }
    return false;
}

void ap_main(struct cpu *cpu)
{
    struct arch_cpu *arch = arch_cpu_of(cpu);

    cpu_setup(cpu, arch);
    apic_cpu_init();
    fpu_cpu_init();
    __atomic_store_n(&arch->started, true, __ATOMIC_RELEASE);
    kernel_cpu_main();
}

INIT_TEXT void arch_init(void)
{
    acpi_read(boot_info.acpi_rsdp);
    apic_init();
    time_init();
    fpu_init();
    irq_init();
    cpus_discover();
    klog("cpu: %u found", cpu_count);
}

/* Each CPU's descriptor tables and control registers.
 *
 * The kernel needs what every x86-64 CPU since about 2013 has: NX, FSGSBASE (the way out loads the user's bases with it), RDTSC, and the
 * local APIC. SMEP, SMAP and UMIP are used where present. There is no 32-bit code segment for users: entry 3 of the GDT is empty, and
 * with it goes everything that compatibility mode would let in. The IDT is one for all CPUs. */
#include <arch.h>
#include <arch_cpu.h>

#include "cpu_regs.h"
#include "layout.h"
#include "local.h"

#define GATE_INTERRUPT 0x8eu      /* present, DPL 0, interrupt gate */
#define GATE_INTERRUPT_USER 0xeeu /* DPL 3: int3 */
#define VECTOR_DEBUG 1u
#define VECTOR_NMI 2u
#define VECTOR_BREAKPOINT 3u
#define VECTOR_DOUBLE_FAULT 8u
#define VECTOR_MACHINE_CHECK 18u
/* All that user code can set and the kernel does not want. */
#define SYSCALL_FLAGS_CLEARED 0x257fd5ull

struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};
_Static_assert(sizeof(struct gate) == 16, "IDT gate");

struct __attribute__((packed)) table_register {
    uint16_t limit;
    uint64_t base;
};

struct cpu boot_cpu = {.self = &boot_cpu};
struct arch_cpu boot_arch_cpu;

static struct gate idt[256];

static void gate_set(uint32_t vector, const void *entry, uint8_t ist, uint8_t type)
{
    uint64_t address = (uint64_t)(uintptr_t)entry;

    idt[vector] = (struct gate){
        .offset_low = (uint16_t)address,
        .selector = SELECTOR_KERNEL_CODE,
        .ist = ist,
        .type = type,
        .offset_middle = (uint16_t)(address >> 16),
        .offset_high = (uint32_t)(address >> 32),
    };
}

static void idt_build(void)
{
    for (uint32_t i = 0; i < 32; i++)
        gate_set(i, exception_entries[i], 0, GATE_INTERRUPT);
    for (uint32_t i = 32; i < 256; i++)
        gate_set(i, interrupt_entries[i - 32], 0, GATE_INTERRUPT);
    gate_set(VECTOR_BREAKPOINT, exception_entries[VECTOR_BREAKPOINT], 0, GATE_INTERRUPT_USER);
    gate_set(VECTOR_NMI, exception_entries[VECTOR_NMI], 1, GATE_INTERRUPT);
    gate_set(VECTOR_MACHINE_CHECK, exception_entries[VECTOR_MACHINE_CHECK], 2, GATE_INTERRUPT);
    gate_set(VECTOR_DOUBLE_FAULT, exception_entries[VECTOR_DOUBLE_FAULT], 3, GATE_INTERRUPT);
    /* It may come before entry code has a stack: trap.c. After a double fault nobody goes on. */
    gate_set(VECTOR_DEBUG, exception_entries[VECTOR_DEBUG], 3, GATE_INTERRUPT);
}

static void tss_build(struct cpu *cpu, struct arch_cpu *arch)
{
    arch->tss.rsp[0] = cpu->kernel_stack;
    arch->tss.io_map_base = sizeof(struct tss); /* no port for users */
    for (uint32_t i = 0; i < ARCH_FAULT_STACKS; i++) {
        uint64_t top = kernelmap_stack_top(cpu->id, i + 1);

        *(uint64_t *)(uintptr_t)(top - 8) = (uint64_t)(uintptr_t)cpu;
        arch->tss.ist[i] = top - 16;
    }
}

static void gdt_build(struct arch_cpu *arch)
{
    uint64_t base = (uint64_t)(uintptr_t)&arch->tss;

    arch->gdt[0] = 0;
    arch->gdt[SELECTOR_KERNEL_CODE / 8] = 0x00af9b000000ffffull;
    arch->gdt[SELECTOR_KERNEL_DATA / 8] = 0x00cf93000000ffffull;
    arch->gdt[SELECTOR_SYSRET_BASE / 8] = 0;
    arch->gdt[SELECTOR_USER_DATA / 8] = 0x00cff3000000ffffull;
    arch->gdt[SELECTOR_USER_CODE / 8] = 0x00affb000000ffffull;
    arch->gdt[SELECTOR_TSS / 8] = (sizeof(struct tss) - 1) | (base & 0xffffff) << 16 |
                                  0x89ull << 40 | (base >> 24 & 0xff) << 56;
    arch->gdt[SELECTOR_TSS / 8 + 1] = base >> 32;
}

static void tables_load(struct arch_cpu *arch)
{
    struct table_register gdtr = {sizeof(arch->gdt) - 1, (uint64_t)(uintptr_t)arch->gdt};
    struct table_register idtr = {sizeof(idt) - 1, (uint64_t)(uintptr_t)idt};

    __asm__ volatile("lgdt %0" : : "m"(gdtr));
    __asm__ volatile("lidt %0" : : "m"(idtr));
    __asm__ volatile("pushq %0\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "movl %1, %%ss"
                     :
                     : "i"(SELECTOR_KERNEL_CODE), "r"(SELECTOR_KERNEL_DATA)
                     : "rax", "memory");
    __asm__ volatile("ltr %w0" : : "r"(SELECTOR_TSS));
}

INIT_TEXT void cpu_check(void)
{
    struct cpuid basic = cpuid(1, 0);
    struct cpuid extended = cpuid(0x80000001u, 0);
    struct cpuid more = cpuid(0, 0).eax >= 7 ? cpuid(7, 0) : (struct cpuid){0};

    if (!(extended.edx & (1u << 20)))
        panic("this CPU has no NX");
    if (!(basic.edx & (1u << 4)) || !(basic.edx & (1u << 9)))
        panic("this CPU has no time-stamp counter or no local APIC");
    if (!(more.ebx & (1u << 0)))
        panic("this CPU has no FSGSBASE");
}

static uint64_t cr4_wanted(void)
{
    uint64_t cr4 = CR4_DE | CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE;
    struct cpuid basic = cpuid(1, 0);
    struct cpuid more = cpuid(7, 0);

    if (basic.edx & (1u << 7))
        cr4 |= CR4_MCE;
    if (basic.ecx & (1u << 26))
        cr4 |= CR4_OSXSAVE;
    if (more.ebx & (1u << 7))
        cr4 |= CR4_SMEP;
    if (more.ebx & (1u << 20))
        cr4 |= CR4_SMAP;
    if (more.ecx & (1u << 2))
        cr4 |= CR4_UMIP;
    return cr4;
}

void cpu_setup(struct cpu *cpu, struct arch_cpu *arch)
{
    if (cpu == &boot_cpu)
        idt_build();
    cpu->arch = arch;
    tss_build(cpu, arch);
    gdt_build(arch);
    tables_load(arch);
    cr4_write(cr4_wanted());
    cr0_write((cr0_read() & ~CR0_EM) | CR0_MP | CR0_NE | CR0_WP | CR0_TS);
    dr7_write(DR7_FIXED);
    dr6_write(DR6_FIXED);
    msr_write(MSR_EFER, msr_read(MSR_EFER) | EFER_SCE | EFER_NXE);
    msr_write(MSR_STAR,
              (uint64_t)SELECTOR_SYSRET_BASE << 48 | (uint64_t)SELECTOR_KERNEL_CODE << 32);
    msr_write(MSR_LSTAR, (uint64_t)(uintptr_t)syscall_entry);
    msr_write(MSR_FMASK, SYSCALL_FLAGS_CLEARED);
    msr_write(MSR_SYSENTER_CS, 0); /* sysenter: general protection */
    msr_write(MSR_KERNEL_GS_BASE, 0);
}

void arch_cpu_relax(void)
{
    __asm__ volatile("pause" : : : "memory");
}

/* sti takes effect after the next instruction, so no interrupt can come between the caller's last look and hlt. */
void arch_irq_window(void)
{
    __asm__ volatile("sti\n\tnop\n\tcli" ::
                         : "memory"); /* sti lets the next instruction through first */
}

void arch_cpu_idle(void)
{
    __asm__ volatile("sti\n\thlt\n\tcli" : : : "memory");
}

size_t arch_random(void *seed, size_t bytes)
{
    uint8_t *to = seed;
    size_t done = 0;

    if (!(cpuid(1, 0).ecx & (1u << 30)))
        return 0;
    while (done < bytes) {
        uint64_t value = 0;
        bool good = false;

        /* Ten tries, says the manual (SDM vol. 1, 7.3.17): then the generator is broken. */
        for (int i = 0; i < 10 && !good; i++)
            __asm__ volatile("rdrand %0" : "=r"(value), "=@ccc"(good));
        if (!good)
            return 0;
        for (unsigned i = 0; i < 8 && done < bytes; i++, done++)
            to[done] = (uint8_t)(value >> (8 * i));
    }
    return done;
}

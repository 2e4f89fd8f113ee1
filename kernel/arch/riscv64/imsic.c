/* The incoming MSI controllers (RISC-V Advanced Interrupt Architecture 1.0, chapter 3).
 *
 * Each hart has an interrupt file for supervisor mode: a page, a store to which makes one of the file's identities pending, and registers
 * that the hart alone reaches. So every identity is enabled once, here; what is masked is for irq.c to remember. */
#include <arch.h>
#include <boot.h>
#include <mm/kernelmap.h>

#include "csr.h"
#include "local.h"

#define IDENTITIES_MAX 2047u
#define FILE_SHIFT 12u
/* Registers by siselect (3.8): of the arrays every second one is there, of 64 bits. */
#define EIDELIVERY 0x70u
#define EITHRESHOLD 0x72u
#define EIP 0x80u
#define EIE 0xc0u
#define TOP_IDENTITY_SHIFT 16u

uint32_t imsic_identities, imsic_handle;

static void file_write(uint64_t at, uint64_t value)
{
    csr_write(CSR_SISELECT, at);
    csr_write(CSR_SIREG, value);
}

void imsic_cpu_init(void)
{
    for (uint32_t word = 0; word <= imsic_identities / 64; word++) {
        file_write(EIP + 2 * word, 0);
        file_write(EIE + 2 * word, UINT64_MAX);
    }
    file_write(EITHRESHOLD, 0);
    file_write(EIDELIVERY, 1);
}

uint32_t imsic_claim(void)
{
    return (uint32_t)(csr_swap(CSR_STOPEI, 0) >> TOP_IDENTITY_SHIFT);
}

void imsic_raise(const struct cpu *cpu, uint32_t identity)
{
    *arch_cpu_of(cpu)->file = identity;
}

/** What an APLIC calls the hart whose file is at @address: the number of its group, and that in the group (4.9.1). */
static uint32_t hart_index(const struct boot_fdt_node *node, paddr_t address, uint32_t shift,
                           uint32_t harts)
{
    uint32_t few = harts > 1 ? 32 - (uint32_t)__builtin_clz(harts - 1) : 0;
    uint32_t bits = MIN(boot_fdt_u32(node, "riscv,hart-index-bits", few), 31u);
    uint32_t group_bits = MIN(boot_fdt_u32(node, "riscv,group-index-bits", 0), 31u);
    uint32_t group_shift = MIN(boot_fdt_u32(node, "riscv,group-index-shift", 24), 63u);
    uint64_t group = address >> group_shift & ((1u << group_bits) - 1);

    return (uint32_t)(group << bits | (address >> shift & ((1u << bits) - 1)));
}

/** The node lists a hart's interrupt controller and the interrupt there, file by file. How many are for supervisor mode? */
static uint32_t files_count(const struct boot_fdt_node *node)
{
    uint32_t count = 0, interrupt;

    while (boot_fdt_cell(node, "interrupts-extended", 2 * count + 1, &interrupt) &&
           interrupt == INTERRUPT_EXTERNAL)
        count++;
    return count;
}

static bool file_open(const struct boot_fdt_node *node, struct cpu *cpu, paddr_t address,
                      uint32_t shift, uint32_t count)
{
    struct arch_cpu *arch = arch_cpu_of(cpu);

    arch->file_address = address;
    arch->file = kernelmap_device(address, PAGE_SIZE);
    arch->irq_context = hart_index(node, address, shift, count);
    arch->has_irq_context = arch->file != NULL;
    return arch->has_irq_context;
}

/** The files lie in the node's regions one after the other. A region is looked up once: that goes through the whole tree. */
static INIT_TEXT bool imsic_open(const struct boot_fdt_node *node)
{
    uint32_t count = files_count(node), opened = 0, file = 0, intc;
    uint32_t shift = FILE_SHIFT + MIN(boot_fdt_u32(node, "riscv,guest-index-bits", 0), 7u);
    paddr_t base;
    uint64_t bytes;

    for (uint32_t region = 0; boot_fdt_reg(node, region, &base, &bytes); region++)
        for (uint64_t end = base + bytes; file < count && (end - base) >> shift != 0; file++) {
            if (boot_fdt_cell(node, "interrupts-extended", 2 * file, &intc)) {
                struct cpu *cpu = boot_cpu_named(intc);

                opened += cpu != NULL && file_open(node, cpu, base, shift, count);
            }
            base += UINT64_C(1) << shift;
        }
    return opened != 0;
}

INIT_TEXT void imsic_find(void)
{
    struct boot_fdt_node node;

    for (uint32_t i = 0; boot_fdt_find("riscv,imsics", i, &node); i++) {
        if (!imsic_open(&node))
            continue;
        imsic_identities = MIN(boot_fdt_u32(&node, "riscv,num-ids", 63), IDENTITIES_MAX);
        imsic_handle = boot_fdt_u32(&node, "phandle", 0);
        klog("interrupts: IMSIC, %u identities", imsic_identities);
        return;
    }
}

/* What a hart is and has.
 *
 * The kernel needs RV64IMAC and supervisor mode; users get F and D where FS can be turned on, and V. What else is used is what the
 * device tree says of every hart: Sstc for the timer and Svpbmt for device memory. SUM and MXR stay off: the kernel never touches a
 * user's address by the user's translation, and what is executable only is not readable. */
#include <arch.h>
#include <arch_cpu.h>
#include <boot.h>
#include <kstring.h>

#include "csr.h"
#include "layout.h"
#include "local.h"

struct arch_cpu boot_arch_cpu;
struct cpu boot_cpu = {.self = &boot_cpu, .arch = &boot_arch_cpu};
struct isa isa;

/** Is @extension in @text: a letter among those before the first underscore, or a name after one? */
static INIT_TEXT bool isa_has(const char *text, const char *extension)
{
    size_t length = strlen(extension);
    const char *at = text + strnlen(text, sizeof("rv64") - 1);

    for (; length == 1 && *at != '_' && *at != '\0'; at++) {
        if (*at == extension[0])
            return true;
    }
    for (; *at != '\0'; at++) {
        if (*at == '_' && strncmp(at + 1, extension, length) == 0 &&
            (at[1 + length] == '_' || at[1 + length] == '\0'))
            return true;
    }
    return false;
}

INIT_TEXT void isa_read(void)
{
    struct boot_fdt_node node;
    uint64_t hart;

    isa = (struct isa){.sstc = true, .svpbmt = true, .vector = true};
    for (uint32_t i = 0; boot_fdt_cpu(i, &node, &hart); i++) {
        const char *text;

        if (!boot_fdt_string(&node, "riscv,isa", &text))
            text = "";
        isa.sstc &= isa_has(text, "sstc");
        isa.svpbmt &= isa_has(text, "svpbmt");
        isa.vector &= isa_has(text, "v");
    }
    if (isa.svpbmt)
        arch_pte_device_bits |= PTE_IO;
    klog("cpu: Sv%u%s%s%s", arch_pt_levels == 3 ? 39 : 48, isa.sstc ? ", Sstc" : "",
         isa.svpbmt ? ", Svpbmt" : "", isa.vector ? ", V" : "");
}

/* The way out never writes sstatus: this is what sret finds the first time. */
void cpu_setup(void)
{
    csr_write("sie", SIE_SOFTWARE);
    csr_clear("sstatus",
              SSTATUS_SIE | SSTATUS_SPP | SSTATUS_SUM | SSTATUS_MXR | SSTATUS_FS | SSTATUS_VS);
    csr_set("sstatus", SSTATUS_SPIE);
    csr_write("scounteren", SCOUNTEREN_CYCLE | SCOUNTEREN_TIME);
}

/* pause (Zihintpause): a fence that orders nothing where there is no such hint. */
void arch_cpu_relax(void)
{
    __asm__ volatile(".4byte 0x0100000f" : : : "memory");
}

/* The write of SIE takes what is pending before the next instruction (privileged specification, 4.1.3). */
void arch_irq_window(void)
{
    csr_set("sstatus", SSTATUS_SIE);
    csr_clear("sstatus", SSTATUS_SIE);
}

/* wfi ends when something is pending that sie lets in, whatever SIE says: so nothing that comes after the caller's last look is lost. */
void arch_cpu_idle(void)
{
    __asm__ volatile("wfi" : : : "memory");
    arch_irq_window();
}

bool arch_irq_pending(void)
{
    return (csr_read("sip") & csr_read("sie")) != 0;
}

/* The seed register (Zkr) is machine mode's to give, and no firmware does. */
size_t arch_random(void *seed, size_t bytes)
{
    (void)seed;
    (void)bytes;
    return 0;
}

/* The first instructions: of the boot CPU by the Linux boot protocol, of the others by PSCI.
 *
 * The loader puts the flat image at a multiple of 2 MiB and enters its first byte with translation and interrupts off, in EL2 or EL1, with
 * the device tree's address in x0 (Linux: Documentation/arm64/booting.rst). Both paths go down to EL1, switch translation on, jump
 * to the image's linked address, point TPIDR_EL1 and SP_EL0 at the CPU's struct cpu and call C on a stack.
 *
 * The boot tables map, for the kernel's half: the image in 2 MiB blocks, writable and executable, and the GiBs around the image and the
 * device tree at the direct map. They are loaded only until early.c is done. For the user's half they map the image's GiB at its own
 * address, readable and executable: what turns translation on must be there; every CPU passes through it. */
#include "cpu_regs.h"

#define KERNEL_BASE 0xffffffff80000000 /* layout.h, kernel.ld */
#define BLOCK_NORMAL 0x701             /* inner shareable, accessed, block */
#define BLOCK_READ_ONLY (1 << 7)
#define BLOCK_NO_EXECUTE (3 << 53)
#define TABLE 0x3
#define CPU_KERNEL_STACK 8
#define CPU_KEY 80

#define APIAKEYLO_EL1 S3_0_C2_C1_0
#define APIAKEYHI_EL1 S3_0_C2_C1_1
#define ID_AA64ISAR2_EL1 S3_0_C0_C6_2
#define RNDR S3_3_C2_C4_0
#define ICC_SRE_EL2 S3_4_C12_C9_5
#define ZCR_EL2 S3_4_C1_C2_0

    .section .text.boot, "ax", @progbits
    b boot_start
    .long 0
    .quad 0                             /* at a multiple of 2 MiB, no offset */
    .quad image_bytes
    .quad 0xa                           /* little-endian, 4 KiB pages, anywhere in memory */
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0

boot_start:
    mov x21, x0
    bl to_el1
    adrp x20, image_start               /* physical here: translation is off */

    /* Zero what the file does not hold. Nothing of it may be left in a cache that is switched on later. */
    adrp x1, bss_start
    add x1, x1, :lo12:bss_start
    adrp x2, bss_end
    add x2, x2, :lo12:bss_end
    mov x3, x1
1:  cmp x3, x2
    b.hs 2f
    stp xzr, xzr, [x3], #16
    b 1b
2:  adrp x3, image_base
    str x20, [x3, :lo12:image_base]

    /* The user's half: the image's GiB at its own address. */
    adrp x4, boot_l0_low
    adrp x5, boot_l1_low
    orr x6, x5, #TABLE
    ubfx x7, x20, #39, #9
    str x6, [x4, x7, lsl #3]
    ldr x8, =(BLOCK_NORMAL | BLOCK_READ_ONLY)
    lsr x9, x20, #30
    orr x10, x8, x9, lsl #30
    and x7, x9, #511
    str x10, [x5, x7, lsl #3]

    /* The direct map: two GiBs from the image's, two from the device tree's. */
    adrp x4, boot_l0_high
    adrp x5, boot_l1_direct
    orr x6, x5, #TABLE
    str x6, [x4, #256 * 8]
    ldr x8, =(BLOCK_NORMAL | BLOCK_NO_EXECUTE)
    mov x11, x9
    bl map_direct_gib
    add x11, x9, #1
    bl map_direct_gib
    lsr x9, x21, #30
    mov x11, x9
    bl map_direct_gib
    add x11, x9, #1
    bl map_direct_gib

    /* The image. */
    adrp x6, boot_l1_image
    orr x7, x6, #TABLE
    str x7, [x4, #511 * 8]
    adrp x7, boot_l2_image
    orr x8, x7, #TABLE
    str x8, [x6, #510 * 8]
    mov x8, #BLOCK_NORMAL
    orr x8, x8, x20
    adrp x9, bss_end
3:  str x8, [x7], #8
    add x8, x8, #0x200000
    lsr x10, x8, #21
    cmp x9, x10, lsl #21
    b.hi 3b

    dsb sy
    mrs x3, ctr_el0
    ubfx x3, x3, #16, #4
    mov x4, #4
    lsl x4, x4, x3
4:  dc ivac, x1
    add x1, x1, x4
    cmp x1, x2
    b.lo 4b
    dsb sy
    adrp x0, boot_l0_high
    ldr x30, =boot_high
    b translation_on

/* x11: GiB; x8: what a block says but for its address. */
map_direct_gib:
    orr x10, x8, x11, lsl #30
    and x12, x11, #511
    str x10, [x5, x12, lsl #3]
    ret

boot_high:
    mrs x0, id_aa64isar0_el1
    lsr x0, x0, #60
    mrs x1, cntvct_el0
    mrs x2, cntvct_el0
    cbz x0, 1f
    mrs x1, RNDR
    mrs x2, RNDR
1:  adrp x19, boot_cpu
    add x19, x19, :lo12:boot_cpu
    stp x1, x2, [x19, #CPU_KEY]
    adrp x0, boot_stack_top
    add x0, x0, :lo12:boot_stack_top
    mov sp, x0
    bl cpu_registers
    mov x0, x21
    mov x29, xzr
    bl early_main
    brk #0

    .globl ap_start
ap_start:
    mov x19, x0
    bl to_el1
    adrp x0, kernelmap_root
    ldr x0, [x0, :lo12:kernelmap_root]
    ldr x30, =ap_high
    b translation_on
ap_high:
    ldr x0, [x19, #CPU_KERNEL_STACK]
    mov sp, x0
    mrs x0, sctlr_el1
    orr x0, x0, #SCTLR_WXN
    msr sctlr_el1, x0
    bl cpu_registers
    mov x0, x19
    mov x29, xzr
    bl ap_main
    brk #0

/* x19: struct cpu. Where entry code and compiled code find it; the vectors; the key with which the kernel signs return addresses. */
cpu_registers:
    msr tpidr_el1, x19
    msr sp_el0, x19
    adrp x0, vectors
    add x0, x0, :lo12:vectors
    msr vbar_el1, x0
    mrs x0, id_aa64isar1_el1
    mrs x1, ID_AA64ISAR2_EL1
    and x0, x0, #0xff0                  /* APA, API */
    and x1, x1, #0xf000                 /* APA3 */
    orr x0, x0, x1
    cbz x0, 1f
    ldp x0, x1, [x19, #CPU_KEY]
    msr APIAKEYLO_EL1, x0
    msr APIAKEYHI_EL1, x1
    mrs x0, sctlr_el1
    orr x0, x0, #SCTLR_ENIA
    msr sctlr_el1, x0
1:  mrs x0, id_aa64pfr1_el1
    tst x0, #0xf                        /* BT */
    b.eq 2f
    mrs x0, sctlr_el1
    orr x0, x0, #SCTLR_BT
    msr sctlr_el1, x0
2:  isb
    ret

/* Translation with the tables x0 for the kernel's half, then to x30. */
translation_on:
    adrp x1, boot_l0_low
    msr ttbr0_el1, x1
    msr ttbr1_el1, x0
    mov x1, #MAIR_VALUE
    msr mair_el1, x1
    ldr x1, =TCR_VALUE
    mrs x2, id_aa64mmfr0_el1
    and x2, x2, #0xf
    mov x3, #5                          /* 48 bits of physical address are all that we use */
    cmp x2, x3
    csel x2, x2, x3, lo
    orr x1, x1, x2, lsl #32
    mrs x2, id_aa64mmfr2_el1
    lsr x2, x2, #60
    cbz x2, 1f
    ldr x3, =TCR_E0PD1
    orr x1, x1, x3
1:  msr tcr_el1, x1
    isb
    tlbi vmalle1
    ic iallu
    dsb nsh
    isb
    ldr x1, =SCTLR_BOOT
    msr sctlr_el1, x1
    isb
    ret

/* Return in EL1. EL2 is left for good: it traps nothing and the counters of both levels agree. */
to_el1:
    mrs x9, currentel
    cmp x9, #(2 << 2)
    b.eq 1f
    msr spsel, #1
    ret
1:  mov x9, #(1 << 31)                  /* RW: EL1 is 64-bit */
    movk x9, #0x300, lsl #32            /* APK, API: pointer authentication is EL1's */
    msr hcr_el2, x9
    isb
    mov x9, #3                          /* EL1PCTEN, EL1PCEN */
    msr cnthctl_el2, x9
    msr cntvoff_el2, xzr
    mov x9, #0x32ff                     /* RES1: no trap of FP, SIMD and SVE */
    msr cptr_el2, x9
    msr hstr_el2, xzr
    msr vttbr_el2, xzr
    mrs x9, mpidr_el1
    msr vmpidr_el2, x9
    mrs x9, midr_el1
    msr vpidr_el2, x9
    mrs x9, id_aa64dfr0_el1
    ubfx x9, x9, #8, #4                 /* PMUVer */
    sub x10, x9, #1
    mov x9, xzr
    cmp x10, #0xe
    b.hs 4f                             /* 0 or 15: there is none of the kind */
    mrs x9, pmcr_el0
    ubfx x9, x9, #11, #5                /* HPMN: all event counters are EL1's */
4:  msr mdcr_el2, x9
    mrs x9, id_aa64pfr0_el1
    ubfx x10, x9, #24, #4
    cbz x10, 2f
    mov x10, #9                         /* SRE, Enable: EL1 has the interrupt controller's registers */
    msr ICC_SRE_EL2, x10
    isb
2:  ubfx x10, x9, #32, #4
    cbz x10, 3f
    isb
    mov x10, #0x1ff
    msr ZCR_EL2, x10
3:  ldr x9, =0x30d00800
    msr sctlr_el1, x9
    mov x9, #PSTATE_EL1H_MASKED
    msr spsr_el2, x9
    msr elr_el2, x30
    eret
    .ltorg

/* void boot_switch_stack(uint64_t stack, void (*function)(void)): leave the stack for good. */
    .text
    .globl boot_switch_stack
boot_switch_stack:
    bti c
    mov sp, x0
    mov x29, xzr
    mov x30, xzr
    mov x16, x1                         /* a jump by x16 may land on what a call may */
    br x16

/* void boot_switch_root(paddr_t root). Sizes of pages change, so for a moment nothing of the kernel's half is translated (Arm ARM D8.14.1): the
 * code runs where it is in memory. */
    .globl boot_switch_root
boot_switch_root:
    bti c
    adrp x1, image_base
    ldr x1, [x1, :lo12:image_base]
    adrp x2, empty_root
    add x2, x2, :lo12:empty_root
    ldr x3, =KERNEL_BASE
    sub x3, x1, x3                      /* physical less virtual */
    add x2, x2, x3
    adr x16, 1f
    add x16, x16, x3
    br x16
1:  msr ttbr1_el1, x2
    isb
    tlbi vmalle1
    dsb nsh
    isb
    msr ttbr1_el1, x0
    isb
    ret
    .ltorg

    .bss
    .balign 4096
    .globl empty_root
boot_l0_low:
    .skip 4096
boot_l1_low:
    .skip 4096
boot_l0_high:
    .skip 4096
boot_l1_direct:
    .skip 4096
boot_l1_image:
    .skip 4096
boot_l2_image:
    .skip 4096
empty_root:
    .skip 4096
    .balign 16
    .skip 8192
boot_stack_top:
    .globl image_base
image_base:
    .skip 8

    .section .note.GNU-stack, "", @progbits

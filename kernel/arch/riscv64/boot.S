/* The first instructions of a hart: of the first one from the firmware, of the others by SBI's hart state management (both: S-mode, no
 * translation, a0 = hart, a1 = device tree, or what was asked to be passed).
 *
 * What runs before translation is on is here and uses addresses relative to the pc only. To switch it on nothing is mapped at its own
 * address: stvec names the continuation in the image, the write to satp takes effect, the next fetch faults, and so goes on there. A mode
 * that the CPU does not have leaves satp as it was, and the next instruction tries the other one.
 *
 * The boot tables map the image's GiB at KERNEL_OFFSET, executable and writable, and the first 128 GiB (Sv48: 512) at the direct map of
 * the mode. They are used until early.c is done. boot_table_2 is the root of Sv39, and the table below the last root entry of Sv48. */
#define KERNEL_STACK 8                  /* struct cpu */
#define LEAF_RW 0xe7                    /* V R W, global, A D */
#define LEAF_RWX 0xef
#define PAGE_BYTES 4096
#ifdef CONFIG_KASAN
#define BOOT_STACK_PAGES 8              /* KERNEL_STACK_PAGES */
#else
#define BOOT_STACK_PAGES 4
#endif
#define ABOVE_BOOT_STACK_PAGES 3        /* OVERFLOW_STACK_OFFSET */

    .section .text.boot, "ax", @progbits
    .globl boot_start
boot_start:
    csrw sie, zero
    lla t0, boot_taken
    li t1, 1
    amoswap.w.aqrl t1, t1, (t0)
    bnez t1, boot_again
    mv s3, a0
    mv s1, a1

    /* 128 entries of a GiB for Sv39's direct map, 512 for Sv48's; each is 2^28 more than the one before. */
    lla t0, boot_table_2
    lla t1, boot_table_direct
    li t2, LEAF_RW
    li t3, 1 << 28
    li t4, 512
1:  sd t2, 0(t1)
    add t2, t2, t3
    addi t1, t1, 8
    addi t4, t4, -1
    bnez t4, 1b
    li t2, LEAF_RW
    li t4, 128
    li t5, 256 * 8
    add t1, t0, t5
1:  sd t2, 0(t1)
    add t2, t2, t3
    addi t1, t1, 8
    addi t4, t4, -1
    bnez t4, 1b
    li t2, (0x80000000 >> 12 << 10) | LEAF_RWX
    li t5, 510 * 8
    add t1, t0, t5
    sd t2, 0(t1)

    lla t1, boot_table_3
    lla t2, boot_table_direct
    srli t3, t2, 2
    ori t3, t3, 1
    li t5, 256 * 8
    add t5, t1, t5
    sd t3, 0(t5)
    srli t3, t0, 2
    ori t3, t3, 1
    li t5, 511 * 8
    add t5, t1, t5
    sd t3, 0(t5)

    lla t2, boot_start_high
    li t3, 0xffffffff00000000           /* KERNEL_OFFSET */
    add t2, t2, t3
    csrw stvec, t2
    sfence.vma
    li s2, 4
    srli t1, t1, 12
    li t3, 9 << 60                      /* Sv48 */
    or t1, t1, t3
    csrw satp, t1
    li s2, 3
    srli t0, t0, 12
    li t3, 8 << 60                      /* Sv39 */
    or t0, t0, t3
    csrw satp, t0
1:  wfi                                 /* neither: there is nothing to be said it with */
    j 1b

    .balign 4
boot_start_high:
    lla t0, trap_entry
    csrw stvec, t0
    csrw sscratch, zero
    lla tp, boot_cpu
    lla sp, boot_stack_top
    sd sp, KERNEL_STACK(tp)
    li s0, 0
    mv a0, s3
    mv a1, s1
    mv a2, s2
    call early_main
    unimp

/* OpenSBI before 1.3 marks a hart as to be started before it notes where: one that comes late to its waiting place, on a busy host, sees the
 * mark and goes where the first one went. It is the one that arch_cpu_start() waits for. */
boot_again:
    lla t0, hart_starting
    ld a1, 0(t0)
    j hart_start

/* A hart that boot_cpu has started: a1 = its struct cpu. */
    .balign 4
    .globl hart_start
hart_start:
    csrw sie, zero
    lla t0, hart_start_high
    li t1, 0xffffffff00000000
    add t0, t0, t1
    csrw stvec, t0
    lla t0, hart_satp
    ld t0, 0(t0)
    sfence.vma
    csrw satp, t0
1:  wfi
    j 1b

    .balign 4
hart_start_high:
    lla t0, trap_entry
    csrw stvec, t0
    csrw sscratch, zero
    mv tp, a1
    ld sp, KERNEL_STACK(tp)
    li s0, 0
    mv a0, a1
    call hart_main
    unimp

/* void boot_switch_stack(uint64_t stack, void (*function)(void)): leave the stack for good. */
    .text
    .globl boot_switch_stack
boot_switch_stack:
    mv sp, a0
    li s0, 0
    jalr a1
    unimp

/* void boot_switch_tables(uint64_t satp): the stack and this code are at the same addresses in both tables. */
    .globl boot_switch_tables
boot_switch_tables:
    csrw satp, a0
    sfence.vma
    ret

    .bss
    .balign PAGE_BYTES
boot_table_2:
    .skip PAGE_BYTES
boot_table_3:
    .skip PAGE_BYTES
boot_table_direct:
    .skip PAGE_BYTES
    .skip BOOT_STACK_PAGES * PAGE_BYTES
boot_stack_top:
    .skip ABOVE_BOOT_STACK_PAGES * PAGE_BYTES

    .section .note.GNU-stack, "", @progbits

    .data
    .balign 4
boot_taken:
    .word 0

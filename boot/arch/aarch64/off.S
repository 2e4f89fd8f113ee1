/* enter_off(entry, handoff): translation and caches off in the level we are in, then the kernel. The firmware maps us at our own address, so
 * the next instruction is there either way. */
#define M_C_I ((1 << 0) | (1 << 2) | (1 << 12))

    .text
    .globl enter_off, enter_off_end
enter_off:
    mov x4, x0
    mov x0, x1
    mov x5, #M_C_I
    ic iallu
    dsb sy
    isb
    mrs x6, currentel
    cmp x6, #(2 << 2)
    b.eq 1f
    mrs x6, sctlr_el1
    bic x6, x6, x5
    msr sctlr_el1, x6
    b 2f
1:  mrs x6, sctlr_el2
    bic x6, x6, x5
    msr sctlr_el2, x6
2:  isb
    mov x1, xzr
    mov x2, xzr
    mov x3, xzr
    br x4
enter_off_end:

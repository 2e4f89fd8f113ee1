/* Floating-point and vector registers to memory and back. The kernel's own code has no use for either: they are the users'. */
#define FCSR (32 * 8)                   /* struct arch_fpu */
#define VSTART (33 * 8)
#define VCSR (34 * 8)
#define VL (35 * 8)
#define VTYPE (36 * 8)

    .option arch, +d, +v

    .text
    .globl fpu_state_save
fpu_state_save:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    fsd f\n, 8 * \n(a0)
    .endr
    frcsr t0
    sd t0, FCSR(a0)
    ret

    .globl fpu_state_load
fpu_state_load:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    fld f\n, 8 * \n(a0)
    .endr
    ld t0, FCSR(a0)
    fscsr t0
    ret

/* Whole registers, eight at a time. A transfer begins at vstart, so that goes first, and comes last; vl and vtype must be set by one
 * instruction. (RISC-V "V" extension 1.0, 3.7, 6.3, 7.9) */
    .globl vector_state_save
vector_state_save:
    csrr t0, vstart
    csrr t1, vcsr
    csrr t2, vl
    csrr t3, vtype
    sd t0, VSTART(a0)
    sd t1, VCSR(a0)
    sd t2, VL(a0)
    sd t3, VTYPE(a0)
    csrw vstart, zero
    csrr t0, vlenb
    slli t0, t0, 3
    vs8r.v v0, (a1)
    add a1, a1, t0
    vs8r.v v8, (a1)
    add a1, a1, t0
    vs8r.v v16, (a1)
    add a1, a1, t0
    vs8r.v v24, (a1)
    ret

    .globl vector_state_load
vector_state_load:
    csrw vstart, zero
    csrr t0, vlenb
    slli t0, t0, 3
    vl8re8.v v0, (a1)
    add a1, a1, t0
    vl8re8.v v8, (a1)
    add a1, a1, t0
    vl8re8.v v16, (a1)
    add a1, a1, t0
    vl8re8.v v24, (a1)
    ld t0, VL(a0)
    ld t1, VTYPE(a0)
    vsetvl zero, t0, t1
    ld t0, VCSR(a0)
    ld t1, VSTART(a0)
    csrw vcsr, t0
    csrw vstart, t1
    ret

    .section .note.GNU-stack, "", @progbits

/* void register_set_pass(unsigned set, const void *in, void *out, bool yield, uint64_t turns): set 0 is F and D with the accrued flags and
 * the rounding mode, set 1 the vector registers of 16 bytes and more, whole, with vl and vtype. */
#include <veridian/syscall_numbers.h>

    .option arch, +d, +v

    .macro spend_a_while
    beqz a3, 1f
    li a7, SYS_THREAD_YIELD
    ecall
    j 2f
1:  addi s1, s1, -1
    bgtz s1, 1b
2:
    .endm

    .text
    .globl register_set_pass
    .type register_set_pass, @function
register_set_pass:
    addi sp, sp, -32
    sd s1, 0(sp)
    sd s2, 8(sp)
    sd ra, 16(sp)                       /* a system call does not keep it */
    mv s1, a4
    mv s2, a2
    bnez a0, vectors_pass
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    fld f\n, (8 * \n)(a1)
    .endr
    lbu t0, 256(a1)                     /* a test's byte: five flags, three of rounding mode */
    fscsr t0
    spend_a_while
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    fsd f\n, (8 * \n)(s2)
    .endr
    frcsr t0
    sb t0, 256(s2)
    j pass_ends

vectors_pass:
    csrr t0, vlenb
    slli t0, t0, 3
    .irp n, 0, 8, 16, 24
    vl8re8.v v\n, (a1)
    add a1, a1, t0
    .endr
    vsetivli zero, 3, e16, m1, ta, ma
    spend_a_while
    csrr t1, vl
    csrr t2, vtype
    vsetvli t3, zero, e8, m8, ta, ma
    csrr t0, vlenb
    slli t0, t0, 3
    .irp n, 0, 8, 16, 24
    vs8r.v v\n, (s2)
    add s2, s2, t0
    .endr
    addi t1, t1, -3                     /* what vl and vtype became shows in the first byte */
    addi t2, t2, -0xc8
    or t1, t1, t2
    beqz t1, pass_ends
    sub s2, s2, t0
    lbu t0, 0(s2)
    not t0, t0
    sb t0, 0(s2)
pass_ends:
    ld s1, 0(sp)
    ld s2, 8(sp)
    ld ra, 16(sp)
    addi sp, sp, 32
    ret
    .size register_set_pass, . - register_set_pass

    .globl vector_bytes
vector_bytes:
    csrr a0, vlenb
    slli a0, a0, 5
    ret

/* unsigned message_filled(uint64_t number, handle_t target, uint64_t info, uint64_t fill, uint64_t *out) */
    .globl message_filled
    .type message_filled, @function
message_filled:
    addi sp, sp, -112
    .set offset, 0
    .irp register, ra, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, a4
    sd \register, offset(sp)
    .set offset, offset + 8
    .endr
    mv a7, a0
    mv a0, a1
    mv a1, a2
    li a2, -1
    .irp register, a4, a5, s2, s3, s4, s5, s6
    li \register, 0
    .endr
    .irp register, ra, a6, t0, t1, t2, t3, t4, t5, t6, s1, s7, s8, s9, s10, s11
    mv \register, a3
    .endr
    ecall
    ld a0, 96(sp)
    .set offset, 0
    .irp register, ra, a3, a6, t0, t1, t2, t3, t4, t5, t6, s1, s7, s8, s9, s10, s11
    sd \register, offset(a0)
    .set offset, offset + 8
    .endr
    li a0, 16
    .set offset, 0
    .irp register, ra, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11
    ld \register, offset(sp)
    .set offset, offset + 8
    .endr
    addi sp, sp, 112
    ret
    .size message_filled, . - message_filled

    .section .note.GNU-stack, "", @progbits

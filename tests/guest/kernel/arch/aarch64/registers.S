/* void register_set_pass(unsigned set, const void *in, void *out, bool yield, uint64_t turns): set 0 is FP and SIMD with the cumulative flags and
 * the rounding mode, set 1 the vectors and predicates, with the first-fault register. */
#include <veridian/syscall_numbers.h>

    .arch armv8.2-a+fp+simd+sve

    .macro spend_a_while
    cbz w3, 1f
    mov x8, #SYS_THREAD_YIELD
    svc #0
    b 2f
1:  subs x20, x20, #1
    b.gt 1b
2:
    .endm

    .macro each_vector operation, at
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \operation z\n, [\at, #\n, mul vl]
    .endr
    .endm
    .macro each_predicate operation, at
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \operation p\n, [\at, #\n, mul vl]
    .endr
    .endm
    .macro each_register operation, at
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \operation q\n, [\at, #(16 * \n)]
    .endr
    .endm

    .text
    .globl register_set_pass
    .type register_set_pass, @function
register_set_pass:
    stp x19, x20, [sp, #-32]!           /* a system call keeps x19 to x29 only */
    str x30, [sp, #16]
    mov x19, x2
    mov x20, x4
    cbnz w0, vectors_pass

    /* The last byte of a test: five flags, the sixth, two bits of rounding mode. */
    each_register ldr, x1
    ldrb w9, [x1, #512]
    and x10, x9, #0x1f
    ubfx x11, x9, #5, #1
    orr x10, x10, x11, lsl #7
    msr fpsr, x10
    ubfx x11, x9, #6, #2
    lsl x11, x11, #22
    msr fpcr, x11
    spend_a_while
    each_register str, x19
    mrs x10, fpsr
    and x9, x10, #0x1f
    ubfx x11, x10, #7, #1
    orr x9, x9, x11, lsl #5
    mrs x11, fpcr
    ubfx x11, x11, #22, #2
    orr x9, x9, x11, lsl #6
    strb w9, [x19, #512]
    ldr x30, [sp, #16]
    ldp x19, x20, [sp], #32
    ret

vectors_pass:
    rdvl x9, #1
    add x10, x1, x9, lsl #5             /* predicates follow 32 vectors */
    add x11, x19, x9, lsl #5
    setffr
    each_vector ldr, x1
    each_predicate ldr, x10
    stp x9, x11, [sp, #-16]!
    spend_a_while
    ldp x9, x11, [sp], #16
    each_vector str, x19
    each_predicate str, x11
    rdffr p0.b
    ptrue p1.b
    cntp x10, p1, p0.b
    cmp x9, x10
    b.eq 3f
    ldrb w10, [x19]                     /* what the first-fault register became shows in the first byte */
    mvn w10, w10
    strb w10, [x19]
3:  ldr x30, [sp, #16]
    ldp x19, x20, [sp], #32
    ret
    .size register_set_pass, . - register_set_pass

/* void registers_grow(const void *plain, void *vectors): load the plain registers, store the vectors that they are part of. */
    .globl registers_grow
    .type registers_grow, @function
registers_grow:
    each_register ldr, x0
    each_vector str, x1
    ret
    .size registers_grow, . - registers_grow

/* size_t vector_bytes(void) */
    .globl vector_bytes
    .type vector_bytes, @function
vector_bytes:
    rdvl x0, #1
    ret
    .size vector_bytes, . - vector_bytes

/* unsigned message_filled(uint64_t number, handle_t target, uint64_t info, uint64_t fill, uint64_t *out) */
    .macro each_unused operation
    .irp n, 3, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 25, 26, 27, 28, 30
    \operation \n
    .endr
    .endm
    .macro fill_one n
    .if \n != 3
    mov x\n, x3
    .endif
    .endm
    .macro store_one n
    str x\n, [x0], #8
    .endm
    .globl message_filled
    .type message_filled, @function
message_filled:
    stp x29, x30, [sp, #-112]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    str x4, [sp, #96]
    mov x8, x0
    mov x0, x1
    mov x1, x2
    mov x2, #-1
    .irp n, 4, 5, 20, 21, 22, 23, 24
    mov x\n, xzr
    .endr
    each_unused fill_one
    svc #0
    ldr x0, [sp, #96]
    each_unused store_one
    mov x0, #19
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp x29, x30, [sp], #112
    ret
    .size message_filled, . - message_filled

    .section .note.GNU-stack, "", @progbits

/* Storing and loading the registers of fpu.c's two kinds of state; the kernel's own code uses none of them. */
    .arch armv8.2-a+fp+simd+sve

    .macro each_pair operation
    \operation q0, q1, [x0, #0]
    \operation q2, q3, [x0, #32]
    \operation q4, q5, [x0, #64]
    \operation q6, q7, [x0, #96]
    \operation q8, q9, [x0, #128]
    \operation q10, q11, [x0, #160]
    \operation q12, q13, [x0, #192]
    \operation q14, q15, [x0, #224]
    \operation q16, q17, [x0, #256]
    \operation q18, q19, [x0, #288]
    \operation q20, q21, [x0, #320]
    \operation q22, q23, [x0, #352]
    \operation q24, q25, [x0, #384]
    \operation q26, q27, [x0, #416]
    \operation q28, q29, [x0, #448]
    \operation q30, q31, [x0, #480]
    .endm

/* z0 to z31 in x0, p0 to p15 in x1, in units of their lengths. */
    .macro each_vector operation
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \operation z\n, [x0, #\n, mul vl]
    .endr
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \operation z\n, [x0, #\n, mul vl]
    .endr
    .endm
    .macro each_predicate operation
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \operation p\n, [x1, #\n, mul vl]
    .endr
    .endm

    .text
/* void fpu_store(void *registers), void fpu_load(const void *registers): 32 of 16 bytes. Loading clears the rest of the vectors. */
    .globl fpu_store
    .type fpu_store, @function
fpu_store:
    bti c
    each_pair stp
    ret
    .size fpu_store, . - fpu_store

    .globl fpu_load
    .type fpu_load, @function
fpu_load:
    bti c
    each_pair ldp
    ret
    .size fpu_load, . - fpu_load

/* void sve_store(void *vectors, void *predicates), void sve_load(const void *vectors, const void *predicates): the first-fault register
 * comes after the predicates. */
    .globl sve_store
    .type sve_store, @function
sve_store:
    bti c
    each_vector str
    each_predicate str
    rdffr p0.b
    str p0, [x1, #16, mul vl]
    ldr p0, [x1, #0, mul vl]
    ret
    .size sve_store, . - sve_store

    .globl sve_load
    .type sve_load, @function
sve_load:
    bti c
    ldr p0, [x1, #16, mul vl]
    wrffr p0.b
    each_vector ldr
    each_predicate ldr
    ret
    .size sve_load, . - sve_load

/* uint64_t sve_bytes(void): length of a vector. */
    .globl sve_bytes
    .type sve_bytes, @function
sve_bytes:
    bti c
    rdvl x0, #1
    ret
    .size sve_bytes, . - sve_bytes

/* uint64_t fpu_status(void), uint64_t fpu_control(void), void fpu_status_set(uint64_t status, uint64_t control) */
    .globl fpu_status
    .type fpu_status, @function
fpu_status:
    bti c
    mrs x0, fpsr
    ret
    .size fpu_status, . - fpu_status

    .globl fpu_control
    .type fpu_control, @function
fpu_control:
    bti c
    mrs x0, fpcr
    ret
    .size fpu_control, . - fpu_control

    .globl fpu_status_set
    .type fpu_status_set, @function
fpu_status_set:
    bti c
    msr fpsr, x0
    msr fpcr, x1
    ret
    .size fpu_status_set, . - fpu_status_set

    .section .note.GNU-stack, "", @progbits

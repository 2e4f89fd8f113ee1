/* The first instruction, instructions that tests copy, and what branch target identification and pointer authentication must refuse. */
    .text
    .globl _start
    .type _start, @function
_start:
    mov x29, xzr
    mov x30, xzr
    mov x1, sp
    and sp, x1, #-16
    bl start_c
    brk #0
    .size _start, . - _start

    .globl jump_to_no_target
    .type jump_to_no_target, @function
jump_to_no_target:                      /* an indirect jump to what is no landing pad */
    hint #34                            /* bti c */
    adr x9, 1f
    br x9
1:  ret
    .size jump_to_no_target, . - jump_to_no_target

    .globl return_unsigned
    .type return_unsigned, @function
return_unsigned:                        /* a return address whose signature is wrong */
    hint #25                            /* paciasp */
    eor x30, x30, #(1 << 54)
    hint #29                            /* autiasp */
    ret
    .size return_unsigned, . - return_unsigned

/* uint64_t sign(uint64_t address, uint64_t modifier) */
    .globl sign
    .type sign, @function
sign:
    hint #34
    mov x16, x1
    mov x17, x0
    hint #8                             /* pacia1716 */
    mov x0, x17
    ret
    .size sign, . - sign

    .section .rodata, "a", @progbits
    .balign 4
    .globl code_returns_42, code_returns_42_end
code_returns_42:
    hint #34
    mov w0, #42
    ret
code_returns_42_end:

    .section .note.GNU-stack, "", @progbits

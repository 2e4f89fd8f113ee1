/* The programs, as they were linked. */
    .macro program name
    .balign 4096
    .globl program_\name, program_\name\()_end
program_\name:
    .incbin "\name\().elf"
program_\name\()_end:
    .endm

    .section .rodata, "a", %progbits
    program calls
    program signals
    program processes
    program threads
    program files
    program clock
    program watch
    .section .note.GNU-stack, "", %progbits

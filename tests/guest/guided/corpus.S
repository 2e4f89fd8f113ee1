/* The programs that are kept: tests/fuzz/corpus/syscalls. */
    .section .rodata.corpus, "a"
    .globl corpus_text, corpus_text_end
corpus_text:
    .incbin "tests/fuzz/corpus/syscalls"
corpus_text_end:
    .byte 0
    .section .note.GNU-stack, "", %progbits

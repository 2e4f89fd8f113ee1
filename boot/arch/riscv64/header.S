/* The PE32+ header (PE Format, "COFF File Header" and on), by hand: the LLVM linker does not write this format for RISC-V. The file is a flat
 * copy of memory; loader.ld lays it out, gives the numbers, and sees to it that no address needs relocating. */
    .section .header, "a", @progbits
    .ascii "MZ"
    .zero 0x3c - 2
    .long pe_header_at

    .balign 8
    .globl pe_header
pe_header:
    .ascii "PE\0\0"
    .short 0x5064                       /* machine: RISC-V, 64 bits */
    .short 6                            /* sections */
    .long 0, 0, 0                       /* time, symbols */
    .short optional_end - optional
    .short 0x206                        /* executable, without line numbers and symbols */
optional:
    .short 0x20b                        /* PE32+ */
    .byte 0, 0
    .long text_bytes
    .long data_bytes
    .long 0
    .long entry_at
    .long text_at
    .quad 0                             /* image base: anywhere */
    .long 4096, 4096                    /* alignment in memory and in the file */
    .short 0, 0, 0, 0, 0, 0
    .long 0
    .long image_bytes
    .long header_bytes
    .long 0                             /* checksum */
    .short 10                           /* subsystem: EFI application */
    .short 0
    .quad 0, 0, 0, 0
    .long 0
    .long 6                             /* data directories, all empty */
    .zero 6 * 8
optional_end:

    .irp part, text, rodata, data, archive, cmdline, kernel
9:  .ascii ".\part"
    .zero 8 - (. - 9b)
    .long \part\()_bytes, \part\()_at, \part\()_bytes, \part\()_at
    .long 0, 0
    .short 0, 0
    .long \part\()_flags
    .endr

    .set text_flags, 0x60000020         /* code, execute, read */
    .set rodata_flags, 0x40000040       /* data, read */
    .set data_flags, 0xc0000040         /* data, read, write */
    .set archive_flags, 0x40000040
    .set cmdline_flags, 0x40000040
    .set kernel_flags, 0x40000040

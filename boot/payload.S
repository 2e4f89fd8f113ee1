/* What the loader carries: the kernel's ELF file, the boot archive, which the kernel uses in place, and room for a command line. Each is a
 * section of the image; tools/mkimage finds the last by its name. */
#ifdef __ELF__
#define SECTION(name) .section name, "a", @progbits
#else
#define SECTION(name) .section name, "dr"
#endif

    SECTION(.kernel)
    .globl payload_kernel, payload_kernel_end
    .balign 4096
payload_kernel:
    .incbin KERNEL
payload_kernel_end:

    SECTION(.archive)
    .globl payload_archive, payload_archive_end
    .balign 4096
payload_archive:
    .incbin ARCHIVE
payload_archive_end:

    SECTION(.cmdline)
    .globl payload_cmdline
payload_cmdline:
    .zero 2048                          /* HANDOFF_CMDLINE_BYTES */

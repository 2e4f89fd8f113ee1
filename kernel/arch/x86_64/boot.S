/* The first instructions: of the boot CPU by PVH (Xen's direct boot, note type 18) or from the UEFI loader, of the others by INIT-SIPI.
 *
 * PVH enters boot_start in 32-bit protected mode without paging, interrupts off, ebx = physical address of the start info. The UEFI
 * loader enters boot_start_uefi, the ELF entry, in long mode, rdi = physical address of the handoff block (handoff.h): how many levels
 * its tables have is the firmware's choice, so long mode is left and entered again as by PVH. All
 * paths switch on long mode with tables that map low memory at its own address and the image at KERNEL_OFFSET, set GS to the CPU's
 * struct cpu (compiled code looks for its stack guard there) and call C on a stack. early.c builds the final tables.
 *
 * The boot tables (boot_pml4 …) map the first 4 GiB, writable and executable. They are loaded only until early.c is done; it then
 * turns boot_pml4 into the root that the other CPUs start with: the trampoline's page, not writable, and the kernel's half. */
#define KERNEL_OFFSET 0xffffffff80000000 /* layout.h, kernel.ld */
#define PHYSICAL(symbol) ((symbol) - KERNEL_OFFSET)
#define PRESENT_WRITE 0x3
#define LARGE 0x80

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18                      /* name and descriptor sizes, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad PHYSICAL(boot_start)

    .section .text.boot, "ax", @progbits
    .code64
    .globl boot_start_uefi
boot_start_uefi:
    movl %edi, %ebx
    lgdt PHYSICAL(boot_gdt_pointer)
    ljmpl *PHYSICAL(boot_jump_32)
    .code32
boot_start_32:
    movl $0x18, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %cr0, %eax
    andl $0x7fffffff, %eax              /* PG */
    movl %eax, %cr0
    xorl %eax, %eax                     /* whatever the firmware had, LA57 and PCIDE too */
    movl %eax, %cr4
    movl $0xc0000080, %ecx              /* EFER: LME */
    rdmsr
    andl $0xfffffeff, %eax
    wrmsr

    .globl boot_start
boot_start:
    cld
    movl %ebx, %ebp

    /* Four tables of 512 2-MiB pages; the low and the direct-map root entry share them, as does the image's. */
    movl $PHYSICAL(boot_pd), %edi
    movl $(PRESENT_WRITE | LARGE), %eax
    movl $2048, %ecx
1:  movl %eax, (%edi)
    addl $0x200000, %eax
    addl $8, %edi
    decl %ecx
    jnz 1b

    movl $PHYSICAL(boot_pdpt), %edi
    movl $(PHYSICAL(boot_pd) + PRESENT_WRITE), %eax
    movl %eax, 0(%edi)
    addl $4096, %eax
    movl %eax, 8(%edi)
    addl $4096, %eax
    movl %eax, 16(%edi)
    addl $4096, %eax
    movl %eax, 24(%edi)
    movl $(PHYSICAL(boot_pd) + PRESENT_WRITE), PHYSICAL(boot_pdpt_image) + 510 * 8

    movl $(PHYSICAL(boot_pdpt) + PRESENT_WRITE), PHYSICAL(boot_pml4)
    movl $(PHYSICAL(boot_pdpt) + PRESENT_WRITE), PHYSICAL(boot_pml4) + 256 * 8
    movl $(PHYSICAL(boot_pdpt_image) + PRESENT_WRITE), PHYSICAL(boot_pml4) + 511 * 8

    movl $PHYSICAL(boot_pml4), %eax
    movl %eax, %cr3
    movl $PHYSICAL(boot_gdt_pointer), %eax
    lgdt (%eax)
    movl %cr4, %eax
    orl $0xa0, %eax                     /* PAE, PGE */
    movl %eax, %cr4
    movl $0xc0000080, %ecx              /* EFER: LME, NXE */
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80010001, %eax               /* PG, WP, PE */
    movl %eax, %cr0
    ljmp $0x08, $PHYSICAL(boot_start_64)

    .code64
boot_start_64:
    movabsq $boot_start_high, %rax
    jmpq *%rax
boot_start_high:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    leaq boot_cpu(%rip), %rax
    movq %rax, %rdx
    shrq $32, %rdx
    movl $0xc0000101, %ecx              /* GS_BASE */
    wrmsr
    leaq boot_stack_top(%rip), %rsp
    movl %ebp, %edi
    xorl %ebp, %ebp
    call early_main
    ud2

/* void boot_switch_stack(uint64_t stack, void (*function)(void)): leave the stack for good. */
    .text
    .globl boot_switch_stack
boot_switch_stack:
    movq %rdi, %rsp
    xorl %ebp, %ebp
    call *%rsi
    ud2

/* The other CPUs. smp.c copies [trampoline_start, trampoline_end) to a page below 1 MiB and fills in its addresses; the page is
 * mapped at its own address in the start-up root, read and execute only. Real mode starts at its first byte, cs = page / 16. */
    .section .rodata.trampoline, "a", @progbits
    .balign 16
    .globl trampoline_start, trampoline_end, trampoline_32, trampoline_64
    .globl trampoline_gdt, trampoline_gdt_pointer, trampoline_jump_32, trampoline_jump_64, trampoline_root
    .code16
trampoline_start:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    movzwl %ax, %ebx
    shll $4, %ebx                       /* the page */
    lgdtl trampoline_gdt_pointer - trampoline_start
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl *(trampoline_jump_32 - trampoline_start)
    .code32
trampoline_32:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %ss
    movl (trampoline_root - trampoline_start)(%ebx), %eax
    movl %eax, %cr3
    movl %cr4, %eax
    orl $0xa0, %eax                     /* PAE, PGE */
    movl %eax, %cr4
    movl $0xc0000080, %ecx              /* EFER: LME, NXE */
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80010001, %eax               /* PG, WP, PE */
    movl %eax, %cr0
    ljmpl *(trampoline_jump_64 - trampoline_start)(%ebx)
    .code64
trampoline_64:
    movabsq $ap_start, %rax
    jmpq *%rax

    .balign 8
trampoline_gdt:
    .quad 0, 0x00cf9a000000ffff, 0x00cf92000000ffff, 0x00af9a000000ffff
trampoline_gdt_pointer:
    .word 4 * 8 - 1
    .long 0                             /* address of trampoline_gdt, below 1 MiB as the next two */
    .balign 8
trampoline_jump_32:
    .long 0
    .word 0x08
    .balign 8
trampoline_jump_64:
    .long 0
    .word 0x18
    .balign 8
trampoline_root:
    .long 0                             /* below 4 GiB */
trampoline_end:

/* Long mode, in the image, on the start-up root. ap_cpu is the struct cpu of the CPU that is being started. */
    .text
ap_start:
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    movq ap_cpu(%rip), %rdi
    movq %rdi, %rax
    movq %rdi, %rdx
    shrq $32, %rdx
    movl $0xc0000101, %ecx              /* GS_BASE */
    wrmsr
    movq kernelmap_root(%rip), %rax
    movq %rax, %cr3
    movq 8(%rdi), %rsp                  /* cpu->kernel_stack */
    xorl %ebp, %ebp
    call ap_main
    ud2

    .section .rodata.boot, "a", @progbits
    .balign 8
boot_gdt:
    .quad 0, 0x00af9a000000ffff, 0x00cf9a000000ffff, 0x00cf92000000ffff
boot_gdt_pointer:
    .word 4 * 8 - 1
    .quad PHYSICAL(boot_gdt)            /* 32-bit mode reads the lower half */
boot_jump_32:
    .long PHYSICAL(boot_start_32)
    .word 0x10

    .bss
    .balign 4096
    .globl boot_pml4, boot_pdpt, boot_pd
boot_pml4:
    .skip 4096
boot_pdpt:
    .skip 4096
boot_pdpt_image:
    .skip 4096
boot_pd:
    .skip 4 * 4096
    .balign 16
    .skip 8192
boot_stack_top:

    .section .note.GNU-stack, "", @progbits

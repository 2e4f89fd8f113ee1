/* A machine of its own, to test the launcher with: writes CONSOLE to the first serial port and LOG to port 0xe9, then
 * ends QEMU with a status, or resets the machine, or, if neither END nor RESET is defined, spins for ever. Entered by PVH in 32-bit mode. */
    .section .note.pvh, "a"
    .long 4, 4, 18
    .asciz "Xen"
    .long start

    .text
    .code32
    .globl start
start:
    mov $console, %esi
    mov $0x3f8, %edx
1:  lodsb
    test %al, %al
    jz 2f
    out %al, %dx
    jmp 1b
2:  mov $log, %esi
3:  lodsb
    test %al, %al
    jz 4f
    out %al, $0xe9
    jmp 3b
4:
#ifdef RESET
    mov $0xcf9, %edx
    mov $0x2, %al
    out %al, %dx
    mov $0x6, %al
    out %al, %dx
#endif
#ifdef END
    mov $END, %eax
    mov $0xf4, %edx
    out %eax, %dx
#endif
5:  jmp 5b

console:
    .asciz CONSOLE
log:
    .asciz LOG

# Compiler flags of x86_64.

# The kasan build needs the -linux-gnu target: clang refuses -fsanitize=kernel-address for -none-elf.
KERNEL_TARGET := x86_64-linux-gnu
GCC := gcc
USER_TARGET := x86_64-linux-musl

# -fcf-protection: QEMU has no CET, and endbr64 would cost an instruction on every entry that we count.
# The stack guard is in the CPU's own block, at the offset that the compiler and cpu_local agree on.
KERNEL_ARCH_CFLAGS := -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -mharden-sls=all -fcf-protection=none \
                      -mstack-protector-guard=tls -mstack-protector-guard-reg=gs -mstack-protector-guard-offset=40
USER_ARCH_CFLAGS := -mharden-sls=all -fcf-protection=none

KASAN_SHADOW_OFFSET := 0xdffffc0000000000

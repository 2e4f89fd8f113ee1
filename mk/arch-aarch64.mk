# Compiler flags of AArch64.

KERNEL_TARGET := aarch64-linux-gnu
GCC := aarch64-linux-gnu-gcc
USER_TARGET := aarch64-linux-musl

# ARMv8.1: atomic instructions (LSE) inline, PAN. Branch protection is in the hint space, so older CPUs ignore it.
# The stack guard is in the CPU's own block, which SP_EL0 points at while the kernel runs.
AARCH64_CFLAGS := -march=armv8.1-a -mbranch-protection=standard -mno-outline-atomics -mharden-sls=all
KERNEL_ARCH_CFLAGS := $(AARCH64_CFLAGS) -mgeneral-regs-only -mcmodel=small \
                      -mstack-protector-guard=sysreg -mstack-protector-guard-reg=sp_el0 -mstack-protector-guard-offset=40
# What is compiled for size has one prologue for all that save the same registers. (Signed returns and what keeps speculation behind them take 16 KB.)
KERNEL_SMALL_LINK := -mllvm -homogeneous-prolog-epilog
USER_ARCH_CFLAGS := $(AARCH64_CFLAGS)

# The compiler's own run time for this target is gcc's: clang's package has but the host's.
USER_BUILTINS = /usr/lib/gcc-cross/aarch64-linux-gnu/12/libgcc.a

# The kernel and every program of the boot archive: signed returns, and landing pads where addresses are taken.
CHECK_BRANCHES = tools/check-branches --nm $(NM) --run-time $(USER_BUILTINS)

KASAN_SHADOW_OFFSET := 0xdffffc0000000000

# What firmware and QEMU boot: the Linux Image format, a flat copy of the loaded segments.
KERNEL_FINISH = $(OBJCOPY) -O binary $< $(@D)/kernel.image

# Compiler flags of riscv64.

KERNEL_TARGET := riscv64-linux-gnu
GCC := riscv64-linux-gnu-gcc
USER_TARGET := riscv64-linux-musl

# No floating point in the kernel: its registers are the users'. The stack guard can only be a global here.
# Words are loaded from any address: RVA22 and QEMU do that in hardware, elsewhere the firmware does it.
KERNEL_ARCH_CFLAGS := -march=rv64imac_zicsr_zifencei -mabi=lp64 -mcmodel=medany -mno-strict-align
# The text is compressed: there is room for speed.
KERNEL_SMALL := -Os
USER_ARCH_CFLAGS := -march=rv64gc -mabi=lp64d -mno-strict-align

# The compiler's own run time for this target is gcc's: clang's package has but the host's.
USER_BUILTINS = /usr/lib/gcc-cross/riscv64-linux-gnu/12/libgcc.a

# Shadow of the upper half: of Sv48 and of Sv39, whose part of it is the same.
KASAN_SHADOW_OFFSET := 0xdfffffe000000000

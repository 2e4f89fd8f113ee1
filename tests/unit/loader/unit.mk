# The UEFI loader on a firmware that is written here: what it takes, what it refuses, that it asks again. With AArch64's rules for placing.
SOURCES := boot/cmdline.c boot/console.c boot/handoff.c boot/kernel.c
CFLAGS := -Iboot -Iboot/arch/aarch64 -Ikernel/include

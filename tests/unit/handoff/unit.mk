# What the UEFI loader hands over becomes boot_info; blocks that are malformed.
SOURCES := kernel/boot/ranges.c kernel/boot/handoff.c
CFLAGS :=

# The boot paths' memory map, and the kernel's reader of device trees, hostile ones too.
SOURCES := kernel/boot/ranges.c kernel/boot/fdt.c lib/devicetree/devicetree.c
CFLAGS :=
PORTS := libfdt

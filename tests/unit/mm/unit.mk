# Memory: physical allocator, heap, page trees, page tables, Memory objects, address spaces, pagers; against reference models.
SOURCES := $(wildcard kernel/mm/*.c) kernel/debug/lockdep.c kernel/lib/spinlock.c
CFLAGS :=

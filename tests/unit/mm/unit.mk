# Memory: physical allocator, heap, page trees, page tables, Memory objects, address spaces, pagers; against reference models.
SOURCES := $(filter-out kernel/mm/kernelmap.c,$(wildcard kernel/mm/*.c)) kernel/sched/cancel.c kernel/lib/count.c kernel/debug/lockdep.c kernel/lib/spinlock.c
CFLAGS :=

# The CPUs that the boot paths find, and their names at the interrupt controllers.
SOURCES := kernel/boot/cpus.c
CFLAGS :=

# Descriptor rings: two threads, indices that wrap, peers that lie.
SOURCES := lib/ring/ring.c
CFLAGS :=

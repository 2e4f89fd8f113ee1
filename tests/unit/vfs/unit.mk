# The vfs library and tmpfs: random operations against a model, the caches, full stores, abandoned stores.
SOURCES := $(wildcard lib/vfs/*.c) $(wildcard lib/tmpfs/*.c)
CFLAGS := -D_GNU_SOURCE

# lib/os where it needs no kernel: the ELF checker, the boot archive, the catalogue (and tools/mkcatalogue), each against mutations.
SOURCES := lib/os/elf.c lib/os/archive.c lib/os/catalogue.c
CFLAGS := -D_GNU_SOURCE

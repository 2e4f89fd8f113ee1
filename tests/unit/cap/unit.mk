# Capability tables, derivation trees and revocation against a reference model.
SOURCES := kernel/cap/cap.c kernel/cap/tree.c kernel/cap/revoke.c kernel/lib/count.c kernel/debug/lockdep.c
CFLAGS := -Ikernel -Ikernel/include -Ikernel/arch/host/include

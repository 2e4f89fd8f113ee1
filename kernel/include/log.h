#pragma once
/* The kernel log: a ring of bytes that user space may read (struct log_ring of abi/types.idl), echoed to the debug console. */
#include "arch.h"

/** The ring in pages of its own instead of the small early one; what was logged so far moves over. After phys_init. */
void log_init(void);
/** Where the ring is, for the Memory that init gets: physical base, and bytes in whole pages. */
void log_range(paddr_t *base, uint64_t *bytes);
/** Write @text to the debug console alone, between two lines of the log and not within one. */
void log_echo(const char *text, size_t bytes);
/** From now on nothing is locked: the machine is stopping and the lock's holder may be stopped already. */
void log_enter_panic(void);

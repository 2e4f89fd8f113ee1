#pragma once
/* What boot/init.c needs of the objects of devices: their root capabilities. */
#include "object.h"

struct process;

/** All ports. */
MUST_CHECK status_t ioport_create_root(struct process *process, struct budget *budget,
                                       handle_t *handle);
/** The capability from which interrupts are made. */
MUST_CHECK status_t interrupt_create_root(struct process *process, struct budget *budget,
                                          handle_t *handle);
/** The capability from which DMA spaces are made. */
MUST_CHECK status_t dmaspace_create_root(struct process *process, struct budget *budget,
                                         handle_t *handle);

#pragma once
/* What the tests at the limits share. */
#include "guest.h"

#define PROCESSES 100u

/** How much smaller than the acceptance's figures this run is: 1 on a machine with memory for those, else 10. */
unsigned scale(void);
/** Does the clock count instructions (QEMU's -icount shift=0, and "clock=instructions" on the command line)? Else what now_ns() says of a
 *  cost depends on how busy the host is, and is not compared. */
bool clock_counts(void);
/** A copy of @source with @mode and @rights in the table of @process. */
handle_t give(handle_t process, handle_t source, uint32_t rights, uint32_t mode);
uint64_t caps_of(handle_t process);

/** @model: a process that callers can be in, which count themselves in the first word of @counter. */
void callers_model(struct child *model, handle_t counter);
/** Make @threads threads of @client (@model, or a clone of it), charged to @budget, call @endpoint. They never come back. */
void callers_start(const struct child *client, handle_t budget, handle_t endpoint,
                   unsigned threads);

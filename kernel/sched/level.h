#pragma once
/* What level a thread runs on, and on whose time (level.c). */
#include "thread.h"

/** Its level follows from its base, its turn and whom it serves, again. */
void level_update(struct thread *thread);
/** It stops waiting. */
void level_rise(struct thread *thread);
/** Whose time @thread runs on: its own, or that of the caller whose level it has. */
struct thread *level_payer(struct thread *thread);
/** How long that time lasts. */
uint64_t level_left_ns(struct thread *thread);
/** The turn of @payer, for whom @thread has run for @ran_ns, is over; of one that is limited that is only found out here. True: it is. */
bool level_turn_over(struct thread *payer, struct thread *thread, uint64_t ran_ns, uint64_t now_ns);

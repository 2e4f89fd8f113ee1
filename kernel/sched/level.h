#pragma once
/* What level a thread runs on, and on whose time (level.c). */
#include "thread.h"

/** Its level follows from its base, its turn and whom it serves, again. */
void level_update(struct thread *thread);
/** It stops waiting. */
void level_rise(struct thread *thread);
/** Whose time @thread runs on: its own, or that of the caller whose level it has. */
struct thread *level_payer(struct thread *thread);
/** The turn of @payer, for whom @thread runs, is over. */
void level_turn_over(struct thread *payer, struct thread *thread, uint64_t now_ns);

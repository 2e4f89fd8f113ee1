#pragma once
/* What level a thread runs on, and for how long (level.c). */
#include "thread.h"

/** Its level follows from its base, its turn and whom it serves, again. */
void level_update(struct thread *thread);
/** It stops waiting. */
void level_rise(struct thread *thread);
/** It has @allowance from now on, and all of it. thread->realtime is there; process_lock of the thread's. */
void level_limit(struct thread *thread, const struct allowance *allowance);
/** How long that time lasts. */
uint64_t level_left_ns(struct thread *thread);

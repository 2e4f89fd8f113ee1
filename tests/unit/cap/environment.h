#pragma once
#include "../../../kernel/cap/tree.h"

/** Bytes that kmem_alloc has out; above environment_limit it fails. */
extern size_t environment_allocated;
extern size_t environment_limit;
/** The badge that closed last. If there is a function, it is told of each. */
extern uint64_t environment_closed_badge;
extern void (*environment_badge_closed)(uint64_t badge);
/** Run all callbacks, and those that they queue. */
void environment_grace_period(void);

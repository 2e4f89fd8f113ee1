#pragma once
#include "../../../kernel/cap/tree.h"

/** Bytes that kmem_alloc has out; above environment_limit it fails. */
extern size_t environment_allocated;
extern size_t environment_limit;
extern uint64_t environment_closed_badge;
/** Run all callbacks, and those that they queue. */
void environment_grace_period(void);

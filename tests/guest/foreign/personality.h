#pragma once
/* A personality: enough of Linux for the programs of this folder. */
#include "guest.h"

/** Run @program, an ELF file, with the argument @letter until it has ended, and serve all that it starts; then end what is left. Its wait
 *  status as wait4 gives it. */
int personality_run(const unsigned char *program, char letter);

/** What the last run was: text written to descriptor 1. */
extern char personality_output[256];
/** Of the last run: calls that came here, and time that was spent on serving the first process's. */
extern uint64_t personality_calls, personality_served_ns;

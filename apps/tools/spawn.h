#pragma once
/* Running other programs: for find -exec, xargs, env, timeout. They get the streams and files that the tool has itself. */
#include <veridian/abi.h>

/** Run the program argv[0] with the NULL-terminated @argv and @environment and wait for it: its exit status. 127: not found, 126: not
 *  startable; both were complained about. @deadline_ns: then it is ended, with status 124. */
int run_program(char *const *argv, char *const *environment, uint64_t deadline_ns);

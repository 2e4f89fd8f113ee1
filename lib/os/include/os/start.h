#pragma once
/* What a program is given: arguments and environment as in any C program, and capabilities by name.
 *
 * Names come from the program's manifest (docs/manifests.md) or from whoever started it. Every program has
 * "self.process", "self.aspace", "self.thread" and "self.budget", and "self.clock", the clock page, unless who started it has none. */
#include <stddef.h>
#include <veridian/abi.h>

/** Bytes of a capability's name, its NUL included. */
#define OS_CAP_NAME_BYTES 32u

/** The capability that this program was given as @name; HANDLE_NONE: none. The process owns it: closing it is final. */
handle_t os_cap(const char *name);

/** Name and handle number @index of the capabilities given, in no particular order; NULL beyond the last. */
const char *os_cap_at(size_t index, handle_t *handle);

/** os_cap("self.…"), at hand. */
struct os_self {
    handle_t process;
    handle_t aspace;
    handle_t thread;
    handle_t budget;
    handle_t clock;
};
extern struct os_self os_self;

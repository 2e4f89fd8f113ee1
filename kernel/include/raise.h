#pragma once
/* Calls that the kernel makes in a thread's name: ipc/raise.c. */
#include "kernel.h"

#include <veridian/abi.h>

struct cap;
struct endpoint;
struct process;
struct thread;

/** Where they go: @endpoint (reference; NULL: nowhere) as long as it is in @epoch, with @cookie as badge. */
struct raise_target {
    struct endpoint *endpoint;
    uint64_t cookie;
    uint32_t epoch;
};

/** The current thread cannot go on: its handler is asked, or its process ends, and @what is reported. It is not current any more, or it
 *  will be told to end on its way out. */
void raise_exception(struct thread *self, uint32_t exception, const char *what,
                     const uint64_t words[3]);
/** Change *@target, of @process or one of its threads, to what @handle of @self's process names (0: nowhere). */
MUST_CHECK status_t raise_target_set(struct thread *self, struct process *process,
                                     struct raise_target *target, handle_t handle, uint64_t cookie);
/** @endpoint, with @cookie. BAD_HANDLE: it is ending. */
MUST_CHECK status_t raise_target_init(struct raise_target *target, struct cap *endpoint,
                                      uint64_t cookie);
/** Its end. */
void raise_target_drop(struct raise_target *target);
/** Resolve a fault of the current thread in user mode, which then goes on, waits, or raises an exception. */
void raise_page_fault(struct thread *self, uint64_t address, uint32_t access);
/** @thread waits for the answer to a call that the kernel made. */
bool raise_is_accepted(const struct thread *thread);

/* Foreign threads: ipc/foreign.c. */

/** Let go of what the foreign @thread holds. */
void foreign_drop(struct thread *thread);
/** The current thread, which is foreign, was interrupted: its personality is told, and it waits. */
void foreign_interrupted(struct thread *self);

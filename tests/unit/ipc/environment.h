#pragma once
/* What calls, queues and waits ask of the rest of the kernel, with two CPUs of which one runs: the other one's turn comes where the running
 * one waits for a lock, and holds it until then. */
#include <cpu.h>
#include <process.h>
#include <thread.h>

/** Bytes of the heap in use. */
extern size_t environment_allocated;
/** It has nothing. */
extern bool environment_without_memory;
/** The only one in the thread table, at its beginning; or NULL. */
extern struct thread *environment_thread;
/** Threads woken so far. */
extern unsigned environment_wakes;
extern uint64_t environment_now_ns;

void environment_reset(void);
/** The other CPU has @lock, does @what when we ask for it, and gives it back. */
void environment_other_holds(struct spinlock *lock, void (*what)(void));
/** Has it had its turn? */
bool environment_other_is_done(void);
/** What happens where long work lets interrupts in: NULL, nothing; and how often it has. */
extern void (*environment_interrupt)(void);
extern unsigned environment_windows;
/** What is looked at while bytes go between two address spaces. */
extern void (*environment_during_copy)(void);
/** Run all callbacks, and those that they queue. */
void environment_grace_period(void);
/** What the kernel does of its own accord before it leaves: work of @self that goes on in pieces. */
void environment_continue(struct thread *self);

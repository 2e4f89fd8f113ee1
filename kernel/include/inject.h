#pragma once
/* Kills at preemption points, for tests: in debug builds (debug/inject.c). */
#include "kernel.h"

struct thread;

/** Writing n to this port arms the calling thread: it gives way at each of its preemption points from then on, and is told to end at the
 *  n-th. 0 disarms it. Reading tells how many there were since it was armed. 4 bytes; in a release build it is a port as any. */
#define INJECT_PORT 0xf8u

#ifdef CONFIG_DEBUG
/** A preemption point, reached by @current (may be NULL). True: it has to give way. */
bool inject_here(struct thread *current);
void inject_arm(struct thread *self, uint32_t kill_at);
uint32_t inject_points(void);
#define INJECTS true
#else
static inline bool inject_here(struct thread *current)
{
    (void)current;
    return false;
}
static inline void inject_arm(struct thread *self, uint32_t kill_at)
{
    (void)self;
    (void)kill_at;
}
static inline uint32_t inject_points(void)
{
    return 0;
}
#define INJECTS false
#endif

#pragma once
/* Threads of the C library (pthread_create, C11 threads) on top of ours; between thread.c and linux_call.c. */
#include <stddef.h>

/** End the calling thread and tell who waits for that: the C library's lock at the address given last is set to 0. */
_Noreturn void os_thread_leave(void);
/** The word that os_thread_leave() clears; the caller's thread number. */
long os_thread_clear_at_exit(volatile int *word);
/** The number that the C library knows the calling thread by. */
long os_thread_number(void);

#pragma once
/* What the objects under test ask of the rest of the kernel: a counting heap, one process with a table of capabilities, threads that only
 * record that they were woken, message capabilities that are counted, user addresses that are pointers. */
#include <budget.h>
#include <cap.h>
#include <handlers.h>
#include <process.h>
#include <thread.h>

#define ENVIRONMENT_CAPS 64

struct environment {
    size_t allocated;       /* bytes of the heap in use */
    size_t limit;           /* of the heap */
    unsigned creates_left;  /* cap_create fails after so many */
    bool user_faults;       /* copies to and from user memory give FAULT */
    unsigned messages;      /* message capabilities alive */
    unsigned converts_left; /* cap_to_message fails after so many */
    unsigned wakes;
    unsigned endpoint_events;
    uint64_t now_ns;
    struct ktimer *timer; /* armed last */
    struct process process;
    struct cap caps[ENVIRONMENT_CAPS];
    struct cap budget_cap;
};

extern struct environment env;

void environment_reset(void);
/** A thread with a message buffer; freed by environment_reset. */
struct thread *environment_thread(void);
struct cap *environment_cap(handle_t handle);
/** The last capability of what @handle names is closed. */
void environment_close(handle_t handle);

#pragma once
/* What the parent and its children share: a Memory that all have mapped, and how a child is told what it has. */
#include "guest.h"

#define CHILDREN 6u
/** Replies that a child puts aside at a time. */
#define TOKENS 4u

enum stress_work {
    WORK_CALL,
    WORK_GRANT,
    WORK_CAP,
    WORK_MEMORY,
    WORK_TREE,
    WORK_CHANNEL,
    WORK_WAIT,
    WORK_GONE,
    WORK_MOVE,
    WORKS
};

struct stress_board {
    uint64_t done[WORKS]; /* atomic: pieces of work that ended as they should */
    uint64_t progress[CHILDREN];
    uint64_t births;         /* atomic: of children and of replies put aside */
    uint64_t born[CHILDREN]; /* atomic */
    /* atomic: what tells that the caller of a reply put aside is gone; 0: nothing will. See cookie_new() */
    uint64_t cookies[CHILDREN][TOKENS];
    uint32_t failures; /* atomic: checks that failed; of the first one: */
    uint32_t line;
    int64_t detail;
};

/** child_start.values: */
enum { VALUE_BOARD, VALUE_SEED, VALUE_INDEX, VALUE_SHARED };
/** child_start.handles: */
enum {
    HANDLE_BUDGET,
    HANDLE_PROCESS,
    HANDLE_ASPACE,
    HANDLE_ENDPOINT,
    HANDLE_LEFT,
    HANDLE_RIGHT,
    HANDLE_SHARED
};

/** The shared Memory has one word for each child, which only that child writes. */
#define SHARED_BYTES PAGE_SIZE

/** The child: works until its process is killed. */
void stress_child(void);

/** Two CPUs charge one account at a time (accounts.c). */
void test_stress_calls_are_broken_off_while_they_are_served(void);

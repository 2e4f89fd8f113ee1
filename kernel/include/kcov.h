#pragma once
/* Coverage, in the kcov build: which edges of the kernel's compiled code the system calls and faults of one process reach
 * (debug/kcov.c). In every other build nothing of it is there. */
#include "kernel.h"

struct process;

/** An edge is a call of the compiler's, named by where it returns to: so many steps of KCOV_STEP bytes after the image's first byte. No two
 *  are in one step. Those at KCOV_EDGES and above are not noted: no image is so large. */
#define KCOV_STEP 4u
#define KCOV_EDGES (1u << 18)

/** A port of 4 bytes. What is written is a command in the upper KCOV_COMMAND_SHIFT bits and its operand below; what is read, the answer to the last. */
#define KCOV_PORT 0xfcu
#define KCOV_COMMAND_SHIFT 28
enum kcov_command {
    KCOV_STOP =
        0, /* No process is watched. Answer: how many edges were fresh, which is to say not yet seen. */
    KCOV_BEGIN =
        1, /* The caller's process is watched from here on, and no edge is fresh. Answer: how many edges are fresh by now. */
    KCOV_FRESH =
        2, /* Answer: the operand-th of those, KCOV_NONE if there is none, or more than KCOV_FRESH_MAX before it. */
    KCOV_FORGET = 3, /* The operand is an edge, which is not seen any more. */
    KCOV_SEE = 4,    /* It is seen. */
    KCOV_WORD = 5, /* Answer: 32 edges from the 32 * operand-th on, a bit for each that is seen. */
};
#define KCOV_NONE 0xffffffffu
#define KCOV_FRESH_MAX 1024u

#ifdef CONFIG_KCOV
#define KCOV_IS_ON true
/** A command of @process. */
void kcov_write(const struct process *process, uint32_t command);
uint32_t kcov_read(void);
/** What this CPU does now is an interrupt's work, not the current thread's; or a thread is about to be resumed. */
void kcov_pause(bool pause);
#else
#define KCOV_IS_ON false
static inline void kcov_write(const struct process *process, uint32_t command)
{
    (void)process;
    (void)command;
}
static inline uint32_t kcov_read(void)
{
    return 0;
}
static inline void kcov_pause(bool pause)
{
    (void)pause;
}
#endif

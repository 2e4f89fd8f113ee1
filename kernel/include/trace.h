#pragma once
/* What the kernel tells about itself while somebody traces it (obj/trace.c). With nobody there each point costs one look at a byte of the
 * CPU's own, and message and quick calls none: while it is set cpu->work is not 0, so they go the long ways. */
#include "arch_cpu.h"
#include "obj_create.h"

struct trace;
struct thread;
struct process;

/** The trace that is made, or NULL; atomic. */
extern struct trace *trace_now;

/** Is there anything to be told on this CPU? */
static inline bool trace_is_on(void)
{
    return unlikely(arch_cpu_local()->traced);
}

/** An event of the current thread, @kind (a bit of `trace`), if that is wanted. Any lock may be held. */
void trace_record(uint32_t kind, uint64_t first, uint64_t second, uint64_t third);
/** A process got its first thread. */
void trace_process(const struct process *process);
/** @self begins a system call, for which all its registers are saved. Without a trace its calls go the short way again. */
void trace_call(struct thread *self);
/** A page fault of @self, which goes on if @resolved. */
void trace_fault(struct thread *self, uint64_t address, uint32_t access, bool resolved);
/** The CPU leaves the kernel as @thread, or for idling (NULL). Nothing is written after it before the kernel is entered again. */
void trace_leave(struct cpu *cpu, struct thread *thread);
/** In long work: if the time for a sample has come, it is of where the kernel is now. */
void trace_point(void);
/** This CPU takes part in the trace that there is. */
void trace_join(struct cpu *cpu);

/** The capability from which traces are made. */
MUST_CHECK status_t trace_create_root(struct process *process, struct budget *budget,
                                      handle_t *handle);

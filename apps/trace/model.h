#pragma once
/* What is known of a trace: its events in the order of time, and who the threads and processes are. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <veridian/abi.h>

#define MODEL_HASH 256u

struct model_process {
    struct model_process *next;
    uint64_t id;
    uint64_t start; /**< where its first thread began; 0: not known */
    char name[PROCESS_NAME_BYTES];
};

struct model_thread {
    struct model_thread *next;
    uint64_t id;
    struct model_process *process;
    /* While events are written: */
    uint64_t call_ns; /**< when the system call began that it is in; 0: it is in none */
    uint64_t number, label;
    bool foreign;
    bool answered;     /**< it is shown by whom */
    uint64_t woken_by; /**< the thread that last woke it, and when */
    uint64_t woken_ns;
    uint64_t serves;   /**< the thread whose call it serves; 0: nobody's */
    uint64_t serve_ns; /**< since when */
    uint64_t serve_label;
};

struct model {
    struct model_process *processes[MODEL_HASH];
    struct model_thread *threads[MODEL_HASH];
    struct model_process unknown;
    struct trace_event *events;
    size_t count, room;
    uint64_t lost; /**< events that the kernel, or this program, had no room for */
};

/** Nothing is known. */
void model_init(struct model *model);
void model_free(struct model *model);
/** The process, or the thread, with number @id; made if there is none yet. NULL: no memory. */
struct model_process *model_process(struct model *model, uint64_t id);
struct model_thread *model_thread(struct model *model, uint64_t id);
/** Process @id is called @name and began at @start. */
void model_name(struct model *model, uint64_t id, const char *name, uint64_t start);
/** Thread @id is one of process @process_id. */
void model_belongs(struct model *model, uint64_t id, uint64_t process_id);
/** Keep @event; without memory it counts as lost. */
void model_add(struct model *model, const struct trace_event *event);
/** All events are there: put them in the order of time, and learn from them who began. */
void model_finish(struct model *model);

/** Write the trace in the Trace Event Format (JSON object form), which Chrome and Perfetto open. False: @out has failed. */
bool json_write(struct model *model, FILE *out);
/** Write the samples, one line for each stack: "process;frame;… periods", outermost frame first, in the order of their names. Frames are
 *  u:OFFSET (of user code, in hex, from where the process began), k:ADDRESS (the kernel's) and s:NAME (a system call). False: no memory,
 *  or @out has failed. */
bool stacks_write(struct model *model, FILE *out);

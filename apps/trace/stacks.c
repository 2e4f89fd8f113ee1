/* Samples as collapsed stacks: what flame graphs are drawn from (tools/flamegraph). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/trace.h>

#include "model.h"

#define ADDRESSES_MAX 64u
#define LINE_BYTES 2048u
#define CPU_MAX 1024u
/** Above these a user's address has no bits: a return address may be signed there. */
#define USER_ADDRESS (UINT64_C(0xffffffffffff))

/** A sample whose addresses come. */
struct pending {
    uint64_t thread, kernel, count, periods, call, have;
    uint64_t addresses[ADDRESSES_MAX];
};

struct stack {
    char *text;
    uint64_t periods;
};

struct stacks {
    struct stack *items;
    size_t count, room;
    bool failed;
};

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct stack *)a)->text, ((const struct stack *)b)->text);
}

static void add(struct stacks *stacks, const char *text, uint64_t periods)
{
    if (stacks->count == stacks->room) {
        size_t room = stacks->room == 0 ? 256 : 2 * stacks->room;
        struct stack *items = realloc(stacks->items, room * sizeof(*items));
        if (!items) {
            stacks->failed = true;
            return;
        }
        stacks->items = items;
        stacks->room = room;
    }
    char *copy = strdup(text);
    if (!copy) {
        stacks->failed = true;
        return;
    }
    stacks->items[stacks->count++] = (struct stack){copy, periods};
}

static void put_user(FILE *line, uint64_t address, uint64_t start)
{
    int64_t offset = (int64_t)((address & USER_ADDRESS) - start);
    fprintf(line, ";u:%s%" PRIx64, offset < 0 ? "-" : "",
            offset < 0 ? (uint64_t)-offset : (uint64_t)offset);
}

/** Outermost first: the process, its code, the system call, the kernel's code. A name has no blank and no semicolon. */
static void add_sample(struct model *model, struct stacks *stacks, const struct pending *sample)
{
    static char text[LINE_BYTES];
    const struct model_thread *thread = model_thread(model, sample->thread);
    const struct model_process *process = thread ? thread->process : &model->unknown;
    FILE *line = fmemopen(text, sizeof(text), "w");
    if (!line) {
        stacks->failed = true;
        return;
    }
    for (const char *c = process->name; *c; c++) {
        fputc(*c == ' ' || *c == ';' ? '_' : *c, line);
    }
    for (uint64_t i = sample->count; i-- > sample->kernel;) {
        put_user(line, sample->addresses[i], process->start);
    }
    if (sample->call != 0) {
        const char *name = trace_syscall_name(sample->call - 1);
        fprintf(line, ";s:%s", name ? name : "call");
    }
    for (uint64_t i = sample->kernel; i-- > 0;) {
        fprintf(line, ";k:%" PRIx64, sample->addresses[i]);
    }
    fputc('\0', line);
    stacks->failed |= fclose(line) != 0;
    add(stacks, text, sample->periods);
}

static void note(struct model *model, struct stacks *stacks, struct pending *sample,
                 const struct trace_event *event)
{
    if (event->kind == TRACE_SAMPLE) {
        *sample = (struct pending){
            .thread = event->thread,
            .kernel = event->words[0],
            .count = event->words[0] + event->words[1],
            .periods = event->words[2],
            .call = event->words[3],
        };
        sample->count = sample->count > ADDRESSES_MAX ? 0 : sample->count;
        return;
    }
    for (size_t i = 0; i < 5 && sample->have < sample->count; i++) {
        sample->addresses[sample->have++] = event->words[i];
        if (sample->have == sample->count) {
            add_sample(model, stacks, sample);
        }
    }
}

bool stacks_write(struct model *model, FILE *out)
{
    struct stacks stacks = {.items = NULL};
    struct pending *pending = calloc(CPU_MAX, sizeof(*pending));
    stacks.failed = pending == NULL;
    for (size_t i = 0; pending && i < model->count; i++) {
        const struct trace_event *event = &model->events[i];
        if ((event->kind == TRACE_SAMPLE || event->kind == TRACE_STACK) && event->cpu < CPU_MAX) {
            note(model, &stacks, &pending[event->cpu], event);
        }
    }
    free(pending);
    if (stacks.count != 0) {
        qsort(stacks.items, stacks.count, sizeof(*stacks.items), compare);
    }
    for (size_t i = 0; i < stacks.count; i++) {
        if (i + 1 < stacks.count && strcmp(stacks.items[i].text, stacks.items[i + 1].text) == 0) {
            stacks.items[i + 1].periods += stacks.items[i].periods;
        } else {
            fprintf(out, "%s %" PRIu64 "\n", stacks.items[i].text, stacks.items[i].periods);
        }
        free(stacks.items[i].text);
    }
    free(stacks.items);
    return !stacks.failed && fflush(out) == 0 && !ferror(out);
}

#include "model.h"

#include <stdlib.h>
#include <string.h>

#define EVENTS_FIRST 1024u

void model_init(struct model *model)
{
    memset(model, 0, sizeof(*model));
    strcpy(model->unknown.name, "nobody");
}

void model_free(struct model *model)
{
    for (size_t i = 0; i < MODEL_HASH; i++) {
        for (struct model_process *next, *p = model->processes[i]; p; p = next) {
            next = p->next;
            free(p);
        }
        for (struct model_thread *next, *t = model->threads[i]; t; t = next) {
            next = t->next;
            free(t);
        }
    }
    free(model->events);
}

struct model_process *model_process(struct model *model, uint64_t id)
{
    struct model_process **link = &model->processes[id % MODEL_HASH];
    while (*link && (*link)->id != id) {
        link = &(*link)->next;
    }
    if (!*link) {
        *link = calloc(1, sizeof(**link));
        if (*link) {
            (*link)->id = id;
            snprintf((*link)->name, sizeof((*link)->name), "process %llu", (unsigned long long)id);
        }
    }
    return *link;
}

struct model_thread *model_thread(struct model *model, uint64_t id)
{
    struct model_thread **link = &model->threads[id % MODEL_HASH];
    while (*link && (*link)->id != id) {
        link = &(*link)->next;
    }
    if (!*link) {
        *link = calloc(1, sizeof(**link));
        if (*link) {
            (*link)->id = id;
            (*link)->process = &model->unknown;
        }
    }
    return *link;
}

void model_name(struct model *model, uint64_t id, const char *name, uint64_t start)
{
    struct model_process *process = model_process(model, id);
    if (process) {
        snprintf(process->name, sizeof(process->name), "%.*s", PROCESS_NAME_BYTES - 1, name);
        process->start = start != 0 ? start : process->start;
    }
}

void model_belongs(struct model *model, uint64_t id, uint64_t process_id)
{
    struct model_thread *thread = model_thread(model, id);
    struct model_process *process = model_process(model, process_id);
    if (thread && process) {
        thread->process = process;
    }
}

void model_add(struct model *model, const struct trace_event *event)
{
    if (model->count == model->room) {
        size_t room = model->room == 0 ? EVENTS_FIRST : 2 * model->room;
        struct trace_event *events = realloc(model->events, room * sizeof(*events));
        if (!events) {
            model->lost++;
            return;
        }
        model->events = events;
        model->room = room;
    }
    model->events[model->count++] = *event;
}

/** Events of one CPU that came at one moment stay as they were written. */
static int compare(const void *a, const void *b)
{
    const struct trace_event *x = a, *y = b;
    if (x->time_ns != y->time_ns) {
        return x->time_ns < y->time_ns ? -1 : 1;
    }
    return x->cpu != y->cpu ? (x->cpu < y->cpu ? -1 : 1) : 0;
}

/** Sorted runs, one for each stretch that was read from a ring, are merged: what is equal keeps its order, as qsort() need not. */
static void sort(struct trace_event *events, size_t count, struct trace_event *spare)
{
    if (count < 2) {
        return;
    }
    size_t half = count / 2, left = 0, right = half, out = 0;
    sort(events, half, spare);
    sort(events + half, count - half, spare);
    if (compare(&events[half - 1], &events[half]) <= 0) {
        return;
    }
    memcpy(spare, events, half * sizeof(*events));
    while (left < half && right < count) {
        events[out++] =
            compare(&spare[left], &events[right]) <= 0 ? spare[left++] : events[right++];
    }
    memcpy(events + out, spare + left, (half - left) * sizeof(*events));
}

void model_finish(struct model *model)
{
    struct trace_event *spare = malloc((model->count / 2 + 1) * sizeof(*spare));
    if (!spare) {
        model->lost += model->count;
        model->count = 0;
        return;
    }
    sort(model->events, model->count, spare);
    free(spare);
    for (size_t i = 0; i < model->count; i++) {
        const struct trace_event *event = &model->events[i];
        if (event->kind == TRACE_PROCESS) {
            char name[PROCESS_NAME_BYTES];
            memcpy(name, event->words, sizeof(name));
            name[sizeof(name) - 1] = '\0';
            model_name(model, event->words[4], name, 0);
        } else if (event->kind == TRACE_BEGIN) {
            struct model_process *process = model_process(model, event->words[1]);
            model_belongs(model, event->words[0], event->words[1]);
            if (process && process->start == 0) {
                process->start = event->words[2];
            }
        }
    }
}

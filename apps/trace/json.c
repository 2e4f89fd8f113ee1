/* The Trace Event Format: one object, "traceEvents" its list.
 *
 * Each process and thread of the system is one there; the CPUs are the threads of a process of their own, CPUS. On a thread's track stand its
 * system calls and, around those that it makes meanwhile, the call that it serves; arrows ("flows") lead from a message call to
 * who serves it, and from its answer back. */
#include <inttypes.h>
#include <string.h>
#include <veridian/syscall_numbers.h>
#include <veridian/trace.h>

#include "model.h"

/** Above the numbers of processes. */
#define CPUS UINT64_C(9000000000)
#define CPU_MAX 1024u
/** In the numbers of arrows: those of answers. A call is known by its caller and its time. */
#define ANSWER (UINT64_C(1) << 52)

struct writer {
    struct model *model;
    FILE *out;
    uint64_t first_ns, last_ns;
    bool any;
    uint64_t running[CPU_MAX]; /**< thread; 0: none */
    uint64_t since_ns[CPU_MAX];
    bool seen[CPU_MAX];
};

static void quote(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            fputc('\\', out);
        }
        if (c < 0x20 || c >= 0x7f) {
            fprintf(out, "\\u%04x", c);
        } else {
            fputc(c, out);
        }
    }
    fputc('"', out);
}

/** Time as the format wants it: microseconds. */
static void stamp(struct writer *w, const char *key, uint64_t ns)
{
    fprintf(w->out, ",\"%s\":%" PRIu64 ".%03u", key, ns / 1000, (unsigned)(ns % 1000));
}

static void open_event(struct writer *w, char phase, const char *name, uint64_t pid, uint64_t tid)
{
    fputs(w->any ? ",\n" : "\n", w->out);
    w->any = true;
    fprintf(w->out, "{\"ph\":\"%c\",\"name\":", phase);
    quote(w->out, name);
    fprintf(w->out, ",\"pid\":%" PRIu64 ",\"tid\":%" PRIu64, pid, tid);
}

static void open_at(struct writer *w, char phase, const char *name, uint64_t pid, uint64_t tid,
                    uint64_t ns)
{
    open_event(w, phase, name, pid, tid);
    stamp(w, "ts", ns - w->first_ns);
}

static void close_event(struct writer *w)
{
    fputc('}', w->out);
}

static void slice(struct writer *w, const char *name, uint64_t pid, uint64_t tid, uint64_t from_ns,
                  uint64_t to_ns)
{
    open_at(w, 'X', name, pid, tid, from_ns);
    stamp(w, "dur", to_ns - from_ns);
}

static void instant(struct writer *w, const char *name, uint64_t pid, uint64_t tid, uint64_t ns)
{
    open_at(w, 'i', name, pid, tid, ns);
    fputs(",\"s\":\"t\"", w->out);
}

/** One end of an arrow: @phase s where it begins, f where it ends. */
static void flow(struct writer *w, char phase, const char *name, const struct model_thread *thread,
                 uint64_t ns, uint64_t id)
{
    open_at(w, phase, name, thread->process->id, thread->id, ns);
    fprintf(w->out, ",\"cat\":\"ipc\",\"id\":%" PRIu64 "%s", id,
            phase == 'f' ? ",\"bp\":\"e\"" : "");
    close_event(w);
}

static void metadata(struct writer *w, const char *what, uint64_t pid, uint64_t tid,
                     const char *name)
{
    open_event(w, 'M', what, pid, tid);
    fputs(",\"args\":{\"name\":", w->out);
    quote(w->out, name);
    fputc('}', w->out);
    close_event(w);
}

static const char *request_name(uint64_t label, char *buffer, size_t bytes)
{
    const char *name = trace_request_name((uint32_t)label);
    if (!name) {
        snprintf(buffer, bytes, "request %#x", (uint32_t)label);
    }
    return name ? name : buffer;
}

static void call_slice(struct writer *w, struct model_thread *thread, uint64_t ns,
                       const char *status)
{
    char name[80], request[32];
    const char *call = thread->foreign ? NULL : trace_syscall_name(thread->number);
    if (!call) {
        snprintf(name, sizeof(name), "%s %" PRIu64, thread->foreign ? "foreign call" : "call",
                 thread->number);
    } else if (thread->number == SYS_ENDPOINT_CALL) {
        snprintf(name, sizeof(name), "%s %s", call,
                 request_name(thread->label, request, sizeof(request)));
    } else {
        snprintf(name, sizeof(name), "%s", call);
    }
    slice(w, name, thread->process->id, thread->id, thread->call_ns, ns);
    fputs(",\"cat\":\"call\",\"args\":{\"status\":", w->out);
    quote(w->out, status);
    fputc('}', w->out);
    close_event(w);
    thread->call_ns = 0;
}

/** @thread serves the call of thread @client from @ns on (0: nobody's). */
static void serve(struct writer *w, struct model_thread *thread, uint64_t client, uint64_t ns)
{
    char name[80], request[32];
    if (thread->serves == client) {
        return;
    }
    if (thread->serves != 0) {
        const struct model_thread *served = model_thread(w->model, thread->serves);
        snprintf(name, sizeof(name), "%s for %s",
                 request_name(thread->serve_label, request, sizeof(request)),
                 served ? served->process->name : "?");
        slice(w, name, thread->process->id, thread->id, thread->serve_ns, ns);
        fputs(",\"cat\":\"serve\"", w->out);
        close_event(w);
    }
    thread->serves = client;
    thread->serve_ns = ns;
    const struct model_thread *caller = client == 0 ? NULL : model_thread(w->model, client);
    if (caller && caller->call_ns != 0) {
        thread->serve_label = caller->label;
        flow(w, 's', "call", caller, caller->call_ns, caller->id ^ caller->call_ns);
        flow(w, 'f', "call", thread, ns, caller->id ^ caller->call_ns);
    }
}

static void begin_call(struct writer *w, struct model_thread *thread,
                       const struct trace_event *event)
{
    if (thread->call_ns != 0) {
        call_slice(w, thread, event->time_ns, "not told");
    }
    bool answers =
        event->words[0] == SYS_ENDPOINT_REPLY_RECEIVE || event->words[0] == SYS_ENDPOINT_REPLY;
    serve(w, thread, event->words[3], event->time_ns);
    if (answers && thread->serves != 0) {
        struct model_thread *caller = model_thread(w->model, thread->serves);
        if (caller && caller->call_ns != 0) {
            flow(w, 's', "answer", thread, event->time_ns - (event->time_ns > thread->serve_ns),
                 (caller->id ^ caller->call_ns) | ANSWER);
            caller->answered = true;
            flow(w, 'f', "answer", caller, event->time_ns, (caller->id ^ caller->call_ns) | ANSWER);
        }
        serve(w, thread, 0, event->time_ns);
    }
    thread->call_ns = event->time_ns;
    thread->number = event->words[0];
    thread->label = event->words[2];
    thread->foreign = event->words[4] != 0;
    thread->answered = false;
    thread->woken_by = 0;
}

/** A call whose reply was saved is answered by whoever wakes the caller. */
static void answer_saved(struct writer *w, const struct model_thread *thread)
{
    const struct model_thread *by = model_thread(w->model, thread->woken_by);
    if (thread->number != SYS_ENDPOINT_CALL || thread->foreign || thread->answered || !by ||
        thread->woken_by == 0) {
        return;
    }
    flow(w, 's', "answer", by, thread->woken_ns, (thread->id ^ thread->call_ns) | ANSWER);
    flow(w, 'f', "answer", thread, thread->woken_ns, (thread->id ^ thread->call_ns) | ANSWER);
}

static void end_call(struct writer *w, struct model_thread *thread, const struct trace_event *event)
{
    char value[24];
    if (thread->call_ns != 0) {
        answer_saved(w, thread);
        snprintf(value, sizeof(value), "%" PRIi64, (int64_t)event->words[0]);
        call_slice(w, thread, event->time_ns,
                   thread->foreign ? value : status_name(status_from_code(event->words[0])));
    }
    serve(w, thread, event->words[3], event->time_ns);
}

/** @cpu is done with whom it ran. */
static void cpu_stops(struct writer *w, uint32_t cpu, uint64_t ns)
{
    if (w->running[cpu] != 0) {
        struct model_thread *former = model_thread(w->model, w->running[cpu]);
        slice(w, former ? former->process->name : "?", CPUS, cpu, w->since_ns[cpu], ns);
        fprintf(w->out, ",\"args\":{\"thread\":%" PRIu64 "}", w->running[cpu]);
        close_event(w);
    }
    w->running[cpu] = 0;
}

/** A CPU tells of another thread when it leaves the kernel: by then the former one may run elsewhere. */
static void cpu_goes_over(struct writer *w, const struct trace_event *event)
{
    for (uint32_t cpu = 0; cpu < CPU_MAX; cpu++) {
        if (cpu == event->cpu || (event->thread != 0 && w->running[cpu] == event->thread)) {
            cpu_stops(w, cpu, event->time_ns);
        }
    }
    w->running[event->cpu] = event->thread;
    w->since_ns[event->cpu] = event->time_ns;
}

static void interrupt(struct writer *w, const struct trace_event *event)
{
    static const char *const names[] = {"timer", "other CPU", "device"};
    instant(w, event->words[0] < 3 ? names[event->words[0]] : "interrupt", CPUS, event->cpu,
            event->time_ns);
    if (event->words[0] == 2) {
        fprintf(w->out, ",\"args\":{\"vector\":%" PRIu64 "}", event->words[1]);
    }
    close_event(w);
}

static void write_event(struct writer *w, struct model_thread *thread,
                        const struct trace_event *event)
{
    struct model_thread *other;
    switch (event->kind) {
    case TRACE_SWITCH:
        cpu_goes_over(w, event);
        break;
    case TRACE_CALL:
        begin_call(w, thread, event);
        break;
    case TRACE_RETURN:
        end_call(w, thread, event);
        break;
    case TRACE_INTERRUPT:
        interrupt(w, event);
        break;
    case TRACE_FAULT:
        instant(w, "page fault", thread->process->id, thread->id, event->time_ns);
        fprintf(w->out, ",\"args\":{\"address\":\"%#" PRIx64 "\",\"access\":\"%s\",\"waits\":%s}",
                event->words[0],
                event->words[1] == MAP_EXECUTE ? "execute"
                : event->words[1] == MAP_WRITE ? "write"
                                               : "read",
                event->words[2] != 0 ? "false" : "true");
        close_event(w);
        break;
    case TRACE_WAKE:
    case TRACE_BEGIN:
        other = model_thread(w->model, event->words[0]);
        if (other) {
            other->woken_by = event->thread;
            other->woken_ns = event->time_ns;
            instant(w, event->kind == TRACE_WAKE ? "woken" : "begins", other->process->id,
                    other->id, event->time_ns);
            fprintf(w->out, ",\"args\":{\"by\":%" PRIu64 "}", event->thread);
            close_event(w);
        }
        break;
    case TRACE_END:
        if (thread->call_ns != 0) {
            call_slice(w, thread, event->time_ns, "ended");
        }
        serve(w, thread, 0, event->time_ns);
        instant(w, event->words[1] != 0 ? "process ends" : "ends", thread->process->id, thread->id,
                event->time_ns);
        close_event(w);
        break;
    case TRACE_SAMPLE:
        instant(w, "sample", thread->process->id, thread->id, event->time_ns);
        close_event(w);
        break;
    default:
        break; /* TRACE_PROCESS is in the model, TRACE_STACK belongs to a sample */
    }
}

static void write_names(struct writer *w)
{
    char name[PROCESS_NAME_BYTES + 24];
    metadata(w, "process_name", CPUS, 0, "CPUs");
    for (size_t i = 0; i < MODEL_HASH; i++) {
        for (struct model_process *p = w->model->processes[i]; p; p = p->next) {
            metadata(w, "process_name", p->id, 0, p->name);
        }
        for (struct model_thread *t = w->model->threads[i]; t; t = t->next) {
            snprintf(name, sizeof(name), "%s %" PRIu64, t->process->name, t->id);
            metadata(w, "thread_name", t->process->id, t->id, name);
        }
    }
    for (uint64_t cpu = 0; cpu < CPU_MAX; cpu++) {
        if (w->seen[cpu]) {
            snprintf(name, sizeof(name), "CPU %" PRIu64, cpu);
            metadata(w, "thread_name", CPUS, cpu, name);
        }
    }
}

/** What was under way at the end goes on until then. */
static void write_rest(struct writer *w)
{
    for (uint32_t cpu = 0; cpu < CPU_MAX; cpu++) {
        cpu_stops(w, cpu, w->last_ns);
    }
    for (size_t i = 0; i < MODEL_HASH; i++) {
        for (struct model_thread *t = w->model->threads[i]; t; t = t->next) {
            if (t->call_ns != 0) {
                call_slice(w, t, w->last_ns, "goes on");
            }
            serve(w, t, 0, w->last_ns);
        }
    }
}

bool json_write(struct model *model, FILE *out)
{
    static struct writer w;
    w = (struct writer){.model = model, .out = out};
    if (model->count != 0) {
        w.first_ns = model->events[0].time_ns;
        w.last_ns = model->events[model->count - 1].time_ns;
    }
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", out);
    for (size_t i = 0; i < model->count; i++) {
        const struct trace_event *event = &model->events[i];
        struct model_thread *thread = model_thread(model, event->thread);
        if (thread && event->cpu < CPU_MAX) {
            w.seen[event->cpu] = true;
            write_event(&w, thread, event);
        }
    }
    write_rest(&w);
    write_names(&w);
    fprintf(out, "\n],\"otherData\":{\"events\":%zu,\"lost\":%" PRIu64 "}}\n", model->count,
            model->lost);
    return fflush(out) == 0 && !ferror(out);
}

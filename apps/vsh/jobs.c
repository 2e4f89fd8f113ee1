/* What runs: processes in the foreground, which Ctrl-C ends, and jobs in the background.
 *
 * A thread waits at the console for Ctrl-C the whole time. While the shell edits a line the terminal is in raw mode and Ctrl-C is a
 * character like others, so all that comes here is meant for what runs in the foreground. */
#include "shell.h"

#include <os/clock.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define RETRY_NS (50 * NS_PER_MS)
#define JOB_STACK_BYTES (1024u << 10)

bool running_add(struct session *session, handle_t process, struct job *job)
{
    pthread_mutex_lock(&session->lock);
    bool room = session->running_count < sizeof(session->running) / sizeof(session->running[0]);
    if (room) {
        session->running[session->running_count++] = (struct running){process, job};
    }
    pthread_mutex_unlock(&session->lock);
    return room;
}

void running_remove(struct session *session, handle_t process)
{
    pthread_mutex_lock(&session->lock);
    for (size_t i = 0; i < session->running_count; i++) {
        if (session->running[i].process == process) {
            session->running[i] = session->running[--session->running_count];
            break;
        }
    }
    pthread_mutex_unlock(&session->lock);
}

void running_interrupt(struct session *session, struct job *job)
{
    atomic_store(job ? &job->interrupted : &session->interrupted, true);
    pthread_mutex_lock(&session->lock);
    for (size_t i = 0; i < session->running_count; i++) {
        if (session->running[i].job == job) {
            status_ignore(sys_process_kill(session->running[i].process, STATUS_INTERRUPT));
        }
    }
    pthread_mutex_unlock(&session->lock);
    quota_kill(job);
}

struct watch {
    struct session *session;
    handle_t console;
};

static void *watch_main(void *argument)
{
    struct watch *watch = argument;
    for (;;) {
        status_t status = bytestream_interrupted(watch->console);
        if (status_is_ok(status)) {
            running_interrupt(watch->session, NULL);
        } else if (status == STATUS_PEER_DIED || status == STATUS_STALE ||
                   status == STATUS_INTERRUPTED || status == STATUS_NO_MEMORY) {
            clock_sleep(RETRY_NS);
        } else {
            // This console does not tell.
            break;
        }
    }
    free(watch);
    return NULL;
}

void watch_interrupts(struct session *session, handle_t console)
{
    pthread_t thread;
    struct watch *watch = malloc(sizeof(*watch));
    if (!watch) {
        return;
    }
    *watch = (struct watch){session, console};
    if (pthread_create(&thread, NULL, watch_main, watch) == 0) {
        pthread_detach(thread);
    } else {
        free(watch);
    }
}

/* --- the background --------------------------------------------------------------------------------------- */

struct job_start {
    struct session *session;
    struct job *job;
    struct shell *shell;
};

static void *job_main(void *argument)
{
    struct job_start *start = argument;
    run_node(start->shell, start->job->node->left);
    quota_job_end(start->job);
    pthread_mutex_lock(&start->session->lock);
    start->job->done = true;
    pthread_mutex_unlock(&start->session->lock);
    free(start);
    return NULL;
}

/** A place for what @node is to run in the background. NULL: all are taken. */
static struct job *job_take(struct session *session, struct node *node)
{
    struct job *job = NULL;
    pthread_mutex_lock(&session->lock);
    for (size_t i = 0; i < JOBS_MAX && !job; i++) {
        if (!session->jobs[i].used) {
            job = &session->jobs[i];
            *job =
                (struct job){.used = true, .number = ++session->last_job, .node = node_ref(node)};
        }
    }
    pthread_mutex_unlock(&session->lock);
    return job;
}

static void job_forget(struct session *session, struct job *job)
{
    pthread_mutex_lock(&session->lock);
    node_free(job->node);
    job->used = false;
    pthread_mutex_unlock(&session->lock);
}

/** Make @clone, of @shell, the shell of @job. False: no memory. */
static bool clone_is_of(struct shell *clone, struct job *job, const struct shell *shell)
{
    job->parent = shell->job;
    clone->job = job;
    if (shell->session->interactive && clone->ports[0] == shell->ports[0]) {
        // The terminal is for who is in front.
        struct port *nothing = port_new(HANDLE_NONE);
        if (!nothing) {
            return false;
        }
        port_release(clone->ports[0]);
        clone->ports[0] = nothing;
    }
    return quota_take_console(clone);
}

int job_start(struct shell *shell, struct node *node)
{
    struct job *job = job_take(shell->session, node);
    struct job_start *start = calloc(1, sizeof(*start));
    bool room = job && quota_has_room(job, 0) && quota_job_begin(job);
    struct shell *clone = job && start && room ? shell_clone(shell) : NULL;
    pthread_attr_t attributes;
    if (!clone || !clone_is_of(clone, job, shell)) {
        if (clone) {
            shell_free(clone);
        }
        shell_complain(shell, job ? "no memory for another job" : "too many jobs");
        free(start);
        if (job) {
            quota_job_end(job);
            job_forget(shell->session, job);
        }
        return STATUS_FAILURE;
    }
    *start = (struct job_start){shell->session, job, clone};
    job->shell = clone;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, JOB_STACK_BYTES);
    if (pthread_create(&job->thread, &attributes, job_main, start) != 0) {
        quota_job_end(job);
        shell_complain(shell, "no memory for a thread");
        shell_free(clone);
        free(start);
        job_forget(shell->session, job);
        return STATUS_FAILURE;
    }
    if (shell->session->interactive) {
        port_print(shell->ports[2], "[%u]\n", job->number);
    }
    return 0;
}

bool job_interrupt(struct shell *shell, unsigned number)
{
    for (size_t i = 0; i < JOBS_MAX; i++) {
        struct job *job = &shell->session->jobs[i];
        if (job->used && job->number == number) {
            running_interrupt(shell->session, job);
            return true;
        }
    }
    return false;
}

/** Join the thread of @job, which is for its parent to do, and forget it: its status. */
static int job_finish(struct job *job)
{
    struct session *session = job->shell->session;
    pthread_join(job->thread, NULL);
    // What it started and did not wait for is now the foreground's.
    for (size_t i = 0; i < JOBS_MAX; i++) {
        if (session->jobs[i].used && session->jobs[i].parent == job) {
            session->jobs[i].parent = NULL;
        }
    }
    int status = job->shell->status;
    shell_free(job->shell);
    job_forget(session, job);
    return status;
}

int job_wait(struct shell *shell, unsigned number)
{
    int status = number ? STATUS_NO_COMMAND : 0;
    for (size_t i = 0; i < JOBS_MAX; i++) {
        struct job *job = &shell->session->jobs[i];
        if (!job->used || job->parent != shell->job || (number && job->number != number)) {
            continue;
        }
        while (!__atomic_load_n(&job->done, __ATOMIC_ACQUIRE) && !shell_interrupted(shell)) {
            clock_sleep(RETRY_NS / 5);
        }
        if (shell_interrupted(shell)) {
            return STATUS_INTERRUPT;
        }
        status = job_finish(job);
    }
    return number ? status : 0;
}

void jobs_report(struct shell *shell)
{
    for (size_t i = 0; i < JOBS_MAX; i++) {
        struct job *job = &shell->session->jobs[i];
        bool mine = job->used && job->parent == shell->job;
        if (mine && __atomic_load_n(&job->done, __ATOMIC_ACQUIRE)) {
            struct node *node = node_ref(job->node);
            unsigned number = job->number;
            int status = job_finish(job);
            port_print(shell->ports[2], "[%u] done, status %d: %s\n", number, status, node->name);
            node_free(node);
        }
    }
}

void jobs_list(struct shell *shell)
{
    struct text text = {.data = NULL};
    pthread_mutex_lock(&shell->session->lock);
    for (size_t i = 0; i < JOBS_MAX; i++) {
        const struct job *job = &shell->session->jobs[i];
        if (job->used) {
            text_format(&text, "[%u] %s: %s\n", job->number, job->done ? "done" : "running",
                        job->node->name);
        }
    }
    pthread_mutex_unlock(&shell->session->lock);
    port_write(shell->ports[1], text_get(&text), text.used);
    text_free(&text);
}

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

/** End all that runs in @job; NULL: in the foreground. The session's lock is held: @job stays what it is. */
static void running_interrupt(struct session *session, struct job *job)
{
    atomic_store(job ? &job->interrupted : &session->interrupted, true);
    for (size_t i = 0; i < session->running_count; i++) {
        if (session->running[i].job == job) {
            status_ignore(sys_process_kill(session->running[i].process, STATUS_INTERRUPT));
        }
    }
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
            pthread_mutex_lock(&watch->session->lock);
            running_interrupt(watch->session, NULL);
            pthread_mutex_unlock(&watch->session->lock);
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
    // Whoever finds it done may join this thread.
    pthread_mutex_lock(&start->session->lock);
    start->job->thread = pthread_self();
    start->job->status = start->shell->status;
    start->job->done = true;
    pthread_mutex_unlock(&start->session->lock);
    free(start);
    return NULL;
}

/** A place for what @node is to run in the background of @shell. NULL: all are taken. */
static struct job *job_take(const struct shell *shell, struct node *node)
{
    struct session *session = shell->session;
    struct job *job = NULL;
    pthread_mutex_lock(&session->lock);
    for (size_t i = 0; i < JOBS_MAX && !job; i++) {
        if (!session->jobs[i].used) {
            job = &session->jobs[i];
            *job = (struct job){.used = true,
                                .number = ++session->last_number,
                                .node = node_ref(node),
                                .parent = shell->job};
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
    clone->job = job;
    if (shell->session->prompt && clone->ports[0] == shell->ports[0]) {
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
    struct job *job = job_take(shell, node);
    struct job_start *start = calloc(1, sizeof(*start));
    bool room = job && quota_has_room(job, 0) && quota_job_begin(job);
    struct shell *clone = job && start && room ? shell_clone(shell) : NULL;
    pthread_attr_t attributes;
    pthread_t thread;
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
    const unsigned number = job->number; // from now on it may end, and be forgotten
    if (!quota_thread_create(&thread, &attributes, job_main, start)) {
        quota_job_end(job);
        shell_complain(shell, "no memory for a thread");
        shell_free(clone);
        free(start);
        job_forget(shell->session, job);
        return STATUS_FAILURE;
    }
    shell->last_job = number;
    if (shell->session->prompt) {
        port_print(shell->ports[2], "[%u]\n", number);
    }
    return 0;
}

bool job_interrupt(struct shell *shell, unsigned number)
{
    struct session *session = shell->session;
    bool found = false;
    pthread_mutex_lock(&session->lock);
    for (size_t i = 0; i < JOBS_MAX && !found; i++) {
        struct job *job = &session->jobs[i];
        found = job->used && job->number == number;
        if (found) {
            running_interrupt(session, job);
        }
    }
    pthread_mutex_unlock(&session->lock);
    return found;
}

/** Whether @shell has a job of that number, 0: any. One that is done becomes the caller's to finish, and nobody else's, as @job;
 * NULL: it runs on. */
static bool job_claim(const struct shell *shell, unsigned number, struct job **claimed)
{
    struct session *session = shell->session;
    bool found = false;
    *claimed = NULL;
    pthread_mutex_lock(&session->lock);
    for (size_t i = 0; i < JOBS_MAX && !*claimed; i++) {
        struct job *job = &session->jobs[i];
        if (job->used && !job->claimed && job->parent == shell->job &&
            (number == 0 || job->number == number)) {
            found = true;
            job->claimed = job->done;
            *claimed = job->done ? job : NULL;
        }
    }
    pthread_mutex_unlock(&session->lock);
    return found;
}

/** @job was claimed, and is there for others again. */
static void job_let_go(struct job *job)
{
    struct session *session = job->shell->session;
    pthread_mutex_lock(&session->lock);
    job->claimed = false;
    pthread_mutex_unlock(&session->lock);
}

/** Join the thread of @job, which was claimed, and forget it: its status. */
static int job_finish(struct job *job)
{
    struct session *session = job->shell->session;
    const int status = job->status;
    pthread_join(job->thread, NULL);
    // What it started and did not wait for is now the foreground's.
    pthread_mutex_lock(&session->lock);
    for (size_t i = 0; i < JOBS_MAX; i++) {
        if (session->jobs[i].used && session->jobs[i].parent == job) {
            session->jobs[i].parent = NULL;
        }
    }
    pthread_mutex_unlock(&session->lock);
    shell_free(job->shell);
    job_forget(session, job);
    return status;
}

int job_wait(struct shell *shell, unsigned number)
{
    struct job *job;
    while (job_claim(shell, number, &job)) {
        if (!job && shell_interrupted(shell)) {
            return STATUS_INTERRUPT;
        }
        if (!job) {
            clock_sleep(RETRY_NS / 5);
            continue;
        }
        const int status = job_finish(job);
        if (number) {
            return status;
        }
    }
    return number ? STATUS_NO_COMMAND : 0;
}

/** Add the line that says how @job is. The session's lock is held. */
static void job_describe(struct text *text, const struct job *job)
{
    text_format(text, "[%u] ", job->number);
    if (job->done) {
        text_format(text, "done, status %d", job->status);
    } else {
        text_string(text, "running");
    }
    text_format(text, ": %s\n", job->node->name);
}

/** Say on @port how @shell's own jobs have ended, and forget them, if it is the one at the prompt; and if @all, how all others are. */
static bool jobs_tell(const struct shell *shell, struct port *port, bool all)
{
    struct session *session = shell->session;
    struct text text = {.data = NULL};
    struct job *told[JOBS_MAX];
    size_t count = 0;
    pthread_mutex_lock(&session->lock);
    for (size_t i = 0; i < JOBS_MAX; i++) {
        struct job *job = &session->jobs[i];
        if (!job->used || job->claimed) {
            continue;
        }
        bool forget = job->done && job->parent == shell->job && session->prompt == shell;
        if (forget || all) {
            job_describe(&text, job);
        }
        if (forget) {
            job->claimed = true;
            told[count++] = job;
        }
    }
    pthread_mutex_unlock(&session->lock);
    bool good = (text.used == 0 || port_write(port, text_get(&text), text.used)) && !text.failed;
    text_free(&text);
    // What could not be told stays to be told.
    for (size_t i = 0; i < count; i++) {
        if (good) {
            job_finish(told[i]);
        } else {
            job_let_go(told[i]);
        }
    }
    return good;
}

void jobs_report(struct shell *shell)
{
    jobs_tell(shell, shell->ports[2], false);
}

bool jobs_list(struct shell *shell)
{
    return jobs_tell(shell, shell->ports[1], true);
}

#pragma once
/* The shell at work. One struct shell is one environment: the main one, or a copy for what must not change it (a subshell, a part of a
 * pipeline, a command in the background), run by a thread of its own. Threads share struct session only. */
#include <os/file.h>
#include <os/process.h>
#include <os/stream.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <tool/text.h>
#include <veridian/abi.h>

#include "expand.h"
#include "parse.h"

#define STATUS_FAILURE 1
#define STATUS_USAGE 2
#define STATUS_NOT_A_PROGRAM 126
#define STATUS_NO_COMMAND 127
#define STATUS_INTERRUPT 130
#define JOBS_MAX 32u

/** A stream that commands read or write: shared by all who use it, closed with the last. */
struct port {
    atomic_uint refs;
    pthread_mutex_t lock; /**< one writer at a time, among the shell's threads */
    struct stream stream; /**< its handle may be HANDLE_NONE: nothing to read, all may be written */
    struct pump *pump;    /**< carries what goes through it to or from a file; NULL: none */
};

struct variable {
    char *name;
    char *value; /**< NULL: not set, but to be exported */
    bool exported;
};

struct function {
    char *name;
    struct node *body;
};

/** What the programs of a part of the shell's Budget connect with: what they do there is not the shell's, nor other parts'. */
struct connects {
    handle_t vfs, console;
};

/** Commands in the background, in a thread of their own. */
struct job {
    bool used, done;
    bool claimed; /**< done, and somebody is about to forget it */
    int status;   /**< of one that is done */
    unsigned number;
    pthread_t thread;
    struct shell *shell;
    struct node *node;       /**< NODE_BACKGROUND */
    struct job *parent;      /**< that started it; NULL: the foreground */
    atomic_bool interrupted; /**< by kill */
    handle_t budget;         /**< quota.c's: what its programs are charged to */
    struct connects connects;
};

struct running {
    handle_t process;
    struct job *job; /**< NULL: in the foreground, Ctrl-C ends it */
};

struct session {
    pthread_mutex_t lock; /**< guards all that follows but `interrupted` and `prompt` */
    struct running running[64];
    size_t running_count;
    struct job jobs[JOBS_MAX];
    unsigned last_number;       /**< of a job */
    atomic_bool interrupted;    /**< Ctrl-C came since the last prompt */
    const struct shell *prompt; /**< who is told at the prompt what has ended; NULL: no terminal */
};

/** How what a shell starts is scheduled. */
struct turn {
    uint32_t priority;             /**< 0: as its manifest says */
    uint64_t budget_ns, period_ns; /**< 0: not limited */
};

struct shell {
    struct session *session;
    struct port *ports[3];
    struct variable *variables;
    size_t variable_count;
    struct function *functions;
    size_t function_count;
    struct strings arguments; /**< $0 first */
    char *cwd;
    int status; /**< $? */
    bool exiting, returning;
    bool too_deep;     /**< commands in commands in commands: all are left, to the prompt */
    unsigned breaking; /**< this many loops are to be left, */
    bool continuing;   /**< the last of them just goes on */
    unsigned loops, depth;
    struct job *job;      /**< NULL: in the foreground */
    unsigned last_job;    /**< $!; 0: none */
    bool exit_on_failure; /**< set -e */
    bool tested;          /**< a failure here is looked at */
    bool trace;           /**< set -x */
    struct turn turn;
    char number[24]; /**< the text of $?, $#, $$ and $! */
};

/* --- shell.c: environments -------------------------------------------------------------------------------- */

/** A copy of @shell: NULL: no memory. */
struct shell *shell_clone(struct shell *shell);
void shell_free(struct shell *shell);
const char *shell_get(struct shell *shell, const char *name);
/** False: no memory. */
bool shell_set(struct shell *shell, const char *name, const char *value);
bool shell_export(struct shell *shell, const char *name);
void shell_unset(struct shell *shell, const char *name);
struct node *shell_function(struct shell *shell, const char *name);
bool shell_define(struct shell *shell, const char *name, struct node *body);
void shell_undefine(struct shell *shell, const char *name);
/** @path as an absolute one. False: it is too long. */
bool shell_path(const struct shell *shell, const char *path, char full[FILE_PATH_BYTES + 1]);
/** Add "NAME=value" for each exported variable. */
void shell_environment(const struct shell *shell, struct strings *environment);
struct expand_host shell_host(struct shell *shell);
/** Ctrl-C, or kill, came and concerns @shell. */
bool shell_interrupted(const struct shell *shell);

/* --- quota.c: budgets ------------------------------------------------------------------------------------- */

/** Divide the shell's Budget, if it has one. False: it cannot be done. */
bool quota_begin(void);
/** What @shell's programs and pipes are charged to; HANDLE_NONE: what the shell is charged to. */
handle_t quota_for(const struct shell *shell);
/** Its parts, to be looked at: how many of @caps, which has room for @room, were filled. Their names stay until the next call. */
size_t quota_parts(struct process_cap *caps, size_t room);
/** The connect capability to @service of @shell's part; HANDLE_NONE: it has none of its own. */
handle_t quota_connect(const struct shell *shell, const char *service);
/** Whether @handle is what the shell itself was given to read and write, whichever stream that was. */
bool quota_is_console(handle_t handle);
/** Have @shell, a job's, write to the console with its part's capability where it would with the shell's own. False: no memory. */
bool quota_take_console(struct shell *shell);
/** Begin to end all processes of @job, NULL: in the foreground, whoever started them. */
void quota_kill(const struct job *job);
/** No command runs in the foreground any more: end what it left. */
void quota_front_end(void);
/** A job in the background begins; false: there is no memory for it. */
bool quota_job_begin(struct job *job);
/** It has ended: so does all that it left. */
void quota_job_end(struct job *job);
/** Whether to try again what ended with @status: what programs, threads and pipes had comes back a little after their end. @tries: of them so
 *  far. */
bool quota_awaits(status_t status, unsigned *tries);
/** The same of DENIED: @shell's turn is a budget in each period, and its part has been given as much more of what the shell has. */
bool quota_admits(const struct shell *shell, status_t status, unsigned *tries);
/** pthread_create(), again as long as memory for it is awaited; false: there is none. */
bool quota_thread_create(pthread_t *thread, const pthread_attr_t *attributes,
                         void *(*routine)(void *), void *argument);
/** A text takes this many times its bytes while it is expanded, or parsed. */
#define QUOTA_TEXT_FACTOR 8u
/** Whether the shell may grow by @bytes, and by a thread, for @job, NULL: for the foreground. */
bool quota_has_room(const struct job *job, size_t bytes);

/* --- ports.c: streams ------------------------------------------------------------------------------------- */

/** A port on @handle, which it owns; NULL: no memory (@handle is closed). */
struct port *port_new(handle_t handle);
struct port *port_ref(struct port *port);
/** Give up @port. False: the file behind it could not be written, and that was said. */
bool port_release(struct port *port);
/* The pipe that most of them make is charged to the part of @shell. */

/** A port to or from the file at @path (absolute); complaints, and those that come later, go to @error. NULL: it was complained about. */
struct port *port_file(const struct shell *shell, enum redirect_kind kind, const char *path,
                       const char *shown, struct port *error);
/** A port from which @text is read. */
struct port *port_text(const struct shell *shell, const char *text);
/** A port whose output is added to @text when it is released; if that says false, not all of it. */
struct port *port_collect(const struct shell *shell, struct text *text);
bool port_pipe(const struct shell *shell, struct port **read_end, struct port **write_end);
/** Print on a port; false: it takes nothing any more. */
bool port_write(struct port *port, const char *data, size_t bytes);
bool port_print(struct port *port, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** "vsh: …" on stderr of @shell. */
void shell_complain(struct shell *shell, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* --- program.c: programs ---------------------------------------------------------------------------------- */

/** Run the program @fields[0]: its exit status. */
int program_run(struct shell *shell, const struct strings *fields);
/** The path of program @name; false: there is none. */
bool program_find(struct shell *shell, const char *name, char full[FILE_PATH_BYTES + 1]);

/* --- run.c: commands -------------------------------------------------------------------------------------- */

/** Run @node; the status is also shell->status. */
int run_node(struct shell *shell, struct node *node);
/** Run the commands in @text; @name is for messages. */
int run_text(struct shell *shell, const char *text, const char *name);
/** file_load() of commands, as far as the shell has room for them. */
MUST_CHECK status_t load_text(const struct shell *shell, const char *path, void **text,
                              size_t *bytes);
/** The script at @path (absolute) with @fields as $0 and so on, in a copy of @shell. */
int run_script(struct shell *shell, const char *path, const struct strings *fields);
/** Run a function's or sourced script's commands in @shell with @arguments as $1 and so on ($0 stays). */
int run_with_arguments(struct shell *shell, struct node *node, const struct strings *arguments);
/** Whether a command ends what it is in: exit, return, break, Ctrl-C. */
bool run_stops(const struct shell *shell);

/* --- jobs.c ----------------------------------------------------------------------------------------------- */

/** Run what is left of the NODE_BACKGROUND @node in a thread of its own. */
int job_start(struct shell *shell, struct node *node);
/** Wait for the job of @number that @shell started, and forget it: its status; STATUS_NO_COMMAND: there is none, or it has been forgotten.
 * 0: wait for all, and 0. STATUS_INTERRUPT: @shell was interrupted while it waited. Parts of a pipeline have the same jobs: one of
 * those that wait gets the status. */
int job_wait(struct shell *shell, unsigned number);
/** Say at the prompt, which is @shell's, which of its jobs have ended with which status, and forget them. */
void jobs_report(struct shell *shell);
/** Print a line for each job, whoever started it: "[1] running: sleep 5", "[1] done, status 130: sleep 5". The shell at the prompt
 * forgets those of its own that are done, so they are told once, here or there; where there is no prompt, or in a copy of the shell
 * ($(jobs), jobs | cat, a script), somebody may still wait for them or be told. False: it could not be written. */
bool jobs_list(struct shell *shell);
/** False: there are too many. */
bool running_add(struct session *session, handle_t process, struct job *job);
void running_remove(struct session *session, handle_t process);
/** End all that runs in the job of that number; false: there is none. */
bool job_interrupt(struct shell *shell, unsigned number);
/** Watch for Ctrl-C at @console from now on. */
void watch_interrupts(struct session *session, handle_t console);

/* --- builtins.c, test.c ----------------------------------------------------------------------------------- */

typedef int builtin_function(struct shell *shell, int count, char **arguments);
/** The command @name of the shell itself; NULL: there is none. */
builtin_function *builtin_find(const char *name);
/** Add the names of the shell's own commands. */
void builtin_names(struct strings *names);
int builtin_test(struct shell *shell, int count, char **arguments);

/* --- edit.c ----------------------------------------------------------------------------------------------- */

struct editor {
    handle_t console;
    struct strings history;
    struct shell *shell;
};

enum edit_result { EDIT_LINE, EDIT_INTERRUPTED, EDIT_END };

/** Read a line from the terminal, after @prompt: *@line is the caller's to free(). */
enum edit_result edit_line(struct editor *editor, const char *prompt, char **line);

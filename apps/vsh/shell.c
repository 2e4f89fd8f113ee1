/* Environments: variables, functions, parameters, the current directory. */
#include "shell.h"

#include <os/clock.h>
#include <os/start.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <veridian/syscalls.h>

/** How often a wait for a directory's names looks whether Ctrl-C came. */
#define LISTING_LOOK_NS 50000000L

/** Values below this are not asked for. */
#define SMALL_BYTES 1024u

static struct variable *find(const struct shell *shell, const char *name)
{
    for (size_t i = 0; i < shell->variable_count; i++) {
        if (strcmp(shell->variables[i].name, name) == 0) {
            return &shell->variables[i];
        }
    }
    return NULL;
}

static struct variable *find_or_add(struct shell *shell, const char *name)
{
    struct variable *variable = find(shell, name);
    if (variable) {
        return variable;
    }
    if (!quota_has_room(shell->job, strlen(name))) {
        return NULL;
    }
    struct variable *variables =
        reallocarray(shell->variables, shell->variable_count + 1, sizeof(*variables));
    char *copy = strdup(name);
    if (variables) {
        shell->variables = variables;
    }
    if (!variables || !copy) {
        free(copy);
        return NULL;
    }
    variable = &variables[shell->variable_count++];
    *variable = (struct variable){.name = copy};
    return variable;
}

bool shell_set(struct shell *shell, const char *name, const char *value)
{
    size_t bytes = strlen(value);
    bool room = bytes < SMALL_BYTES || quota_has_room(shell->job, bytes * QUOTA_TEXT_FACTOR);
    char *copy = room ? strdup(value) : NULL;
    struct variable *variable = copy ? find_or_add(shell, name) : NULL;
    if (!variable) {
        shell_complain(shell, "%.80s: no memory for its value", name);
        free(copy);
        return false;
    }
    free(variable->value);
    variable->value = copy;
    return true;
}

bool shell_export(struct shell *shell, const char *name)
{
    struct variable *variable = find_or_add(shell, name);
    if (variable) {
        variable->exported = true;
    }
    return variable != NULL;
}

void shell_unset(struct shell *shell, const char *name)
{
    struct variable *variable = find(shell, name);
    if (variable) {
        free(variable->name);
        free(variable->value);
        *variable = shell->variables[--shell->variable_count];
    }
}

static const char *print_number(struct shell *shell, unsigned long long number)
{
    snprintf(shell->number, sizeof(shell->number), "%llu", number);
    return shell->number;
}

static const char *get_process_id(struct shell *shell)
{
    struct process_info info = {.id = 0};
    status_ignore(sys_process_info(os_self.process, &info));
    return print_number(shell, info.id);
}

static const char *get_argument(const struct shell *shell, const char *name)
{
    unsigned long number = strtoul(name, NULL, 10);
    return number < shell->arguments.count ? shell->arguments.items[number] : NULL;
}

const char *shell_get(struct shell *shell, const char *name)
{
    switch (*name) {
    case '?':
        return print_number(shell, (unsigned)shell->status);
    case '#':
        return print_number(shell, shell->arguments.count ? shell->arguments.count - 1 : 0);
    case '$':
        return get_process_id(shell);
    case '!':
        return shell->last_job ? print_number(shell, shell->last_job) : NULL;
    default:
        break;
    }
    if (*name >= '0' && *name <= '9') {
        return get_argument(shell, name);
    }
    const struct variable *variable = find(shell, name);
    return variable ? variable->value : NULL;
}

struct node *shell_function(struct shell *shell, const char *name)
{
    for (size_t i = 0; i < shell->function_count; i++) {
        if (strcmp(shell->functions[i].name, name) == 0) {
            return shell->functions[i].body;
        }
    }
    return NULL;
}

void shell_undefine(struct shell *shell, const char *name)
{
    for (size_t i = 0; i < shell->function_count; i++) {
        if (strcmp(shell->functions[i].name, name) == 0) {
            free(shell->functions[i].name);
            node_free(shell->functions[i].body);
            shell->functions[i] = shell->functions[--shell->function_count];
            return;
        }
    }
}

bool shell_define(struct shell *shell, const char *name, struct node *body)
{
    shell_undefine(shell, name);
    struct function *functions =
        reallocarray(shell->functions, shell->function_count + 1, sizeof(*functions));
    char *copy = strdup(name);
    if (functions) {
        shell->functions = functions;
    }
    if (!functions || !copy) {
        free(copy);
        return false;
    }
    functions[shell->function_count++] = (struct function){copy, node_ref(body)};
    return true;
}

void shell_environment(const struct shell *shell, struct strings *environment)
{
    for (size_t i = 0; i < shell->variable_count; i++) {
        const struct variable *variable = &shell->variables[i];
        if (variable->exported && variable->value) {
            struct text text = {.data = NULL};
            text_format(&text, "%s=%s", variable->name, variable->value);
            strings_take(environment, text_take(&text));
        }
    }
}

static bool copy_variables(const struct shell *from, struct shell *to)
{
    for (size_t i = 0; i < from->variable_count; i++) {
        const struct variable *variable = &from->variables[i];
        if ((variable->value && !shell_set(to, variable->name, variable->value)) ||
            (variable->exported && !shell_export(to, variable->name))) {
            return false;
        }
    }
    for (size_t i = 0; i < from->function_count; i++) {
        if (!shell_define(to, from->functions[i].name, from->functions[i].body)) {
            return false;
        }
    }
    return true;
}

struct shell *shell_clone(struct shell *shell)
{
    struct shell *clone = calloc(1, sizeof(*clone));
    if (!clone) {
        return NULL;
    }
    clone->session = shell->session;
    for (size_t i = 0; i < 3; i++) {
        clone->ports[i] = port_ref(shell->ports[i]);
    }
    for (size_t i = 0; i < shell->arguments.count; i++) {
        strings_add(&clone->arguments, shell->arguments.items[i]);
    }
    clone->cwd = strdup(shell->cwd);
    clone->status = shell->status;
    clone->depth = shell->depth;
    clone->job = shell->job;
    clone->last_job = shell->last_job;
    clone->exit_on_failure = shell->exit_on_failure;
    clone->tested = shell->tested;
    clone->trace = shell->trace;
    clone->turn = shell->turn;
    if (!clone->cwd || clone->arguments.failed || !copy_variables(shell, clone)) {
        shell_free(clone);
        return NULL;
    }
    return clone;
}

void shell_free(struct shell *shell)
{
    while (shell->variable_count > 0) {
        shell_unset(shell, shell->variables[0].name);
    }
    while (shell->function_count > 0) {
        shell_undefine(shell, shell->functions[0].name);
    }
    for (size_t i = 0; i < 3; i++) {
        port_release(shell->ports[i]);
    }
    free(shell->variables);
    free(shell->functions);
    strings_free(&shell->arguments);
    free(shell->cwd);
    free(shell);
}

bool shell_path(const struct shell *shell, const char *path, char full[FILE_PATH_BYTES + 1])
{
    int bytes;
    if (path[0] == '/') {
        bytes = snprintf(full, FILE_PATH_BYTES + 1, "%s", path);
    } else {
        const char *slash = strcmp(shell->cwd, "/") == 0 ? "" : "/";
        bytes = snprintf(full, FILE_PATH_BYTES + 1, "%s%s%s", shell->cwd, slash, path);
    }
    return bytes >= 0 && (size_t)bytes <= FILE_PATH_BYTES;
}

bool shell_interrupted(const struct shell *shell)
{
    return atomic_load(shell->job ? &shell->job->interrupted : &shell->session->interrupted);
}

/* --- what expansion asks for ------------------------------------------------------------------------------ */

static const char *host_get(void *shell, const char *name)
{
    return shell_get(shell, name);
}

static bool host_set(void *shell, const char *name, const char *value)
{
    return name_bytes(name) > 0 && shell_set(shell, name, value);
}

static char *const *host_arguments(void *context, size_t *count)
{
    struct shell *shell = context;
    *count = shell->arguments.count ? shell->arguments.count - 1 : 0;
    return shell->arguments.items + (shell->arguments.count ? 1 : 0);
}

static bool host_substitute(void *context, const char *script, struct text *out)
{
    struct shell *shell = context;
    struct shell *clone = shell_clone(shell);
    struct port *collector = clone ? port_collect(shell, out) : NULL;
    if (!collector) {
        shell_complain(shell, "no memory for a substitution");
        if (clone) {
            shell_free(clone);
        }
        return false;
    }
    port_release(clone->ports[1]);
    clone->ports[1] = port_ref(collector);
    shell->status = run_text(clone, script, "substitution");
    shell_free(clone);
    // Waits until all has been collected.
    if (!port_release(collector)) {
        shell_complain(shell, "no memory for what a substitution prints");
        return false;
    }
    return !shell_interrupted(shell);
}

/* The names in a directory, read by a thread of its own: it may wait for a file system that is away, and Ctrl-C does not. */
struct listing {
    atomic_uint refs;
    sem_t ended;
    struct strings names;
    char path[FILE_PATH_BYTES + 1];
};

static void listing_release(struct listing *listing)
{
    if (atomic_fetch_sub(&listing->refs, 1) == 1) {
        strings_free(&listing->names);
        free(listing);
    }
}

static void *listing_main(void *argument)
{
    struct listing *listing = argument;
    struct file *file;
    struct file_entry entry;
    if (status_is_ok(file_open(listing->path, FILE_OPEN_READ | FILE_OPEN_DIRECTORY, 0, &file))) {
        while (status_is_ok(file_readdir(file, &entry))) {
            strings_add(&listing->names, entry.name);
        }
        file_close(file);
    }
    sem_post(&listing->ended);
    listing_release(listing);
    return NULL;
}

/** False: Ctrl-C came first. */
static bool listing_await(struct listing *listing, const struct shell *shell)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    do {
        until.tv_nsec += LISTING_LOOK_NS;
        until.tv_sec += until.tv_nsec / (long)NS_PER_S;
        until.tv_nsec %= (long)NS_PER_S;
        if (sem_timedwait(&listing->ended, &until) == 0) {
            return true;
        }
    } while (!shell_interrupted(shell));
    return false;
}

static void host_list(void *context, const char *directory, struct strings *names)
{
    pthread_t thread;
    struct listing *listing = calloc(1, sizeof(*listing));
    if (!listing) {
        names->failed = true;
        return;
    }
    atomic_init(&listing->refs, 2);
    sem_init(&listing->ended, 0, 0);
    if (!shell_path(context, directory, listing->path)) {
        free(listing);
        return;
    }
    if (pthread_create(&thread, NULL, listing_main, listing) != 0) {
        names->failed = true;
        free(listing);
        return;
    }
    pthread_detach(thread);
    if (listing_await(listing, context)) {
        struct strings none = {.items = NULL};
        strings_free(names);
        *names = listing->names;
        listing->names = none;
    }
    listing_release(listing);
}

static bool host_exists(void *context, const char *path)
{
    char full[FILE_PATH_BYTES + 1];
    struct file_status status;
    return shell_path(context, path, full) &&
           status_is_ok(file_status(full, FILE_PATH_NO_FOLLOW, &status));
}

static void host_complain(void *shell, const char *what, const char *word)
{
    shell_complain(shell, "%.80s: %s", word, what);
}

struct expand_host shell_host(struct shell *shell)
{
    return (struct expand_host){
        .shell = shell,
        .get = host_get,
        .set = host_set,
        .arguments = host_arguments,
        .substitute = host_substitute,
        .list = host_list,
        .exists = host_exists,
        .complain = host_complain,
    };
}

/* The commands that are the shell's own: those that change its environment, and a few that are used too often to start a program for. */
#include "shell.h"

#include <os/clock.h>
#include <stdlib.h>
#include <string.h>
#include <tool/status.h>
#include <veridian/syscalls.h>

struct builtin {
    const char *name, *usage;
    builtin_function *run;
};

static int builtin_help(struct shell *shell, int count, char **arguments);

static int builtin_true(struct shell *shell, int count, char **arguments)
{
    (void)shell;
    (void)count;
    (void)arguments;
    return 0;
}

static int builtin_false(struct shell *shell, int count, char **arguments)
{
    (void)shell;
    (void)count;
    (void)arguments;
    return STATUS_FAILURE;
}

static int builtin_echo(struct shell *shell, int count, char **arguments)
{
    struct text text = {.data = NULL};
    int first = 1;
    bool newline = true;
    if (count > 1 && strcmp(arguments[1], "-n") == 0) {
        newline = false;
        first = 2;
    }
    for (int i = first; i < count; i++) {
        if (i > first) {
            text_char(&text, ' ');
        }
        text_string(&text, arguments[i]);
    }
    if (newline) {
        text_char(&text, '\n');
    }
    bool good = !text.failed && port_write(shell->ports[1], text_get(&text), text.used);
    text_free(&text);
    return good ? 0 : STATUS_FAILURE;
}

/** @path with "." and ".." taken out, by name. */
static void simplify(char *path)
{
    char *to = path;
    for (const char *from = path; *from;) {
        from += strspn(from, "/");
        size_t bytes = strcspn(from, "/");
        if (bytes == 2 && from[0] == '.' && from[1] == '.') {
            while (to > path && *--to != '/') {
            }
        } else if (bytes > 0 && !(bytes == 1 && from[0] == '.')) {
            *to++ = '/';
            memmove(to, from, bytes);
            to += bytes;
        }
        from += bytes;
    }
    if (to == path) {
        *to++ = '/';
    }
    *to = '\0';
}

static int builtin_cd(struct shell *shell, int count, char **arguments)
{
    char full[FILE_PATH_BYTES + 1];
    struct file_status info;
    const char *home = shell_get(shell, "HOME");
    if (count > 1 && strcmp(arguments[1], "--") == 0) {
        count--;
        arguments++;
    }
    const char *path = count > 1 ? arguments[1] : home ? home : "/";
    bool back = strcmp(path, "-") == 0;
    if (count > 2) {
        shell_complain(shell, "cd: one directory is wanted");
        return STATUS_USAGE;
    }
    if (back) {
        path = shell_get(shell, "OLDPWD");
        path = path ? path : "/";
    }
    status_t status = STATUS_RANGE;
    if (shell_path(shell, path, full)) {
        // By name first: out of a directory that is gone, too.
        simplify(full);
        status = file_status(full, 0, &info);
    }
    if (status_is_ok(status) && info.attributes.type != FS_TYPE_DIRECTORY) {
        status = STATUS_WRONG_TYPE;
    }
    if (!status_is_ok(status)) {
        shell_complain(shell, "cd: %s: %s", path,
                       status == STATUS_WRONG_TYPE ? "not a directory" : status_words(status));
        return STATUS_FAILURE;
    }
    char *cwd = strdup(full);
    if (!cwd || !shell_set(shell, "OLDPWD", shell->cwd) || !shell_set(shell, "PWD", full)) {
        free(cwd);
        return STATUS_FAILURE;
    }
    free(shell->cwd);
    shell->cwd = cwd;
    if (back) {
        port_print(shell->ports[1], "%s\n", cwd);
    }
    return 0;
}

static int builtin_pwd(struct shell *shell, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    return port_print(shell->ports[1], "%s\n", shell->cwd) ? 0 : STATUS_FAILURE;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct variable *)a)->name, ((const struct variable *)b)->name);
}

static int list_variables(struct shell *shell, bool exported)
{
    if (shell->variable_count > 0) {
        qsort(shell->variables, shell->variable_count, sizeof(*shell->variables), by_name);
    }
    for (size_t i = 0; i < shell->variable_count; i++) {
        const struct variable *variable = &shell->variables[i];
        if ((variable->exported || !exported) && variable->value &&
            !port_print(shell->ports[1], "%s%s='%s'\n", exported ? "export " : "", variable->name,
                        variable->value)) {
            return STATUS_FAILURE;
        }
    }
    return 0;
}

/** All of @words may be names of variables; false, and a complaint of @command: one may not. */
static bool are_names(struct shell *shell, const char *command, int count, char **words)
{
    for (int i = 0; i < count; i++) {
        size_t bytes = name_bytes(words[i]);
        if (bytes == 0 || words[i][bytes] != '\0') {
            shell_complain(shell, "%s: %s: not a name", command, words[i]);
            return false;
        }
    }
    return true;
}

static int builtin_export(struct shell *shell, int count, char **arguments)
{
    if (count == 1) {
        return list_variables(shell, true);
    }
    for (int i = 1; i < count; i++) {
        size_t bytes = name_bytes(arguments[i]);
        char *name = strndup(arguments[i], bytes);
        bool assigns = arguments[i][bytes] == '=';
        bool good = bytes > 0 && name && (assigns || !arguments[i][bytes]) &&
                    (!assigns || shell_set(shell, name, arguments[i] + bytes + 1)) &&
                    shell_export(shell, name);
        free(name);
        if (!good) {
            shell_complain(shell, "export: %s: not a name", arguments[i]);
            return STATUS_FAILURE;
        }
    }
    return 0;
}

static int builtin_unset(struct shell *shell, int count, char **arguments)
{
    bool functions = count > 1 && strcmp(arguments[1], "-f") == 0;
    int first = functions ? 2 : 1;
    if (!are_names(shell, arguments[0], count - first, arguments + first)) {
        return STATUS_FAILURE;
    }
    for (int i = first; i < count; i++) {
        if (functions) {
            shell_undefine(shell, arguments[i]);
        } else {
            shell_unset(shell, arguments[i]);
        }
    }
    return 0;
}

/** The words behind the first @skip become $1 and so on. */
static int set_arguments(struct shell *shell, int skip, int count, char **arguments)
{
    struct strings list = {.items = NULL};
    strings_add(&list, shell->arguments.count ? shell->arguments.items[0] : "vsh");
    for (int i = skip; i < count; i++) {
        strings_add(&list, arguments[i]);
    }
    if (list.failed) {
        strings_free(&list);
        return STATUS_FAILURE;
    }
    strings_free(&shell->arguments);
    shell->arguments = list;
    return 0;
}

static int builtin_set(struct shell *shell, int count, char **arguments)
{
    int i = 1;
    if (count == 1) {
        return list_variables(shell, false);
    }
    for (; i < count && (arguments[i][0] == '-' || arguments[i][0] == '+') &&
           strcmp(arguments[i], "--") != 0;
         i++) {
        bool on = arguments[i][0] == '-';
        for (const char *c = arguments[i] + 1; *c; c++) {
            if (*c == 'e') {
                shell->exit_on_failure = on;
            } else if (*c == 'x') {
                shell->trace = on;
            } else {
                shell_complain(shell, "set: there are the options e and x");
                return STATUS_USAGE;
            }
        }
    }
    if (i == count) {
        return 0;
    }
    return set_arguments(shell, i + (strcmp(arguments[i], "--") == 0), count, arguments);
}

/** The number that a command's first argument is, or @otherwise if there is none; false, and a complaint: it is no number. */
static bool number_argument(struct shell *shell, int count, char **arguments, unsigned otherwise,
                            unsigned *number)
{
    const char *text = count > 1 ? arguments[1] : "";
    size_t digits = strspn(text, "0123456789");
    *number = count > 1 ? (unsigned)strtoul(text, NULL, 10) : otherwise;
    if (count > 2 || text[digits] != '\0' || digits > 9 || (count > 1 && digits == 0)) {
        shell_complain(shell, "%s: %s: one number is wanted", arguments[0], text);
        return false;
    }
    return true;
}

static int builtin_shift(struct shell *shell, int count, char **arguments)
{
    unsigned by;
    if (!number_argument(shell, count, arguments, 1, &by)) {
        return STATUS_USAGE;
    }
    if (shell->arguments.count <= by) {
        shell_complain(shell, "shift: there are not so many arguments");
        return STATUS_FAILURE;
    }
    struct strings old = shell->arguments;
    shell->arguments = (struct strings){.items = NULL};
    strings_add(&shell->arguments, old.items[0]);
    for (size_t i = by + 1; i < old.count; i++) {
        strings_add(&shell->arguments, old.items[i]);
    }
    strings_free(&old);
    return 0;
}

static int builtin_exit(struct shell *shell, int count, char **arguments)
{
    unsigned status;
    if (!number_argument(shell, count, arguments, (unsigned)shell->status, &status)) {
        return STATUS_USAGE;
    }
    shell->exiting = true;
    return (int)(status & 255);
}

static int builtin_return(struct shell *shell, int count, char **arguments)
{
    unsigned status;
    if (!number_argument(shell, count, arguments, (unsigned)shell->status, &status)) {
        return STATUS_USAGE;
    }
    shell->returning = true;
    return (int)(status & 255);
}

static int leave_loops(struct shell *shell, int count, char **arguments, bool go_on)
{
    unsigned levels;
    if (!number_argument(shell, count, arguments, 1, &levels)) {
        return STATUS_USAGE;
    }
    if (levels == 0 || shell->loops == 0) {
        shell_complain(shell, "%s: no loop to leave", arguments[0]);
        return STATUS_FAILURE;
    }
    shell->breaking = levels < shell->loops ? levels : shell->loops;
    shell->continuing = go_on;
    return 0;
}

static int builtin_break(struct shell *shell, int count, char **arguments)
{
    return leave_loops(shell, count, arguments, false);
}

static int builtin_continue(struct shell *shell, int count, char **arguments)
{
    return leave_loops(shell, count, arguments, true);
}

/** One line of the shell's input, without its end; false: there is no more. */
static bool read_line(struct shell *shell, struct text *line)
{
    struct stream *stream = &shell->ports[0]->stream;
    for (;;) {
        char c;
        size_t done = 0;
        // A terminal gives a line at most, a pipe keeps what is not asked for: a byte at a time takes no more than the line.
        status_t status = stream_read(stream, &c, 1, &done);
        if (!status_is_ok(status) || done == 0 || shell_interrupted(shell)) {
            return line->used > 0;
        }
        if (c == '\n') {
            return true;
        }
        text_char(line, c);
    }
}

/** Give the next field of *@line to @name; the last name gets all that is left. */
static bool read_field(struct shell *shell, char **line, const char *name, bool last)
{
    char *field = *line + strspn(*line, " \t");
    size_t bytes = last ? strlen(field) : strcspn(field, " \t");
    while (last && bytes > 0 && strchr(" \t", field[bytes - 1])) {
        bytes--;
    }
    *line = field + bytes + (!last && field[bytes] ? 1 : 0);
    char *value = strndup(field, bytes);
    bool good = value && shell_set(shell, name, value);
    free(value);
    return good;
}

static int builtin_read(struct shell *shell, int count, char **arguments)
{
    struct text text = {.data = NULL};
    int first = 1;
    while (first < count && strcmp(arguments[first], "-r") == 0) {
        first++;
    }
    if (!are_names(shell, "read", count - first, arguments + first)) {
        return STATUS_USAGE;
    }
    bool got = read_line(shell, &text);
    text_add(&text, "", 0);
    char *at = text.data;
    bool good = at && !text.failed;
    if (first == count && good) {
        good = shell_set(shell, "REPLY", at);
    }
    for (int i = first; i < count && good; i++) {
        good = read_field(shell, &at, arguments[i], i == count - 1);
    }
    text_free(&text);
    return got && good ? 0 : STATUS_FAILURE;
}

static int builtin_eval(struct shell *shell, int count, char **arguments)
{
    struct text text = {.data = NULL};
    for (int i = 1; i < count; i++) {
        text_format(&text, "%s ", arguments[i]);
    }
    int status = run_text(shell, text_get(&text), "eval");
    text_free(&text);
    return status;
}

static int builtin_source(struct shell *shell, int count, char **arguments)
{
    char full[FILE_PATH_BYTES + 1];
    void *text = NULL;
    size_t bytes;
    if (count < 2) {
        shell_complain(shell, "%s: which file?", arguments[0]);
        return STATUS_USAGE;
    }
    status_t status = shell_path(shell, arguments[1], full) ? load_text(shell, full, &text, &bytes)
                                                            : STATUS_RANGE;
    if (!status_is_ok(status)) {
        shell_complain(shell, "%s: %s", arguments[1], status_words(status));
        return STATUS_FAILURE;
    }
    int result = run_text(shell, text, arguments[1]);
    if (shell->returning) {
        shell->returning = false;
        result = shell->status;
    }
    free(text);
    return result;
}

/** What stands behind the command's own name, run without its functions. */
static int builtin_command(struct shell *shell, int count, char **arguments)
{
    struct strings fields = {.items = arguments + 1, .count = (size_t)count - 1};
    if (count == 1) {
        return 0;
    }
    builtin_function *builtin = builtin_find(arguments[1]);
    return builtin ? builtin(shell, count - 1, arguments + 1) : program_run(shell, &fields);
}

/** "20", or of the real-time band "40:2/10", 2 ms in each 10. */
static bool parse_turn(const char *text, struct turn *turn)
{
    unsigned budget_ms = 0, period_ms = 0;
    char rest;
    int fields = sscanf(text, "%u:%u/%u%c", &turn->priority, &budget_ms, &period_ms, &rest);
    turn->budget_ns = budget_ms * UINT64_C(1000000);
    turn->period_ns = period_ms * UINT64_C(1000000);
    return turn->priority != 0 && turn->priority <= PRIORITY_MAX &&
           (fields == 3 ? period_ms != 0 : fields == 1 && !text[strspn(text, "0123456789")]);
}

/** Run a command whose programs have another priority. */
static int builtin_priority(struct shell *shell, int count, char **arguments)
{
    struct turn turn = {0}, outer = shell->turn;
    if (count < 3 || !parse_turn(arguments[1], &turn)) {
        shell_complain(shell, "usage: priority LEVEL[:BUDGET/PERIOD in ms] COMMAND [ARGUMENT...]");
        return STATUS_USAGE;
    }
    shell->turn = turn;
    int status = builtin_command(shell, count - 1, arguments + 1);
    shell->turn = outer;
    return status;
}

/** There is no taking the shell's place: the command runs, and then the shell ends. */
static int builtin_exec(struct shell *shell, int count, char **arguments)
{
    int status = builtin_command(shell, count, arguments);
    shell->exiting = count > 1;
    return status;
}

static int builtin_type(struct shell *shell, int count, char **arguments)
{
    char full[FILE_PATH_BYTES + 1];
    int status = 0;
    for (int i = 1; i < count; i++) {
        if (shell_function(shell, arguments[i])) {
            port_print(shell->ports[1], "%s is a function\n", arguments[i]);
        } else if (builtin_find(arguments[i])) {
            port_print(shell->ports[1], "%s is the shell's own\n", arguments[i]);
        } else if (program_find(shell, arguments[i], full)) {
            port_print(shell->ports[1], "%s is %s\n", arguments[i], full);
        } else {
            shell_complain(shell, "%s: not found", arguments[i]);
            status = STATUS_FAILURE;
        }
    }
    return status;
}

static unsigned job_number(const char *text)
{
    return (unsigned)strtoul(text + (*text == '%'), NULL, 10);
}

static int builtin_wait(struct shell *shell, int count, char **arguments)
{
    int status = 0;
    if (count == 1) {
        return job_wait(shell, 0);
    }
    for (int i = 1; i < count; i++) {
        unsigned number = job_number(arguments[i]);
        status = number ? job_wait(shell, number) : STATUS_NO_COMMAND;
    }
    return status;
}

/** What the shell started in the background is its own to end; services are svc's. */
static int builtin_kill(struct shell *shell, int count, char **arguments)
{
    int status = 0;
    for (int i = 1; i < count; i++) {
        unsigned number = job_number(arguments[i]);
        if (number == 0 || !job_interrupt(shell, number)) {
            shell_complain(shell, "kill: %s: no such job", arguments[i]);
            status = STATUS_FAILURE;
        }
    }
    return status;
}

static int builtin_jobs(struct shell *shell, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    return jobs_list(shell) ? 0 : STATUS_FAILURE;
}

static const struct builtin builtins[] = {
    {".", "FILE", builtin_source},
    {":", "", builtin_true},
    {"[", "EXPRESSION ]", builtin_test},
    {"break", "[LEVELS]", builtin_break},
    {"cd", "[DIRECTORY | -]", builtin_cd},
    {"command", "COMMAND [ARGUMENT...]", builtin_command},
    {"continue", "[LEVELS]", builtin_continue},
    {"echo", "[-n] [WORD...]", builtin_echo},
    {"eval", "[WORD...]", builtin_eval},
    {"exec", "COMMAND [ARGUMENT...]", builtin_exec},
    {"exit", "[STATUS]", builtin_exit},
    {"export", "[NAME[=VALUE]...]", builtin_export},
    {"false", "", builtin_false},
    {"help", "", builtin_help},
    {"jobs", "", builtin_jobs},
    {"kill", "JOB...", builtin_kill},
    {"priority", "LEVEL[:BUDGET/PERIOD in ms] COMMAND [ARGUMENT...]", builtin_priority},
    {"pwd", "", builtin_pwd},
    {"read", "[-r] [NAME...]", builtin_read},
    {"return", "[STATUS]", builtin_return},
    {"set", "[-e | +e | -x | +x]... [--] [ARGUMENT...]", builtin_set},
    {"shift", "[BY]", builtin_shift},
    {"source", "FILE", builtin_source},
    {"test", "EXPRESSION", builtin_test},
    {"true", "", builtin_true},
    {"type", "NAME...", builtin_type},
    {"unset", "[-f] NAME...", builtin_unset},
    {"wait", "[JOB...]", builtin_wait},
};

#define BUILTINS (sizeof(builtins) / sizeof(builtins[0]))

builtin_function *builtin_find(const char *name)
{
    for (size_t i = 0; i < BUILTINS; i++) {
        if (strcmp(name, builtins[i].name) == 0) {
            return builtins[i].run;
        }
    }
    return NULL;
}

void builtin_names(struct strings *names)
{
    for (size_t i = 0; i < BUILTINS; i++) {
        strings_add(names, builtins[i].name);
    }
}

static int builtin_help(struct shell *shell, int count, char **arguments)
{
    (void)count;
    (void)arguments;
    const char *path = shell_get(shell, "PATH");
    struct text text = {.data = NULL};
    for (size_t i = 0; i < BUILTINS; i++) {
        text_format(&text, "%s%s%s\n", builtins[i].name, *builtins[i].usage ? " " : "",
                    builtins[i].usage);
    }
    text_format(&text,
                "if, while, until, for, case, { }, ( ), name() as in other shells; "
                "and the programs in %s\n",
                path ? path : "");
    bool good = !text.failed && port_write(shell->ports[1], text_get(&text), text.used);
    text_free(&text);
    return good ? 0 : STATUS_FAILURE;
}

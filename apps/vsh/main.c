/* vsh: the shell.
 *
 *   vsh                    commands from the terminal, with editing; or from whatever stdin is
 *   vsh file [argument …]  a script
 *   vsh -c text [name [argument …]]
 *
 * Started by the service manager it is the console's login shell. If the kernel's command line has cmd=<percent-encoded text> it runs
 * that instead and switches the machine off with the command's status; and with alive=<seconds> it says in the log as often as that that
 * the machine lives, whatever the command does (tools/run). */
#include "shell.h"

#include <idl/power.h>
#include <idl/svc.h>
#include <os/clock.h>
#include <os/log.h>
#include <os/start.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define RETRY_NS (50 * NS_PER_MS)
#define RETRIES 600
#define ALIVE_SECONDS_MAX 86400

extern char **environ;

static bool ports_open(struct shell *shell)
{
    static const char *const names[] = {"stdin", "stdout", "stderr"};
    for (size_t i = 0; i < 3; i++) {
        shell->ports[i] = port_new(os_cap(names[i]));
        if (!shell->ports[i]) {
            return false;
        }
    }
    return true;
}

static bool import_environment(struct shell *shell)
{
    for (char **entry = environ; *entry; entry++) {
        size_t bytes = name_bytes(*entry);
        if (bytes > 0 && (*entry)[bytes] == '=') {
            char *name = strndup(*entry, bytes);
            bool good =
                name && shell_set(shell, name, *entry + bytes + 1) && shell_export(shell, name);
            free(name);
            if (!good) {
                return false;
            }
        }
    }
    return true;
}

static bool set_default(struct shell *shell, const char *name, const char *value)
{
    return (shell_get(shell, name) || shell_set(shell, name, value)) && shell_export(shell, name);
}

static struct shell *shell_new(void)
{
    static struct session session = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct shell *shell = calloc(1, sizeof(*shell));
    char cwd[FILE_PATH_BYTES + 1];
    if (!shell) {
        return NULL;
    }
    shell->session = &session;
    if (!ports_open(shell) || !import_environment(shell) || !set_default(shell, "PATH", "/boot") ||
        !set_default(shell, "HOME", "/")) {
        return NULL;
    }
    shell->cwd = strdup(status_is_ok(file_current(cwd, sizeof(cwd))) ? cwd : "/");
    return shell->cwd && set_default(shell, "PWD", shell->cwd) ? shell : NULL;
}

static void set_arguments(struct shell *shell, const char *name, int count, char **arguments)
{
    strings_add(&shell->arguments, name);
    for (int i = 0; i < count; i++) {
        strings_add(&shell->arguments, arguments[i]);
    }
}

/* --- commands from somewhere ------------------------------------------------------------------------------ */

static bool is_incomplete(const char *text)
{
    struct node *tree;
    const char *message;
    unsigned line;
    enum parse_result result = parse(text, &tree, &message, &line);
    node_free(tree);
    return result == PARSE_INCOMPLETE;
}

/** The lines of a command, as many as it takes. */
static enum edit_result read_command(struct editor *editor, struct text *command)
{
    struct text prompt = {.data = NULL};
    enum edit_result result;
    text_format(&prompt, "vsh:%s$ ", editor->shell->cwd);
    do {
        char *line = NULL;
        result = edit_line(editor, command->used == 0 ? text_get(&prompt) : "> ", &line);
        if (result == EDIT_LINE) {
            text_string(command, line);
            text_char(command, '\n');
        }
        free(line);
    } while (result == EDIT_LINE && is_incomplete(text_get(command)));
    text_free(&prompt);
    return result;
}

static int run_terminal(struct shell *shell)
{
    struct editor editor = {.console = shell->ports[0]->stream.handle, .shell = shell};
    enum edit_result result = EDIT_LINE;
    shell->session->prompt = shell;
    while (!shell->exiting && result != EDIT_END) {
        struct text command = {.data = NULL};
        jobs_report(shell);
        quota_front_end();
        result = read_command(&editor, &command);
        atomic_store(&shell->session->interrupted, false);
        if (result == EDIT_LINE) {
            run_text(shell, text_get(&command), "syntax");
        } else if (result == EDIT_INTERRUPTED) {
            shell->status = STATUS_INTERRUPT;
        }
        shell->returning = false;
        shell->too_deep = false;
        shell->exit_on_failure = false;
        text_free(&command);
    }
    strings_free(&editor.history);
    return shell->status;
}

static int run_input(struct shell *shell)
{
    struct text text = {.data = NULL};
    char piece[512];
    size_t done = 0;
    while (status_is_ok(stream_read(&shell->ports[0]->stream, piece, sizeof(piece), &done)) &&
           done > 0) {
        text_add(&text, piece, done);
    }
    int status = run_text(shell, text_get(&text), "stdin");
    text_free(&text);
    return status;
}

static bool is_terminal(struct shell *shell)
{
    struct stream_info info;
    return status_is_ok(stream_describe(&shell->ports[0]->stream, &info)) &&
           info.kind == STREAM_TERMINAL;
}

static int run_script_file(struct shell *shell, int count, char **arguments)
{
    char full[FILE_PATH_BYTES + 1];
    struct strings fields = {.items = NULL};
    for (int i = 0; i < count; i++) {
        strings_add(&fields, arguments[i]);
    }
    int status = fields.failed || !shell_path(shell, arguments[0], full)
                     ? STATUS_FAILURE
                     : run_script(shell, full, &fields);
    strings_free(&fields);
    return status;
}

/* --- the command of the boot ------------------------------------------------------------------------------ */

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef";
    const char *at = c ? strchr(digits, c | (c >= 'A' && c <= 'F' ? 0x20 : 0)) : NULL;
    return at ? (int)(at - digits) : -1;
}

static void decode(struct text *text, const char *at, const char *end)
{
    while (at < end) {
        int high = *at == '%' && end - at >= 3 ? hex_digit(at[1]) : -1;
        int low = high >= 0 ? hex_digit(at[2]) : -1;
        if (low >= 0) {
            text_char(text, (char)(high * 16 + low));
            at += 3;
        } else {
            text_char(text, *at++);
        }
    }
}

/** What the kernel's command line has behind @name; NULL: nothing. */
static char *boot_word(const char *name)
{
    static struct boot_facts facts;
    struct text text = {.data = NULL};
    handle_t boot = os_cap("boot");
    if (boot == HANDLE_NONE || !status_is_ok(sys_memory_read(boot, 0, &facts, sizeof(facts)))) {
        return NULL;
    }
    facts.cmdline[sizeof(facts.cmdline) - 1] = '\0';
    for (const char *word = facts.cmdline; *word;) {
        word += strspn(word, " ");
        size_t bytes = strcspn(word, " ");
        if (strncmp(word, name, strlen(name)) == 0) {
            decode(&text, word + strlen(name), word + bytes);
            return text_take(&text);
        }
        word += bytes;
    }
    return NULL;
}

static void *alive_main(void *seconds)
{
    for (;;) {
        clock_sleep((uint64_t)(uintptr_t)seconds * NS_PER_S);
        os_log("the machine lives, its command runs");
    }
    return NULL;
}

static void alive_begin(void)
{
    pthread_t thread;
    char *word = boot_word("alive=");
    unsigned long seconds = word ? strtoul(word, NULL, 10) : 0;
    free(word);
    if (seconds > 0 && seconds <= ALIVE_SECONDS_MAX &&
        pthread_create(&thread, NULL, alive_main, (void *)(uintptr_t)seconds) == 0) {
        pthread_detach(thread);
    }
}

/** Whether we are the first life of this service. */
static bool is_first(void)
{
    struct svc_info info = {.restarts = 0};
    return !status_is_ok(svc_status(os_cap("svc"), "vsh", &info)) || info.restarts == 0;
}

static _Noreturn void power_off_with(struct shell *shell, int status)
{
    for (size_t i = 1; i < 3; i++) {
        status_ignore(bytestream_flush(shell->ports[i]->stream.handle));
    }
    for (int i = 0; i < RETRIES; i++) {
        status_ignore(power_off(os_cap("power"), (uint32_t)status));
        clock_sleep(RETRY_NS);
    }
    exit(status);
}

int main(int argc, char **argv)
{
    struct shell *shell = quota_begin() ? shell_new() : NULL;
    if (!shell) {
        return STATUS_FAILURE;
    }
    char *command = argc == 1 ? boot_word("cmd=") : NULL;
    if (command) {
        alive_begin();
        set_arguments(shell, "vsh", 0, NULL);
        // Nobody types: what reads is at the end at once.
        stream_close(&shell->ports[0]->stream);
        if (!is_first()) {
            // What it has done is not to be done again.
            shell_complain(shell, "the command has ended its shell");
            power_off_with(shell, STATUS_FAILURE);
        }
        power_off_with(shell, run_text(shell, command, "cmd"));
    }
    if (argc >= 3 && strcmp(argv[1], "-c") == 0) {
        set_arguments(shell, argc > 3 ? argv[3] : "vsh", argc > 4 ? argc - 4 : 0, argv + 4);
        return run_text(shell, argv[2], "-c");
    }
    set_arguments(shell, argv[0], 0, NULL);
    if (argc > 1) {
        return run_script_file(shell, argc - 1, argv + 1);
    }
    if (!is_terminal(shell)) {
        return run_input(shell);
    }
    watch_interrupts(shell->session, shell->ports[0]->stream.handle);
    return run_terminal(shell);
}

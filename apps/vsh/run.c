/* Running the tree of commands.
 *
 * Commands run in the thread that meets them, in its environment. What must not change that environment (a subshell, the parts of a
 * pipeline, substitutions, background commands) gets a copy, and where it has to run beside something else a thread too. exit,
 * return, break, continue and Ctrl-C are marks in the environment that every loop looks at (run_stops). */
#include "shell.h"

#include <stdlib.h>
#include <string.h>
#include <tool/pattern.h>
#include <tool/status.h>
#include <veridian/syscalls.h>

#define DEPTH_MAX 200u
#define THREAD_STACK_BYTES (1024u << 10)

bool run_stops(const struct shell *shell)
{
    return shell->exiting || shell->returning || shell->too_deep || shell->breaking > 0 ||
           shell_interrupted(shell);
}

/* --- redirections ----------------------------------------------------------------------------------------- */

static struct port *open_redirect(struct shell *shell, const struct redirect *redirect,
                                  const char *word)
{
    char full[FILE_PATH_BYTES + 1];
    if (redirect->kind == REDIRECT_HERE || redirect->kind == REDIRECT_HERE_LITERAL) {
        return port_text(shell, word);
    }
    if (redirect->kind == REDIRECT_DUPLICATE) {
        if (strcmp(word, "-") == 0) {
            return port_new(HANDLE_NONE);
        }
        if (word[0] < '0' || word[0] > '2' || word[1]) {
            shell_complain(shell, "%s: there are the streams 0, 1 and 2", word);
            return NULL;
        }
        return port_ref(shell->ports[word[0] - '0']);
    }
    if (!shell_path(shell, word, full)) {
        shell_complain(shell, "%s: too long", word);
        return NULL;
    }
    return port_file(shell, redirect->kind, full, word, shell->ports[2]);
}

/** Put the streams of @redirects in place of the shell's; false: one failed, those before it are in place. */
static bool apply_redirects(struct shell *shell, const struct redirect *redirects)
{
    struct expand_host host = shell_host(shell);
    for (const struct redirect *r = redirects; r; r = r->next) {
        char *word = r->kind == REDIRECT_HERE_LITERAL ? strdup(r->word)
                     : r->kind == REDIRECT_HERE       ? expand_here(&host, r->word)
                                                      : expand_string(&host, r->word);
        struct port *port = word ? open_redirect(shell, r, word) : NULL;
        free(word);
        if (!port) {
            return false;
        }
        port_release(shell->ports[r->stream]);
        shell->ports[r->stream] = port;
    }
    return true;
}

static void keep_ports(struct shell *shell, struct port *kept[3])
{
    for (size_t i = 0; i < 3; i++) {
        kept[i] = port_ref(shell->ports[i]);
    }
}

/** Put @kept back. False: what was written did not all reach its file; whoever wrote saw no more than that its stream had ended. */
static bool restore_ports(struct shell *shell, struct port *kept[3])
{
    bool good = true;
    for (size_t i = 0; i < 3; i++) {
        struct port *used = shell->ports[i];
        shell->ports[i] = kept[i];
        good = port_release(used) && good;
    }
    return good;
}

/* --- simple commands -------------------------------------------------------------------------------------- */

static bool assign_all(struct shell *shell, const struct strings *assigns, bool export)
{
    struct expand_host host = shell_host(shell);
    for (size_t i = 0; i < assigns->count; i++) {
        size_t bytes = name_bytes(assigns->items[i]);
        char *name = strndup(assigns->items[i], bytes);
        char *value = name ? expand_string(&host, assigns->items[i] + bytes + 1) : NULL;
        bool good =
            value && shell_set(shell, name, value) && (!export || shell_export(shell, name));
        free(name);
        free(value);
        if (!good) {
            return false;
        }
    }
    return true;
}

static void trace_fields(struct shell *shell, const struct strings *fields)
{
    struct text text = {.data = NULL};
    for (size_t i = 0; i < fields->count; i++) {
        text_format(&text, " %s", fields->items[i]);
    }
    port_print(shell->ports[2], "+%s\n", text_get(&text));
    text_free(&text);
}

/** Run function, builtin or program @fields[0] in @shell. */
static int run_fields(struct shell *shell, const struct strings *fields)
{
    struct node *function = shell_function(shell, fields->items[0]);
    builtin_function *builtin = function ? NULL : builtin_find(fields->items[0]);
    if (shell->trace) {
        trace_fields(shell, fields);
    }
    if (function) {
        struct node *body = node_ref(function);
        int status = run_with_arguments(shell, body, fields);
        node_free(body);
        return status;
    }
    return builtin ? builtin(shell, (int)fields->count, fields->items) : program_run(shell, fields);
}

/** A command with assignments before it: they hold for it alone, so it runs in a copy. */
static int run_assigned(struct shell *shell, const struct strings *assigns,
                        const struct strings *fields)
{
    struct shell *clone = shell_clone(shell);
    if (!clone) {
        shell_complain(shell, "no memory");
        return STATUS_FAILURE;
    }
    int status = assign_all(clone, assigns, true) ? run_fields(clone, fields) : STATUS_FAILURE;
    shell->exiting = shell->exiting || (clone->exiting && builtin_find(fields->items[0]));
    shell_free(clone);
    return status;
}

static int run_expanded(struct shell *shell, struct node *node, const struct strings *fields)
{
    struct port *kept[3];
    int status = STATUS_FAILURE;
    if (fields->count > 0 && strcmp(fields->items[0], "exec") == 0 && fields->count == 1) {
        return apply_redirects(shell, node->redirects) ? 0 : STATUS_FAILURE;
    }
    keep_ports(shell, kept);
    if (apply_redirects(shell, node->redirects)) {
        if (fields->count == 0) {
            // The status is that of the last substitution, if there was one.
            shell->status = 0;
            status = assign_all(shell, &node->assigns, false) ? shell->status : STATUS_FAILURE;
        } else if (node->assigns.count > 0) {
            status = run_assigned(shell, &node->assigns, fields);
        } else {
            status = run_fields(shell, fields);
        }
    }
    return restore_ports(shell, kept) ? status : STATUS_FAILURE;
}

static int run_simple(struct shell *shell, struct node *node)
{
    struct expand_host host = shell_host(shell);
    struct strings fields = {.items = NULL};
    int status = STATUS_FAILURE;
    if (expand_words(&host, &node->words, &fields)) {
        status = run_expanded(shell, node, &fields);
    }
    strings_free(&fields);
    return status;
}

/* --- pipelines and subshells ------------------------------------------------------------------------------ */

struct part {
    pthread_t thread;
    struct shell *shell;
    struct node *node;
    bool started;
};

static void *part_main(void *argument)
{
    struct part *part = argument;
    run_node(part->shell, part->node);
    // Its streams end with it, so that its neighbours see that.
    shell_free(part->shell);
    return NULL;
}

static bool part_start(struct part *part)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    part->started = quota_has_room(part->shell->job, 0) &&
                    quota_thread_create(&part->thread, &attributes, part_main, part);
    pthread_attr_destroy(&attributes);
    return part->started;
}

static int run_copy(struct shell *clone, struct node *node)
{
    int status = run_node(clone, node);
    shell_free(clone);
    return status;
}

/** The left side of @node beside the rest of the pipeline, @clone: a copy of the shell that is used up. */
static int run_pipe(struct shell *clone, struct node *node)
{
    struct port *read_end = NULL, *write_end = NULL;
    struct part left = {.node = node->left};
    if (clone->depth >= DEPTH_MAX || !port_pipe(clone, &read_end, &write_end) ||
        !(left.shell = shell_clone(clone))) {
        shell_complain(clone, "no memory for a pipe");
        port_release(read_end);
        port_release(write_end);
        shell_free(clone);
        return STATUS_FAILURE;
    }
    port_release(left.shell->ports[1]);
    left.shell->ports[1] = write_end;
    port_release(clone->ports[0]);
    clone->ports[0] = read_end;
    if (!part_start(&left)) {
        shell_complain(clone, "no memory for a thread");
        shell_free(left.shell);
    }
    clone->depth++;
    int status = node->right->kind == NODE_PIPE ? run_pipe(clone, node->right)
                                                : run_copy(clone, node->right);
    if (left.started) {
        pthread_join(left.thread, NULL);
    }
    return status;
}

static int run_subshell(struct shell *shell, struct node *node, bool pipe)
{
    struct shell *clone = shell_clone(shell);
    if (!clone) {
        shell_complain(shell, "no memory");
        return STATUS_FAILURE;
    }
    return pipe ? run_pipe(clone, node) : run_copy(clone, node);
}

/* --- compound commands ------------------------------------------------------------------------------------ */

/** After the body of a loop: whether to leave the loop. */
static bool loop_ends(struct shell *shell)
{
    if (shell->breaking > 0) {
        shell->breaking--;
        if (shell->breaking == 0 && shell->continuing) {
            shell->continuing = false;
            return false;
        }
        return true;
    }
    return run_stops(shell);
}

static bool run_condition(struct shell *shell, struct node *node)
{
    bool tested = shell->tested;
    shell->tested = true;
    int status = run_node(shell, node);
    shell->tested = tested;
    return status == 0;
}

static int run_while(struct shell *shell, struct node *node)
{
    int status = 0;
    shell->loops++;
    while (!run_stops(shell) && run_condition(shell, node->left) == (node->kind == NODE_WHILE) &&
           !run_stops(shell)) {
        status = run_node(shell, node->right);
        if (loop_ends(shell)) {
            break;
        }
    }
    shell->loops--;
    return status;
}

static int run_for(struct shell *shell, struct node *node)
{
    struct expand_host host = shell_host(shell);
    struct strings fields = {.items = NULL};
    int status = 0;
    if (node->has_words && !expand_words(&host, &node->words, &fields)) {
        strings_free(&fields);
        return STATUS_FAILURE;
    }
    for (size_t i = 1; !node->has_words && i < shell->arguments.count; i++) {
        strings_add(&fields, shell->arguments.items[i]);
    }
    shell->loops++;
    for (size_t i = 0; i < fields.count && !run_stops(shell); i++) {
        if (!shell_set(shell, node->name, fields.items[i])) {
            status = STATUS_FAILURE;
            break;
        }
        status = run_node(shell, node->left);
        if (loop_ends(shell)) {
            break;
        }
    }
    shell->loops--;
    strings_free(&fields);
    return status;
}

static bool case_matches(const struct expand_host *host, const struct node *item, const char *value)
{
    bool found = false;
    for (size_t i = 0; i < item->words.count && !found; i++) {
        char *pattern = expand_pattern(host, item->words.items[i]);
        found = pattern && pattern_match(pattern, value);
        free(pattern);
    }
    return found;
}

static int run_case(struct shell *shell, struct node *node)
{
    struct expand_host host = shell_host(shell);
    char *value = expand_string(&host, node->name);
    int status = value ? 0 : STATUS_FAILURE;
    for (struct node *item = node->left; item && value; item = item->right) {
        if (case_matches(&host, item, value)) {
            status = item->left ? run_node(shell, item->left) : 0;
            break;
        }
    }
    free(value);
    return status;
}

static int run_if(struct shell *shell, struct node *node)
{
    bool yes = run_condition(shell, node->left);
    struct node *branch = yes ? node->right : node->other;
    return branch && !run_stops(shell) ? run_node(shell, branch)
           : run_stops(shell)          ? shell->status
                                       : 0;
}

static int run_define(struct shell *shell, struct node *node)
{
    return shell_define(shell, node->name, node->left) ? 0 : STATUS_FAILURE;
}

/** What is neither simple nor has redirections. */
static int run_kind(struct shell *shell, struct node *node)
{
    switch (node->kind) {
    case NODE_PIPE:
        return run_subshell(shell, node, true);
    case NODE_AND:
        return run_condition(shell, node->left) && !run_stops(shell) ? run_node(shell, node->right)
                                                                     : shell->status;
    case NODE_OR:
        return run_condition(shell, node->left) || run_stops(shell) ? shell->status
                                                                    : run_node(shell, node->right);
    case NODE_NOT:
        return !run_condition(shell, node->left) ? 0 : STATUS_FAILURE;
    case NODE_BACKGROUND:
        return job_start(shell, node);
    case NODE_SUBSHELL:
        return run_subshell(shell, node->left, false);
    case NODE_GROUP:
        return run_node(shell, node->left);
    case NODE_IF:
        return run_if(shell, node);
    case NODE_WHILE:
    case NODE_UNTIL:
        return run_while(shell, node);
    case NODE_FOR:
        return run_for(shell, node);
    case NODE_CASE:
        return run_case(shell, node);
    default:
        return run_define(shell, node);
    }
}

static int run_redirected(struct shell *shell, struct node *node)
{
    struct port *kept[3];
    if (!node->redirects) {
        return run_kind(shell, node);
    }
    keep_ports(shell, kept);
    int status = apply_redirects(shell, node->redirects) ? run_kind(shell, node) : STATUS_FAILURE;
    return restore_ports(shell, kept) ? status : STATUS_FAILURE;
}

static bool is_tested_by_itself(const struct node *node)
{
    return node->kind == NODE_AND || node->kind == NODE_OR || node->kind == NODE_NOT;
}

int run_node(struct shell *shell, struct node *node)
{
    // A sequence is a chain to the right.
    while (node && node->kind == NODE_SEQUENCE && !run_stops(shell)) {
        run_node(shell, node->left);
        node = node->right;
    }
    if (shell_interrupted(shell)) {
        // It may not have run anything yet.
        shell->status = STATUS_INTERRUPT;
    }
    if (!node || run_stops(shell)) {
        return shell->status;
    }
    if (shell->depth >= DEPTH_MAX) {
        shell_complain(shell, "nested too deep");
        shell->status = STATUS_FAILURE;
        shell->too_deep = true;
        return shell->status;
    }
    shell->depth++;
    int status = node->kind == NODE_SIMPLE ? run_simple(shell, node) : run_redirected(shell, node);
    shell->depth--;
    shell->status = shell_interrupted(shell) ? STATUS_INTERRUPT : status;
    if (shell->status != 0 && shell->exit_on_failure && !shell->tested &&
        !is_tested_by_itself(node)) {
        shell->exiting = true;
    }
    return shell->status;
}

/* --- texts ------------------------------------------------------------------------------------------------ */

int run_text(struct shell *shell, const char *text, const char *name)
{
    struct node *tree;
    const char *message;
    unsigned line;
    if (parse(text, &tree, &message, &line) != PARSE_OK) {
        shell_complain(shell, "%s: line %u: %s", name, line, message);
        shell->status = STATUS_USAGE;
        return STATUS_USAGE;
    }
    if (!tree) {
        shell->status = 0;
        return 0;
    }
    int status = run_node(shell, tree);
    node_free(tree);
    return status;
}

static bool swap_arguments(struct shell *shell, struct strings *arguments)
{
    struct strings kept = shell->arguments;
    shell->arguments = *arguments;
    *arguments = kept;
    return !shell->arguments.failed;
}

int run_with_arguments(struct shell *shell, struct node *node, const struct strings *fields)
{
    struct strings arguments = {.items = NULL};
    unsigned loops = shell->loops;
    int status = STATUS_FAILURE;
    strings_add(&arguments, shell->arguments.count ? shell->arguments.items[0] : "vsh");
    for (size_t i = 1; i < fields->count; i++) {
        strings_add(&arguments, fields->items[i]);
    }
    shell->loops = 0;
    if (swap_arguments(shell, &arguments)) {
        status = run_node(shell, node);
    }
    swap_arguments(shell, &arguments);
    shell->loops = loops;
    if (shell->returning) {
        shell->returning = false;
        status = shell->status;
    }
    strings_free(&arguments);
    return status;
}

status_t load_text(const struct shell *shell, const char *path, void **text, size_t *bytes)
{
    struct file_status info;
    status_t status = file_status(path, 0, &info);
    if (status_is_ok(status) &&
        (info.attributes.bytes > SIZE_MAX / QUOTA_TEXT_FACTOR ||
         !quota_has_room(shell->job, info.attributes.bytes * QUOTA_TEXT_FACTOR))) {
        return STATUS_NO_MEMORY;
    }
    return status_is_ok(status) ? file_load(path, text, bytes) : status;
}

int run_script(struct shell *shell, const char *path, const struct strings *fields)
{
    void *text = NULL;
    size_t bytes = 0;
    status_t loaded = load_text(shell, path, &text, &bytes);
    if (!status_is_ok(loaded)) {
        shell_complain(shell, "%s: %s", fields->items[0], status_words(loaded));
        return loaded == STATUS_NOT_FOUND ? STATUS_NO_COMMAND : STATUS_NOT_A_PROGRAM;
    }
    struct shell *clone = strlen(text) == bytes ? shell_clone(shell) : NULL;
    if (!clone) {
        shell_complain(shell, "%s: neither a program nor a script", fields->items[0]);
        free(text);
        return STATUS_NOT_A_PROGRAM;
    }
    strings_free(&clone->arguments);
    for (size_t i = 0; i < fields->count; i++) {
        strings_add(&clone->arguments, fields->items[i]);
    }
    int status = run_text(clone, text, fields->items[0]);
    shell_free(clone);
    free(text);
    return status;
}

/* libFuzzer target of the shell's parser and expansion: the input is a script; of every command that it has, all words are expanded, in a shell of
 * a few variables where commands print their own text. */
#include "target.h"

#include <expand.h>
#include <fake_shell.h>
#include <parse.h>

#define DEPTH 6u

static const char *const variables[][2] = {{"x", "a b*"}, {"n", "7"}, {NULL, NULL}};
static char *arguments[] = {"one", "two words", ""};
static struct fake_shell fake = {.variables = variables,
                                 .arguments = arguments,
                                 .argument_count = sizeof(arguments) / sizeof(arguments[0])};

static bool host_substitute(void *shell, const char *script, struct text *out)
{
    (void)shell;
    text_string(out, script);
    text_string(out, "\n\n");
    return true;
}

/* The components of @path that end in it. */
static unsigned depth(const char *path)
{
    unsigned count = 0;
    for (size_t i = 1; path[0] != '\0' && path[i] != '\0'; i++)
        count += path[i] == '/' && path[i - 1] != '/';
    return count;
}

/* All are directories with the same names, to a depth: else a pattern of many components has more matches than there is memory for. */
static void host_list(void *shell, const char *directory, struct strings *names)
{
    (void)shell;
    if (depth(directory) >= DEPTH)
        return;
    strings_add(names, "b.c");
    strings_add(names, ".hidden");
    strings_add(names, "sub");
}

static bool host_exists(void *shell, const char *path)
{
    (void)shell;
    return strlen(path) % 2 == 0;
}

static const struct expand_host host = {.shell = &fake,
                                        .get = fake_get,
                                        .set = fake_set,
                                        .arguments = fake_arguments,
                                        .substitute = host_substitute,
                                        .list = host_list,
                                        .exists = host_exists,
                                        .complain = fake_complain};

static void expand_all(const struct strings *words)
{
    struct strings fields = {0};
    (void)expand_words(&host, words, &fields);
    strings_free(&fields);
    for (size_t i = 0; i < words->count; i++) {
        free(expand_string(&host, words->items[i]));
        free(expand_pattern(&host, words->items[i]));
    }
}

static void walk(const struct node *node)
{
    int64_t value;
    if (node == NULL)
        return;
    expand_all(&node->words);
    expand_all(&node->assigns);
    for (const struct redirect *redirect = node->redirects; redirect != NULL;
         redirect = redirect->next)
        free(redirect->kind == REDIRECT_HERE ? expand_here(&host, redirect->word)
                                             : expand_string(&host, redirect->word));
    for (size_t i = 0; i < node->words.count; i++)
        (void)arithmetic(&host, node->words.items[i], &value);
    walk(node->left);
    walk(node->right);
    walk(node->other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct node *tree = NULL;
    const char *message = NULL;
    unsigned line = 0;
    char *script = malloc(size + 1);
    HOLDS(script != NULL);
    memcpy(script, data, size);
    script[size] = '\0';
    fake.set_name[0] = '\0';
    if (parse(script, &tree, &message, &line) == PARSE_OK)
        walk(tree);
    else
        HOLDS(message != NULL && tree == NULL);
    node_free(tree);
    free(script);
    return 0;
}

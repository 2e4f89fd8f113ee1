/* find: names in trees.
 *
 * The expression becomes a tree of tests once, and is asked for each file. A directory's names are read before what is below it is
 * looked at, so -delete and -exec may change it meanwhile. */
#include "tools.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <tool/pattern.h>

#include "list.h"
#include "spawn.h"

#define DEPTH_MAX 60u
#define ARGUMENTS_BYTES (UINT64_C(512) << 10)

enum test_kind {
    TEST_NAME,
    TEST_PATH,
    TEST_TYPE,
    TEST_SIZE,
    TEST_EMPTY,
    TEST_NEWER,
    TEST_PRINT,
    TEST_PRINT0,
    TEST_LS,
    TEST_EXEC,
    TEST_EXEC_MANY,
    TEST_DELETE,
    TEST_PRUNE,
    TEST_QUIT,
    TEST_TRUE,
    TEST_NOT,
    TEST_AND,
    TEST_OR
};

struct test {
    enum test_kind kind;
    struct test *left, *right;
    const char *text; /* a pattern; a type's letter */
    int64_t time_ns;
    uint64_t number, unit;
    char sign;      /* of the number: '+', '-' or 0 */
    char **command; /* EXEC: the words */
    size_t words;
    struct strings paths; /* EXEC_MANY: gathered */
    size_t path_bytes;
};

struct found {
    const char *path;
    unsigned depth;
    struct file_status info;
    bool pruned;
};

static char **word;
static int words_left;
static bool acts, depth_first, quit;
static unsigned depth_min, depth_limit = UINT32_MAX;
static int result;

static struct test *parse_or(unsigned depth);

/* --- tests ------------------------------------------------------------------------------------------------- */

static int run_command(const struct test *test, char *const *paths, size_t count)
{
    char **argv = must_have(calloc(test->words + count + 1, sizeof(*argv)));
    size_t used = 0;
    for (size_t i = 0; i < test->words; i++) {
        if (strcmp(test->command[i], "{}") != 0) {
            argv[used++] = test->command[i];
        } else {
            memcpy(argv + used, paths, count * sizeof(*argv));
            used += count;
        }
    }
    int status = run_program(argv, environ, DEADLINE_NEVER);
    free(argv);
    return status;
}

static void run_gathered(struct test *test)
{
    if (test->paths.count > 0 && run_command(test, test->paths.items, test->paths.count) != 0) {
        result = EXIT_FAILURE;
    }
    strings_free(&test->paths);
    test->path_bytes = 0;
}

static void gather(struct test *test, const char *path)
{
    test->path_bytes += strlen(path) + 1 + sizeof(char *);
    strings_add(&test->paths, path);
    if (test->path_bytes > ARGUMENTS_BYTES || test->paths.failed) {
        run_gathered(test);
    }
}

static bool is_empty(const struct found *found)
{
    struct strings names = {.items = NULL};
    if (found->info.attributes.type == FS_TYPE_FILE) {
        return found->info.attributes.bytes == 0;
    }
    bool empty = found->info.attributes.type == FS_TYPE_DIRECTORY &&
                 status_is_ok(read_names(found->path, &names)) && names.count == 0;
    strings_free(&names);
    return empty;
}

static bool is_type(const struct found *found, const char *letters)
{
    static const char known[] = "?fdlcbps";
    uint32_t type = found->info.attributes.type;
    return type < sizeof(known) - 1 && strchr(letters, known[type]);
}

static bool is_size(const struct test *test, const struct found *found)
{
    uint64_t units = (found->info.attributes.bytes + test->unit - 1) / test->unit;
    return test->sign == '+'   ? units > test->number
           : test->sign == '-' ? units < test->number
                               : units == test->number;
}

static bool delete(const struct found *found)
{
    if (strcmp(found->path, ".") == 0) {
        return true;
    }
    status_t status = found->info.attributes.type == FS_TYPE_DIRECTORY ? file_rmdir(found->path)
                                                                       : file_unlink(found->path);
    if (!status_is_ok(status)) {
        result = complain_status(found->path, status);
    }
    return status_is_ok(status);
}

static bool name_matches(const char *pattern, const char *path)
{
    const char *base = path_base(path);
    size_t bytes = strcspn(base, "/");
    return pattern_match_bytes(pattern, base, bytes ? bytes : strlen(base));
}

/** What is neither a test of attributes nor of other tests: something is done. */
static bool act(struct test *test, struct found *found)
{
    char *path[] = {(char *)(uintptr_t)found->path};
    switch (test->kind) {
    case TEST_PRINT:
        out_format("%s\n", found->path);
        return true;
    case TEST_PRINT0:
        out_write(found->path, strlen(found->path) + 1);
        return true;
    case TEST_LS:
        out_format("%10" PRIu64 " %s\n", found->info.attributes.bytes, found->path);
        return true;
    case TEST_EXEC:
        return run_command(test, path, 1) == 0;
    case TEST_EXEC_MANY:
        gather(test, found->path);
        return true;
    case TEST_DELETE:
        return delete (found);
    case TEST_PRUNE:
        found->pruned = true;
        return true;
    case TEST_QUIT:
        quit = true;
        return true;
    default:
        return true;
    }
}

static bool ask(struct test *test, struct found *found)
{
    switch (test->kind) {
    case TEST_NAME:
        return name_matches(test->text, found->path);
    case TEST_PATH:
        return pattern_match(test->text, found->path);
    case TEST_TYPE:
        return is_type(found, test->text);
    case TEST_SIZE:
        return is_size(test, found);
    case TEST_EMPTY:
        return is_empty(found);
    case TEST_NEWER:
        return found->info.attributes.modified_ns > test->time_ns;
    case TEST_NOT:
        return !ask(test->left, found);
    case TEST_AND:
        return ask(test->left, found) && ask(test->right, found);
    case TEST_OR:
        return ask(test->left, found) || ask(test->right, found);
    default:
        return act(test, found);
    }
}

/** At the end: the commands whose files were gathered. */
static void finish(struct test *test)
{
    if (test && test->kind == TEST_EXEC_MANY) {
        run_gathered(test);
    } else if (test) {
        finish(test->left);
        finish(test->right);
    }
}

/* --- the expression ---------------------------------------------------------------------------------------- */

static _Noreturn void wrong(const char *what)
{
    complain("%s: no expression", what);
    exit(usage(
        "[path …] [-name p] [-path p] [-type fdl] [-size n[ckMG]] [-empty] [-newer f] [-maxdepth n] [-mindepth n] [-depth]\n"
        "       [-print] [-print0] [-ls] [-delete] [-prune] [-quit] [-exec command {} ;|+] [! e] [( e )] [e -o e]"));
}

static char *next_word(const char *after)
{
    if (words_left == 0) {
        wrong(after);
    }
    words_left--;
    return *word++;
}

static struct test *test_new(enum test_kind kind, struct test *left, struct test *right)
{
    struct test *test = must_have(calloc(1, sizeof(*test)));
    *test = (struct test){.kind = kind, .left = left, .right = right};
    return test;
}

static struct test *parse_size(char *text)
{
    struct test *test = test_new(TEST_SIZE, NULL, NULL);
    char *end;
    test->sign = *text == '+' || *text == '-' ? *text++ : 0;
    test->number = strtoull(text, &end, 10);
    test->unit = *end == 'c'   ? 1
                 : *end == 'k' ? 1024
                 : *end == 'M' ? 1048576
                 : *end == 'G' ? 1073741824
                               : 512;
    if (end == text || (*end && end[1])) {
        wrong(text);
    }
    return test;
}

static struct test *parse_exec(void)
{
    struct test *test = test_new(TEST_EXEC, NULL, NULL);
    test->command = word;
    for (;;) {
        const char *text = next_word("-exec");
        if (strcmp(text, ";") == 0) {
            break;
        }
        if (strcmp(text, "+") == 0 && test->words > 0 &&
            strcmp(test->command[test->words - 1], "{}") == 0) {
            test->kind = TEST_EXEC_MANY;
            break;
        }
        test->words++;
    }
    if (test->words == 0) {
        wrong("-exec");
    }
    return test;
}

static struct test *parse_newer(const char *path)
{
    struct file_status info;
    struct test *test = test_new(TEST_NEWER, NULL, NULL);
    status_t status = file_status(path, 0, &info);
    if (!status_is_ok(status)) {
        exit(complain_status(path, status));
    }
    test->time_ns = info.attributes.modified_ns;
    return test;
}

static struct test *parse_text(enum test_kind kind, const char *option)
{
    struct test *test = test_new(kind, NULL, NULL);
    test->text = next_word(option);
    return test;
}

static struct test *parse_option(const char *option)
{
    static const struct {
        const char *name;
        enum test_kind kind;
    } actions[] = {
        {"-print", TEST_PRINT},   {"-print0", TEST_PRINT0}, {"-ls", TEST_LS},
        {"-delete", TEST_DELETE}, {"-quit", TEST_QUIT},
    };
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        if (strcmp(option, actions[i].name) == 0) {
            acts = true;
            depth_first = depth_first || actions[i].kind == TEST_DELETE;
            return test_new(actions[i].kind, NULL, NULL);
        }
    }
    if (strcmp(option, "-exec") == 0) {
        acts = true;
        return parse_exec();
    }
    if (strcmp(option, "-maxdepth") == 0 || strcmp(option, "-mindepth") == 0) {
        uint64_t number;
        if (!parse_number(next_word(option), &number)) {
            wrong(option);
        }
        *(option[2] == 'a' ? &depth_limit : &depth_min) =
            number < UINT32_MAX ? (unsigned)number : UINT32_MAX;
        return test_new(TEST_TRUE, NULL, NULL);
    }
    wrong(option);
}

static struct test *parse_primary(unsigned depth)
{
    const char *option = next_word("find");
    if (depth > DEPTH_MAX) {
        wrong(option);
    }
    if (strcmp(option, "!") == 0 || strcmp(option, "-not") == 0) {
        return test_new(TEST_NOT, parse_primary(depth + 1), NULL);
    }
    if (strcmp(option, "(") == 0) {
        struct test *test = parse_or(depth + 1);
        if (strcmp(next_word("("), ")") != 0) {
            wrong("(");
        }
        return test;
    }
    if (strcmp(option, "-name") == 0) {
        return parse_text(TEST_NAME, option);
    }
    if (strcmp(option, "-path") == 0) {
        return parse_text(TEST_PATH, option);
    }
    if (strcmp(option, "-type") == 0) {
        return parse_text(TEST_TYPE, option);
    }
    if (strcmp(option, "-size") == 0) {
        return parse_size(next_word(option));
    }
    if (strcmp(option, "-newer") == 0) {
        return parse_newer(next_word(option));
    }
    if (strcmp(option, "-empty") == 0) {
        return test_new(TEST_EMPTY, NULL, NULL);
    }
    if (strcmp(option, "-prune") == 0) {
        return test_new(TEST_PRUNE, NULL, NULL);
    }
    if (strcmp(option, "-depth") == 0) {
        depth_first = true;
        return test_new(TEST_TRUE, NULL, NULL);
    }
    return parse_option(option);
}

static bool next_is(const char *text)
{
    return words_left > 0 && strcmp(*word, text) == 0;
}

static struct test *parse_and(unsigned depth)
{
    struct test *test = parse_primary(depth);
    while (words_left > 0 && !next_is("-o") && !next_is(")")) {
        if (next_is("-a")) {
            next_word("-a");
        }
        test = test_new(TEST_AND, test, parse_primary(depth));
    }
    return test;
}

static struct test *parse_or(unsigned depth)
{
    struct test *test = parse_and(depth);
    while (next_is("-o")) {
        next_word("-o");
        test = test_new(TEST_OR, test, parse_and(depth));
    }
    return test;
}

/* --- trees ------------------------------------------------------------------------------------------------- */

static void visit(struct test *test, const char *path, unsigned depth);

static void visit_below(struct test *test, const struct found *found)
{
    struct strings names = {.items = NULL};
    status_t status = read_names(found->path, &names);
    if (!status_is_ok(status)) {
        result = complain_status(found->path, status);
    }
    for (size_t i = 0; i < names.count && !quit; i++) {
        char *below = path_join(found->path, names.items[i]);
        visit(test, below, found->depth + 1);
        free(below);
    }
    strings_free(&names);
}

static void visit(struct test *test, const char *path, unsigned depth)
{
    struct found found = {.path = path, .depth = depth};
    status_t status = file_status(path, FILE_PATH_NO_FOLLOW, &found.info);
    if (!status_is_ok(status)) {
        result = complain_status(path, status);
        return;
    }
    bool below = found.info.attributes.type == FS_TYPE_DIRECTORY && depth < depth_limit;
    if (below && depth_first) {
        visit_below(test, &found);
    }
    if (depth >= depth_min && !quit) {
        ask(test, &found);
    }
    if (below && !depth_first && !found.pruned && !quit) {
        visit_below(test, &found);
    }
}

int find_main(int argc, char **argv)
{
    int paths = 1;
    while (paths < argc && argv[paths][0] != '-' && strcmp(argv[paths], "(") != 0 &&
           strcmp(argv[paths], "!") != 0) {
        paths++;
    }
    word = argv + paths;
    words_left = argc - paths;
    struct test *test = words_left > 0 ? parse_or(0) : NULL;
    if (words_left > 0) {
        wrong(*word);
    }
    if (!test || !acts) {
        struct test *print = test_new(TEST_PRINT, NULL, NULL);
        test = test ? test_new(TEST_AND, test, print) : print;
    }
    if (paths == 1) {
        visit(test, ".", 0);
    }
    for (int i = 1; i < paths && !quit; i++) {
        visit(test, argv[i], 0);
    }
    finish(test);
    return result;
}

/* Expansion, with a shell of a few variables and a directory of a few names. */
#include "expand.h"

#include <stdlib.h>
#include <string.h>

#include "fake_shell.h"
#include "tests.h"

static const char *const variables[][2] = {
    {"x", "value"},    {"s", "a  b c"},  {"empty", ""},
    {"n", "7"},        {"star", "*"},    {"path", "/usr/lib/libc.so"},
    {"HOME", "/home"}, {"?", "3"},       {"#", "3"},
    {"1", "one"},      {"back", "a\\b"}, {NULL, NULL},
};
static char *arguments[] = {"one", "two words", "three"};
static struct fake_shell fake = {
    .variables = variables,
    .arguments = arguments,
    .argument_count = 3,
};

static bool host_substitute(void *shell, const char *script, struct text *out)
{
    (void)shell;
    text_format(out, "<%s>\n\n", script);
    return true;
}

static void host_list(void *shell, const char *directory, struct strings *names)
{
    (void)shell;
    if (strcmp(directory, ".") == 0) {
        strings_add(names, "b.c");
        strings_add(names, "a.c");
        strings_add(names, ".hidden");
        strings_add(names, "sub");
    } else if (strcmp(directory, "sub/") == 0) {
        strings_add(names, "d.c");
    }
}

static bool host_exists(void *shell, const char *path)
{
    (void)shell;
    return strcmp(path, "a.c/d.c") != 0 && strcmp(path, "b.c/d.c") != 0;
}

static const struct expand_host host = {
    .shell = &fake,
    .get = fake_get,
    .set = fake_set,
    .arguments = fake_arguments,
    .substitute = host_substitute,
    .list = host_list,
    .exists = host_exists,
    .complain = fake_complain,
};

/** The fields of @word, each in brackets. */
static bool gives(const char *word, const char *expected)
{
    struct strings words = {.items = NULL}, fields = {.items = NULL};
    struct text text = {.data = NULL};
    fake.set_name[0] = '\0';
    strings_add(&words, word);
    bool good = expand_words(&host, &words, &fields);
    for (size_t i = 0; i < fields.count; i++) {
        text_format(&text, "[%s]", fields.items[i]);
    }
    good = good && strcmp(text_get(&text), expected) == 0;
    text_free(&text);
    strings_free(&words);
    strings_free(&fields);
    return good;
}

static bool fails(const char *word)
{
    struct strings words = {.items = NULL}, fields = {.items = NULL};
    fake.complaints = 0;
    strings_add(&words, word);
    bool good = expand_words(&host, &words, &fields);
    strings_free(&words);
    strings_free(&fields);
    return !good && fake.complaints > 0;
}

static void test_expand_quotes(void)
{
    CHECK(gives("plain", "[plain]") && gives("'a b'", "[a b]") && gives("\"a b\"", "[a b]"));
    CHECK(gives("a\\ b", "[a b]") && gives("''", "[]") && gives("\"\"", "[]"));
    CHECK(gives("'$x'", "[$x]") && gives("\"$x\"", "[value]") && gives("\\$x", "[$x]"));
    CHECK(gives("\"a\\\"b\\n\"", "[a\"b\\n]") && gives("a'b'\"c\"", "[abc]"));
}

static void test_expand_parameters(void)
{
    CHECK(gives("$x", "[value]") && gives("${x}y", "[valuey]") && gives("$nothing", "") &&
          gives("\"$nothing\"", "[]"));
    CHECK(gives("$?", "[3]") && gives("$#", "[3]") && gives("$1", "[one]") &&
          gives("${#x}", "[5]") && gives("$", "[$]"));
    CHECK(gives("${nothing:-word}", "[word]") && gives("${empty-word}", "") &&
          gives("${empty:-a b}", "[a][b]") == false);
    CHECK(gives("${x:+set}", "[set]") && gives("${nothing:+set}", "") &&
          gives("${new:=given}$new", "[givengiven]"));
    CHECK(gives("${path##*/}", "[libc.so]") && gives("${path%/*}", "[/usr/lib]") &&
          gives("${path%%/*}", ""));
    CHECK(gives("${path#*/}", "[usr/lib/libc.so]") && gives("${path%.so}", "[/usr/lib/libc]"));
    CHECK(fails("${nothing:?}") && fails("${}") && fails("${x!}"));
}

static void test_expand_splits_fields(void)
{
    CHECK(gives("$s", "[a][b][c]") && gives("\"$s\"", "[a  b c]") && gives("x$s", "[xa][b][c]"));
    CHECK(gives("$@", "[one][two][words][three]") && gives("\"$@\"", "[one][two words][three]"));
    CHECK(gives("\"$*\"", "[one two words three]") &&
          gives("\"a$@b\"", "[aone][two words][threeb]"));
    CHECK(gives("$empty", "") && gives("$empty$empty''", "[]"));
}

static void test_expand_substitutes(void)
{
    CHECK(gives("\"$(a | b)\"", "[<a | b>]") && gives("$(a b)", "[<a][b>]") &&
          gives("\"`a \\`b\\``\"", "[<a `b`>]"));
    CHECK(gives("$((1 + 2 * 3))", "[7]") && gives("$((n * n))", "[49]") &&
          gives("$(( (1+2)*3 ))", "[9]"));
}

static void test_expand_names(void)
{
    CHECK(gives("*.c", "[a.c][b.c]") && gives("'*.c'", "[*.c]") && gives("*.h", "[*.h]") &&
          gives("\\*.c", "[*.c]"));
    CHECK(gives("*", "[a.c][b.c][sub]") && gives(".h*", "[.hidden]") &&
          gives("$star.c", "[a.c][b.c]"));
    CHECK(gives("\"$star\"", "[*]") && gives("[ab].c", "[a.c][b.c]") &&
          gives("*/d.c", "[sub/d.c]"));
    CHECK(gives("$back", "[a\\b]") && gives("~", "[/home]") && gives("~/x", "[/home/x]") &&
          gives("a~", "[a~]"));
}

static void test_expand_one_string(void)
{
    char *string = expand_string(&host, "$s *");
    CHECK(string && strcmp(string, "a  b c *") == 0);
    free(string);
    string = expand_pattern(&host, "'*'*");
    CHECK(string && strcmp(string, "\\**") == 0);
    free(string);
    string = expand_here(&host, "say \"$x\" 'it' \\$x\n");
    CHECK(string && strcmp(string, "say \"value\" 'it' $x\n") == 0);
    free(string);
}

static bool computes(const char *text, int64_t expected)
{
    int64_t value = 0;
    return !arithmetic(&host, text, &value) && value == expected;
}

static void test_arithmetic_computes(void)
{
    int64_t value;
    CHECK(computes("1+2*3-4/2%3", 5) && computes("(1+2)*3", 9) && computes("-3", -3) &&
          computes("!0", 1) && computes("~0", -1));
    CHECK(computes("1<2 && 2<=2 || 0", 1) && computes("3==3 != 0", 1) && computes("1<<4|1", 17) &&
          computes("0x10+010", 24));
    CHECK(computes("", 0) && computes("undefined+1", 1) && computes("n%4", 3));
    CHECK(computes("9223372036854775807+1", INT64_MIN) &&
          computes("-9223372036854775808/-1", INT64_MIN));
    CHECK(computes("-9223372036854775808%-1", 0));
    CHECK(arithmetic(&host, "1/0", &value) && arithmetic(&host, "1+", &value) &&
          arithmetic(&host, "(1", &value));
    CHECK(arithmetic(&host, "1 2", &value) && arithmetic(&host, "x", &value));
}

static void test_expand_nesting_is_limited(void)
{
    static const char *const pieces[] = {"${a:-", "$((", "\"${a:-", "(", "-"};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct text text = {.data = NULL};
        int64_t value;
        for (int n = 0; n < 20000; n++) {
            text_string(&text, pieces[i]);
        }
        free(expand_string(&host, text_get(&text)));
        CHECK(arithmetic(&host, text_get(&text), &value));
        text_free(&text);
    }
}

static void test_expand_random_input_is_harmless(void)
{
    static const char *const pieces[] = {
        "a",   " ",  "'", "\"", "`", "$", "${",  "}",  "\\",     "$(", ")",
        "$((", "))", "x", "@",  "*", "#", "%",   ":",  "-",      "=",  "+",
        "?",   "[",  "]", "/",  "~", "1", "${x", "$@", "\"$@\"",
    };
    uint64_t seed = 11;
    for (int i = 0; i < 60000; i++) {
        struct text text = {.data = NULL};
        for (uint32_t n = next_random(&seed) % 16; n > 0; n--) {
            text_string(&text, pieces[next_random(&seed) % (sizeof(pieces) / sizeof(pieces[0]))]);
        }
        char *exact = strdup(text_get(&text));
        struct strings words = {.items = NULL}, fields = {.items = NULL};
        int64_t value;
        strings_add(&words, exact);
        (void)expand_words(&host, &words, &fields);
        free(expand_string(&host, exact));
        free(expand_here(&host, exact));
        (void)arithmetic(&host, exact, &value);
        strings_free(&words);
        strings_free(&fields);
        free(exact);
        text_free(&text);
    }
}

const struct test expand_tests[] = {
    TEST(test_expand_quotes),
    TEST(test_expand_parameters),
    TEST(test_expand_splits_fields),
    TEST(test_expand_substitutes),
    TEST(test_expand_names),
    TEST(test_expand_one_string),
    TEST(test_arithmetic_computes),
    TEST(test_expand_nesting_is_limited),
    TEST(test_expand_random_input_is_harmless),
    {NULL, NULL},
};

/* The grammar: what is a command, what wants another line, what is wrong, and that no input does harm. */
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "tests.h"

static enum parse_result parsed(const char *text, struct node **tree)
{
    const char *message;
    unsigned line;
    char *exact = strdup(text);
    enum parse_result result = parse(exact, tree, &message, &line);
    CHECK((result == PARSE_OK) == (message == NULL));
    free(exact);
    return result;
}

static bool is(const char *text, enum parse_result expected)
{
    struct node *tree;
    bool good = parsed(text, &tree) == expected;
    node_free(tree);
    return good;
}

static enum node_kind kind_of(const char *text)
{
    struct node *tree;
    CHECK(parsed(text, &tree) == PARSE_OK && tree);
    enum node_kind kind = tree ? tree->kind : NODE_FUNCTION;
    node_free(tree);
    return kind;
}

static void test_parse_kinds_of_commands(void)
{
    CHECK(kind_of("a b c") == NODE_SIMPLE);
    CHECK(kind_of("a | b | c") == NODE_PIPE);
    CHECK(kind_of("a && b || c") == NODE_OR);
    CHECK(kind_of("! a") == NODE_NOT);
    CHECK(kind_of("a; b; c") == NODE_SEQUENCE);
    CHECK(kind_of("a &") == NODE_BACKGROUND);
    CHECK(kind_of("(a; b)") == NODE_SUBSHELL);
    CHECK(kind_of("{ a; b; }") == NODE_GROUP);
    CHECK(kind_of("if a; then b; elif c; then d; else e; fi") == NODE_IF);
    CHECK(kind_of("while a; do b; done") == NODE_WHILE);
    CHECK(kind_of("until a; do b; done < f") == NODE_UNTIL);
    CHECK(kind_of("for x in a b; do c; done") == NODE_FOR);
    CHECK(kind_of("for x; do c; done") == NODE_FOR);
    CHECK(kind_of("case x in a|b) c;; (d) ;; *) e; esac") == NODE_CASE);
    CHECK(kind_of("f() { a; }") == NODE_FUNCTION);
}

static void test_parse_words_stay_as_they_are(void)
{
    struct node *tree;
    CHECK(parsed("x=1 y='a b' echo \"a b\" $(c | d) ${e:-f g} `h i` \\  # comment", &tree) ==
          PARSE_OK);
    CHECK(tree->assigns.count == 2 && strcmp(tree->assigns.items[1], "y='a b'") == 0);
    CHECK(tree->words.count == 6 && strcmp(tree->words.items[2], "$(c | d)") == 0);
    CHECK(strcmp(tree->words.items[5], "\\ ") == 0);
    node_free(tree);
}

static void test_parse_redirections(void)
{
    struct node *tree;
    CHECK(parsed("a < b > c 2>> d 2>&1", &tree) == PARSE_OK);
    struct redirect *r = tree->redirects;
    CHECK(r && r->kind == REDIRECT_READ && r->stream == 0 && strcmp(r->word, "b") == 0);
    CHECK(r->next->kind == REDIRECT_WRITE && r->next->stream == 1);
    CHECK(r->next->next->kind == REDIRECT_APPEND && r->next->next->stream == 2);
    CHECK(r->next->next->next->kind == REDIRECT_DUPLICATE);
    node_free(tree);
    CHECK(parsed("cat <<A <<-'B'; c\none\nA\n\t$two\n\tB\n", &tree) == PARSE_OK);
    r = tree->left->redirects;
    CHECK(r->kind == REDIRECT_HERE && strcmp(r->word, "one\n") == 0);
    CHECK(r->next->kind == REDIRECT_HERE_LITERAL && strcmp(r->next->word, "$two\n") == 0);
    node_free(tree);
    CHECK(is("a 3> b", PARSE_ERROR) && is("a >\n", PARSE_ERROR));
}

/* What the background is called, on one line, and no longer than a line. */
static void test_parse_keeps_how_it_was_written(void)
{
    struct node *tree;
    CHECK(parsed("a; { b 'c d' |\n\te; } >f  & g", &tree) == PARSE_OK);
    CHECK(tree->right->left->kind == NODE_BACKGROUND);
    CHECK(strcmp(tree->right->left->name, "{ b 'c d' |  e; } >f") == 0);
    node_free(tree);
    // 59 bytes, and a character of two that does not fit.
    CHECK(parsed("aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa\xc3\xa9 &", &tree) ==
          PARSE_OK);
    CHECK(strcmp(tree->name, "aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa aaaaaaaaa...") ==
          0);
    node_free(tree);
}

static void test_parse_wants_more(void)
{
    static const char *const texts[] = {
        "a |",       "a &&",         "a ||\n",  "'a",           "\"a",         "$(a",
        "${a",       "`a",           "if a",    "if a; then b", "while a; do", "for x in a",
        "case x in", "case x in a)", "(a",      "{ a;",         "f()",         "cat <<A\nb",
        "a \\",      "a \\\n",       "a b\\\n", "a | \\\n",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK(is(texts[i], PARSE_INCOMPLETE));
    }
}

static void test_parse_refuses(void)
{
    static const char *const texts[] = {
        "|",
        "a | | b",
        "a && && b",
        ")",
        "fi",
        "if ; then",
        "for 1 in a; do b; done",
        "a ;; b",
        "done",
        "case x in a b) c;; esac",
        "a (b)",
        "1f() { a; }",
        "} a",
        "f() a",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK(is(texts[i], PARSE_ERROR));
    }
}

static void test_parse_nothing_is_nothing(void)
{
    struct node *tree;
    CHECK(parsed("", &tree) == PARSE_OK && !tree);
    CHECK(parsed(" \n\t# only this\n", &tree) == PARSE_OK && !tree);
}

static void test_parse_nesting_is_limited(void)
{
    static const char *const pieces[] = {"(",    "{ ", "if ",  "while ", "$(",           "${a:-",
                                         "\"$(", "! ", "a &&", "f() {",  "case x in a) "};
    for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
        struct text text = {.data = NULL};
        for (int n = 0; n < 20000; n++) {
            text_string(&text, pieces[i]);
        }
        CHECK(!is(text_get(&text), PARSE_OK));
        text_free(&text);
    }
}

static void test_parse_long_lists_are_fine(void)
{
    struct text text = {.data = NULL};
    for (int n = 0; n < 20000; n++) {
        text_string(&text, "a | b; ");
    }
    CHECK(is(text_get(&text), PARSE_OK));
    text_free(&text);
}

/** Random rows of the pieces that commands are made of. */
static void test_parse_random_input_is_harmless(void)
{
    static const char *const pieces[] = {
        "a",     " ",    "\n",  ";",     "&",     "|",     "(",     ")",    "<",      ">",
        "<<",    "E\n",  "'",   "\"",    "`",     "$",     "${",    "}",    "\\",     "#",
        "=",     "x=1",  "$((", "))",    "if ",   "then ", "else ", "fi ",  "while ", "do ",
        "done ", "for ", "in ", "case ", "esac ", "{ ",    "! ",    "2>&1", ";;",     "f()",
    };
    uint64_t seed = 7;
    for (int i = 0; i < 60000; i++) {
        struct text text = {.data = NULL};
        struct node *tree;
        for (uint32_t n = next_random(&seed) % 24; n > 0; n--) {
            text_string(&text, pieces[next_random(&seed) % (sizeof(pieces) / sizeof(pieces[0]))]);
        }
        parsed(text_get(&text), &tree);
        node_free(tree);
        text_free(&text);
    }
}

const struct test parse_tests[] = {
    TEST(test_parse_kinds_of_commands),
    TEST(test_parse_words_stay_as_they_are),
    TEST(test_parse_redirections),
    TEST(test_parse_keeps_how_it_was_written),
    TEST(test_parse_wants_more),
    TEST(test_parse_refuses),
    TEST(test_parse_nothing_is_nothing),
    TEST(test_parse_nesting_is_limited),
    TEST(test_parse_long_lists_are_fine),
    TEST(test_parse_random_input_is_harmless),
    {NULL, NULL},
};

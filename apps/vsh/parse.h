#pragma once
/* From text to a tree of commands. Words stay as they were written, quotes and all: expand.h takes them apart when the command runs.
 * Needs nothing of the system. */
#include <stdbool.h>
#include <stddef.h>
#include <tool/text.h>

enum node_kind {
    NODE_SIMPLE,     /**< assigns, words */
    NODE_PIPE,       /**< left | right; right may be another PIPE */
    NODE_AND,        /**< left && right */
    NODE_OR,         /**< left || right */
    NODE_SEQUENCE,   /**< left ; right */
    NODE_NOT,        /**< ! left */
    NODE_BACKGROUND, /**< left &; name is how it was written, or its beginning */
    NODE_SUBSHELL,   /**< ( left ) */
    NODE_GROUP,      /**< { left } */
    NODE_IF,         /**< if left; then right; else other */
    NODE_WHILE,      /**< while left; do right */
    NODE_UNTIL,
    NODE_FOR,  /**< for name in words; do left; over "$@" if has_words is false */
    NODE_CASE, /**< case name in: left is the first NODE_CASE_ITEM, each one's right the next */
    NODE_CASE_ITEM, /**< words are patterns, left is what to do */
    NODE_FUNCTION,  /**< name() left */
};

enum redirect_kind {
    REDIRECT_READ,
    REDIRECT_WRITE,
    REDIRECT_APPEND,
    REDIRECT_DUPLICATE,
    REDIRECT_HERE,
    REDIRECT_HERE_LITERAL
};

struct redirect {
    struct redirect *next;
    enum redirect_kind kind;
    unsigned stream; /**< 0, 1 or 2 */
    bool strip_tabs; /**< HERE, in the making */
    char *word;      /**< file; number of the other stream; text */
};

struct node {
    unsigned refs;
    enum node_kind kind;
    bool has_words;
    struct node *left, *right, *other;
    struct redirect *redirects;
    struct strings assigns, words;
    char *name;
};

enum parse_result {
    PARSE_OK,
    PARSE_INCOMPLETE, /**< another line may complete it */
    PARSE_ERROR,
};

/** The commands in @text: *@tree (NULL: none). After PARSE_ERROR or PARSE_INCOMPLETE *@message, which is static, says what is wrong
 *  in line *@line. */
enum parse_result parse(const char *text, struct node **tree, const char **message, unsigned *line);

struct node *node_ref(struct node *node);
/** Give up a reference; NULL is ignored. */
void node_free(struct node *node);

/** Behind the word, quotes and substitutions included, that begins at @at; NULL: something in it has no end, or is nested too deep. */
const char *word_end(const char *at);
/** Behind the closing one of what "$(" or "${" opened, @at being behind the opening; NULL as above. */
const char *paren_end(const char *at, unsigned depth);
const char *brace_end(const char *at, unsigned depth);
/** Behind the closing quote; NULL as above. */
const char *quote_end(const char *at, unsigned depth);

/** Bytes of the name of a variable at the start of @text; 0: there is none. */
size_t name_bytes(const char *text);

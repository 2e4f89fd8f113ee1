/* Where words end, and the quotes and substitutions in them. */
#include "parse.h"

#include <string.h>

#define DEPTH_MAX 40u

size_t name_bytes(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char letters_digits[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return *text && strchr(letters, *text) ? strspn(text, letters_digits) : 0;
}

static const char *single_end(const char *at)
{
    const char *end = strchr(at, '\'');
    return end ? end + 1 : NULL;
}

static const char *backquote_end(const char *at)
{
    for (; *at; at++) {
        if (*at == '`') {
            return at + 1;
        }
        if (*at == '\\' && at[1]) {
            at++;
        }
    }
    return NULL;
}

/** Behind the one thing that begins at @at: a quoted part, a substitution, or a character. */
static const char *piece_end(const char *at, unsigned depth)
{
    switch (*at) {
    case '\\':
        return at[1] ? at + 2 : NULL;
    case '\'':
        return single_end(at + 1);
    case '"':
        return quote_end(at + 1, depth + 1);
    case '`':
        return backquote_end(at + 1);
    case '$':
        if (at[1] == '(') {
            return paren_end(at + 2, depth + 1);
        }
        return at[1] == '{' ? brace_end(at + 2, depth + 1) : at + 1;
    default:
        return at + 1;
    }
}

const char *quote_end(const char *at, unsigned depth)
{
    while (at && *at && depth < DEPTH_MAX) {
        if (*at == '"') {
            return at + 1;
        }
        at = *at == '\'' ? at + 1 : piece_end(at, depth);
    }
    return NULL;
}

const char *brace_end(const char *at, unsigned depth)
{
    while (at && *at && depth < DEPTH_MAX) {
        if (*at == '}') {
            return at + 1;
        }
        at = piece_end(at, depth);
    }
    return NULL;
}

const char *paren_end(const char *at, unsigned depth)
{
    size_t open = 1;
    while (at && *at && depth < DEPTH_MAX) {
        if (*at == '(') {
            open++;
        } else if (*at == ')' && --open == 0) {
            return at + 1;
        }
        at = piece_end(at, depth);
    }
    return NULL;
}

const char *word_end(const char *at)
{
    while (at && *at && !strchr(" \t\n;&|<>()", *at)) {
        at = piece_end(at, 0);
    }
    return at;
}

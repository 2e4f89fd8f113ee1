#pragma once
/* Text that grows. When memory runs out the text keeps what it has and `failed` is set; whoever uses it looks once, at the end. */
#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data;  /**< NUL-terminated once anything was added; NULL: nothing was */
    size_t used; /**< without the NUL */
    size_t capacity;
    bool failed;
};

void text_add(struct text *text, const char *data, size_t bytes);
void text_char(struct text *text, char c);
void text_string(struct text *text, const char *string);
void text_format(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** The text as a string, "" if there is nothing in it. It stays the text's. */
const char *text_get(const struct text *text);
/** The same, the caller's to free(); NULL: memory ran out. @text is empty then. */
char *text_take(struct text *text);
/** Empty, its memory kept. */
void text_clear(struct text *text);
void text_free(struct text *text);

/** A list of strings that it owns, NULL-terminated. */
struct strings {
    char **items; /**< NULL: none yet */
    size_t count;
    size_t capacity;
    bool failed;
};

/** Add @string, which the list owns from now on (NULL: a failure). */
void strings_take(struct strings *list, char *string);
/** Add a copy of @string. */
void strings_add(struct strings *list, const char *string);
void strings_free(struct strings *list);
/** By bytes. */
void strings_sort(struct strings *list, size_t from);

#pragma once
/* From words as they were written to the fields that a command gets: parameters, command substitution, arithmetic, field splitting, names
 * by pattern, and the quotes gone. All that touches the shell or the system is asked through struct expand_host. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tool/text.h>

struct expand_host {
    void *shell;
    /** The value of variable or parameter @name ("x", "?", "#", "$", "!", "0", "12"); NULL: not set. Good until the next call. */
    const char *(*get)(void *shell, const char *name);
    bool (*set)(void *shell, const char *name, const char *value);
    /** $1 and so on. */
    char *const *(*arguments)(void *shell, size_t *count);
    /** Add to @out what @script prints. */
    bool (*substitute)(void *shell, const char *script, struct text *out);
    /** Add the names in @directory. */
    void (*list)(void *shell, const char *directory, struct strings *names);
    bool (*exists)(void *shell, const char *path);
    /** Say what is wrong with the word. */
    void (*complain)(void *shell, const char *what, const char *word);
};

/** All of @words to fields. False: it was complained about. */
bool expand_words(const struct expand_host *host, const struct strings *words,
                  struct strings *fields);
/** One word to one string, neither split nor a pattern of names; NULL: it was complained about. The caller's to free(). */
char *expand_string(const struct expand_host *host, const char *word);
/** The same, but a pattern: what was quoted is escaped. */
char *expand_pattern(const struct expand_host *host, const char *word);
/** The text of a here-document: no quotes, no fields. */
char *expand_here(const struct expand_host *host, const char *text);

/** The value of an expression of integers: || && | ^ & == != < <= > >= << >> + - * / % ! ~ ( ), variables by @get. NULL or what is wrong. */
const char *arithmetic(const struct expand_host *host, const char *text, int64_t *value);

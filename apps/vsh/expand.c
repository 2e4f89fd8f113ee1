/* Expansion of words.
 *
 * A field is built as a pattern: a character that was quoted, and could mean something in a pattern, gets a backslash. So whether the
 * finished field is a pattern of names can be seen from it alone; if it is none, or nothing has such a name, the backslashes go.
 * Values of unquoted parameters are split at blanks as they are put in. */
#include "expand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tool/pattern.h>

#include "parse.h"

#define DEPTH_MAX 40u
#define NAME_MAX_BYTES 64u

struct builder {
    const struct expand_host *host;
    struct text text; /* the field in the making, as a pattern */
    bool begun;       /* there is a field, be it empty */
    bool split;       /* unquoted values make fields */
    bool failed;
    bool here; /* double quotes are characters like others */
    unsigned depth;
    struct strings *fields; /* NULL: there is one field only */
};

static void complain(struct builder *b, const char *what, const char *word)
{
    if (!b->failed) {
        b->host->complain(b->host->shell, what, word);
    }
    b->failed = true;
}

/* --- fields ----------------------------------------------------------------------------------------------- */

static void put_quoted(struct builder *b, char c)
{
    if (strchr("*?[]\\!^-", c)) {
        text_char(&b->text, '\\');
    }
    text_char(&b->text, c);
    b->begun = true;
}

static void put_quoted_string(struct builder *b, const char *string)
{
    for (; *string; string++) {
        put_quoted(b, *string);
    }
}

static char *unescape(const char *pattern)
{
    char *plain = strdup(pattern), *to = plain;
    for (const char *from = pattern; plain && *from; from++) {
        if (*from == '\\' && from[1]) {
            from++;
        }
        *to++ = *from;
    }
    if (plain) {
        *to = '\0';
    }
    return plain;
}

/** Add to @paths each of @prefixes continued by @component. */
static void glob_component(struct builder *b, const struct strings *prefixes, const char *component,
                           bool last, struct strings *paths)
{
    for (size_t i = 0; i < prefixes->count; i++) {
        struct strings names = {.items = NULL};
        const char *prefix = prefixes->items[i];
        if (pattern_is_magic(component)) {
            b->host->list(b->host->shell, *prefix ? prefix : ".", &names);
            strings_sort(&names, 0);
        } else {
            strings_take(&names, unescape(component));
        }
        for (size_t n = 0; n < names.count; n++) {
            const char *name = names.items[n];
            bool hidden = name[0] == '.' && component[0] != '.' &&
                          !(component[0] == '\\' && component[1] == '.');
            if (pattern_is_magic(component) && (hidden || !pattern_match(component, name))) {
                continue;
            }
            struct text path = {.data = NULL};
            text_string(&path, prefix);
            text_string(&path, name);
            if (!last) {
                text_char(&path, '/');
            }
            strings_take(paths, text_take(&path));
        }
        strings_free(&names);
    }
}

/** Add the paths that match @pattern; false: there are none. */
static bool glob(struct builder *b, const char *pattern)
{
    struct strings paths = {.items = NULL};
    size_t slashes = strspn(pattern, "/"), found = 0;
    strings_add(&paths, slashes ? "/" : "");
    for (pattern += slashes; *pattern && paths.count > 0;) {
        struct strings next = {.items = NULL};
        size_t bytes = strcspn(pattern, "/");
        char *component = strndup(pattern, bytes);
        pattern += bytes;
        slashes = strspn(pattern, "/");
        if (component) {
            glob_component(b, &paths, component, slashes == 0, &next);
        }
        pattern += slashes;
        free(component);
        strings_free(&paths);
        paths = next;
    }
    for (size_t i = 0; i < paths.count; i++) {
        if (b->host->exists(b->host->shell, paths.items[i])) {
            strings_add(b->fields, paths.items[i]);
            found++;
        }
    }
    strings_free(&paths);
    return found > 0;
}

/** The field in the making is complete. */
static void field_end(struct builder *b)
{
    if (!b->begun || !b->fields) {
        return;
    }
    const char *pattern = text_get(&b->text);
    if (!pattern_is_magic(pattern) || !glob(b, pattern)) {
        strings_take(b->fields, unescape(pattern));
    }
    text_clear(&b->text);
    b->begun = false;
}

static void put_unquoted_string(struct builder *b, const char *string)
{
    for (; *string; string++) {
        if (b->split && strchr(" \t\n", *string)) {
            field_end(b);
        } else if (*string == '\\') {
            put_quoted(b, '\\');
        } else {
            text_char(&b->text, *string);
            b->begun = true;
        }
    }
}

static void put_value(struct builder *b, const char *value, bool quoted)
{
    if (quoted) {
        put_quoted_string(b, value);
        b->begun = true;
    } else {
        put_unquoted_string(b, value);
    }
}

/* --- parameters ------------------------------------------------------------------------------------------- */

static const char *expand_text(struct builder *b, const char *at, const char *end, bool quoted);

/** [@at, @end) as one string, in a builder of its own. */
static char *sub_string(struct builder *b, const char *at, const char *end, bool pattern)
{
    struct builder sub = {.host = b->host, .depth = b->depth + 1};
    expand_text(&sub, at, end, false);
    b->failed = b->failed || sub.failed;
    char *result = sub.failed ? NULL
                   : pattern  ? strdup(text_get(&sub.text))
                              : unescape(text_get(&sub.text));
    text_free(&sub.text);
    return result;
}

/** "$@" makes a field of each argument; $@ and $* are split; "$*" is one field. */
static void put_arguments(struct builder *b, char which, bool quoted)
{
    size_t count;
    char *const *arguments = b->host->arguments(b->host->shell, &count);
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && quoted && (which == '*' || !b->split)) {
            put_quoted(b, ' ');
        } else if (i > 0 && !b->split) {
            text_char(&b->text, ' ');
        } else if (i > 0) {
            field_end(b);
        }
        put_value(b, arguments[i], quoted);
    }
}

/** The shortest or longest start (or end) of @value that matches @pattern goes. */
static char *trim(const char *value, const char *pattern, bool from_end, bool longest)
{
    size_t bytes = strlen(value);
    for (size_t i = 0; i <= bytes; i++) {
        size_t part = longest ? bytes - i : i;
        if (from_end ? pattern_match(pattern, value + bytes - part)
                     : pattern_match_bytes(pattern, value, part)) {
            return from_end ? strndup(value, bytes - part) : strdup(value + part);
        }
    }
    return strdup(value);
}

static void put_trimmed(struct builder *b, const char *value, const char *operator,
                        const char * end, bool quoted)
{
    bool longest = operator[1] == operator[0];
    // The pattern's own parameters may be looked up where @value stands.
    char *copy = strdup(value);
    char *pattern = copy ? sub_string(b, operator+ 1 + longest, end, true) : NULL;
    char *rest = pattern ? trim(copy, pattern, operator[0] == '%', longest) : NULL;
    if (rest) {
        put_value(b, rest, quoted);
    }
    free(copy);
    free(pattern);
    free(rest);
}

/** What ${name…} has behind the name: @operator up to @end. @value: the parameter's, or NULL. */
static void put_operated(struct builder *b, const char *name, const char *value,
                         const char *operator, const char * end, bool quoted)
{
    bool colon = *operator== ':';
    bool given = value && !(colon && !*value);
    char kind = operator[colon];
    const char *word = operator+ colon + 1;
    if (kind == '%' || kind == '#') {
        put_trimmed(b, value ? value : "", operator, end, quoted);
    } else if (kind == '-' || kind == '=') {
        if (given) {
            put_value(b, value, quoted);
        } else if (kind == '-') {
            b->begun = b->begun || quoted;
            expand_text(b, word, end, quoted);
        } else {
            char *string = sub_string(b, word, end, false);
            if (string && b->host->set(b->host->shell, name, string)) {
                put_value(b, string, quoted);
            }
            free(string);
        }
    } else if (kind == '+') {
        if (given) {
            expand_text(b, word, end, quoted);
        }
    } else if (kind == '?' && given) {
        put_value(b, value, quoted);
    } else if (kind == '?') {
        char *string = sub_string(b, word, end, false);
        complain(b, string && *string ? string : "not set", name);
        free(string);
    } else {
        complain(b, "bad substitution", name);
    }
}

static size_t parameter_bytes(const char *at)
{
    size_t bytes = name_bytes(at);
    if (bytes == 0) {
        bytes = strspn(at, "0123456789");
    }
    return bytes ? bytes : *at && strchr("?#$!@*-", *at) ? 1 : 0;
}

/** ${…}: [@at, @end) is what is between the braces. */
static void put_braced(struct builder *b, const char *at, const char *end, bool quoted)
{
    char name[NAME_MAX_BYTES];
    bool length = *at == '#' && end - at > 1;
    at += length;
    size_t bytes = parameter_bytes(at);
    if (bytes == 0 || bytes >= sizeof(name) || bytes > (size_t)(end - at)) {
        complain(b, "bad substitution", "${}");
        return;
    }
    memcpy(name, at, bytes);
    name[bytes] = '\0';
    at += bytes;
    if (at == end && (*name == '@' || *name == '*')) {
        put_arguments(b, *name, quoted);
        return;
    }
    const char *value = b->host->get(b->host->shell, name);
    if (length) {
        char number[24];
        snprintf(number, sizeof(number), "%zu", value ? strlen(value) : 0);
        put_value(b, number, quoted);
    } else if (at == end) {
        put_value(b, value ? value : "", quoted);
    } else {
        put_operated(b, name, value, at, end, quoted);
    }
}

/* --- substitutions ---------------------------------------------------------------------------------------- */

static void put_output(struct builder *b, char *script, bool quoted)
{
    struct text out = {.data = NULL};
    if (!script || !b->host->substitute(b->host->shell, script, &out)) {
        b->failed = true;
    }
    while (out.used > 0 && out.data[out.used - 1] == '\n') {
        out.data[--out.used] = '\0';
    }
    put_value(b, text_get(&out), quoted);
    text_free(&out);
    free(script);
}

static void put_arithmetic(struct builder *b, const char *at, const char *end, bool quoted)
{
    char number[24];
    int64_t value = 0;
    char *expression = sub_string(b, at, end, false);
    const char *error = expression ? arithmetic(b->host, expression, &value) : NULL;
    if (error) {
        complain(b, error, expression);
    }
    snprintf(number, sizeof(number), "%lld", (long long)value);
    put_value(b, number, quoted);
    free(expression);
}

/** `…`: a backslash protects itself, '$' and '`'. */
static const char *put_backquoted(struct builder *b, const char *at, const char *end, bool quoted)
{
    struct text script = {.data = NULL};
    for (; at < end && *at != '`'; at++) {
        if (*at == '\\' && at + 1 < end && strchr("\\$`", at[1])) {
            at++;
        }
        text_char(&script, *at);
    }
    put_output(b, text_take(&script), quoted);
    return at < end ? at + 1 : end;
}

/** At '$': put what it stands for; behind it. */
static const char *put_dollar(struct builder *b, const char *at, const char *end, bool quoted)
{
    char name[NAME_MAX_BYTES];
    const char *close;
    if (at[1] == '(' && at + 1 < end && (close = paren_end(at + 2, 0)) && close <= end) {
        if (at[2] == '(' && close - at >= 5 && close[-2] == ')') {
            put_arithmetic(b, at + 3, close - 2, quoted);
        } else {
            put_output(b, strndup(at + 2, (size_t)(close - at) - 3), quoted);
        }
        return close;
    }
    if (at[1] == '{' && at + 1 < end && (close = brace_end(at + 2, 0)) && close <= end) {
        put_braced(b, at + 2, close - 1, quoted);
        return close;
    }
    size_t bytes = at + 1 < end ? parameter_bytes(at + 1) : 0;
    if (at[1] >= '0' && at[1] <= '9') {
        bytes = 1;
    }
    if (bytes == 0 || at[1] == '-' || bytes >= sizeof(name) || bytes > (size_t)(end - at) - 1) {
        put_quoted(b, '$');
        return at + 1;
    }
    memcpy(name, at + 1, bytes);
    name[bytes] = '\0';
    if (*name == '@' || *name == '*') {
        put_arguments(b, *name, quoted);
    } else {
        const char *value = b->host->get(b->host->shell, name);
        put_value(b, value ? value : "", quoted);
    }
    return at + 1 + bytes;
}

/* --- words ------------------------------------------------------------------------------------------------ */

static bool is_all_arguments(const char *at)
{
    return strncmp(at, "$@\"", 3) == 0;
}

/** At the opening double quote; behind the closing one. */
static const char *put_double(struct builder *b, const char *at, const char *end)
{
    const char *close = quote_end(at + 1, 0);
    if (!close || close > end) {
        complain(b, "a quote has no end", at);
        return end;
    }
    // No argument, no field.
    b->begun = b->begun || !is_all_arguments(at + 1);
    expand_text(b, at + 1, close - 1, true);
    return close;
}

static const char *put_single(struct builder *b, const char *at, const char *end)
{
    b->begun = true;
    for (at++; at < end && *at != '\''; at++) {
        put_quoted(b, *at);
    }
    return at < end ? at + 1 : end;
}

static const char *put_backslash(struct builder *b, const char *at, const char *end, bool quoted)
{
    if (at + 1 == end || (quoted && !strchr("\\\"$`\n", at[1]))) {
        put_quoted(b, '\\');
        return at + 1;
    }
    if (at[1] != '\n') {
        put_quoted(b, at[1]);
    }
    return at + 2;
}

static const char *expand_text(struct builder *b, const char *at, const char *end, bool quoted)
{
    if (++b->depth > DEPTH_MAX) {
        complain(b, "nested too deep", at);
    }
    while (at < end && !b->failed) {
        if (*at == '$') {
            at = put_dollar(b, at, end, quoted);
        } else if (*at == '`') {
            at = put_backquoted(b, at + 1, end, quoted);
        } else if (*at == '\\') {
            at = put_backslash(b, at, end, quoted);
        } else if (*at == '"' && !b->here) {
            at = put_double(b, at, end);
        } else if (*at == '\'' && !quoted) {
            at = put_single(b, at, end);
        } else if (quoted) {
            put_quoted(b, *at++);
        } else {
            text_char(&b->text, *at++);
            b->begun = true;
        }
    }
    b->depth--;
    return at;
}

/** "~" and "~/…" at the start. */
static const char *put_tilde(struct builder *b, const char *word)
{
    if (word[0] != '~' || (word[1] && word[1] != '/')) {
        return word;
    }
    const char *home = b->host->get(b->host->shell, "HOME");
    put_quoted_string(b, home ? home : "/");
    return word + 1;
}

bool expand_words(const struct expand_host *host, const struct strings *words,
                  struct strings *fields)
{
    struct builder b = {.host = host, .split = true, .fields = fields};
    for (size_t i = 0; i < words->count && !b.failed; i++) {
        const char *word = put_tilde(&b, words->items[i]);
        expand_text(&b, word, word + strlen(word), false);
        field_end(&b);
    }
    if (!b.failed && (b.text.failed || fields->failed || words->failed)) {
        complain(&b, "no memory", "expansion");
    }
    text_free(&b.text);
    return !b.failed;
}

static char *expand_one(const struct expand_host *host, const char *word, bool here, bool pattern)
{
    struct builder b = {.host = host, .here = here};
    word = here ? word : put_tilde(&b, word);
    expand_text(&b, word, word + strlen(word), here);
    char *result = NULL;
    if (!b.failed) {
        result = b.text.failed ? NULL
                 : pattern     ? strdup(text_get(&b.text))
                               : unescape(text_get(&b.text));
        if (!result) {
            complain(&b, "no memory", "expansion");
        }
    }
    text_free(&b.text);
    return result;
}

char *expand_string(const struct expand_host *host, const char *word)
{
    return expand_one(host, word, false, false);
}

char *expand_pattern(const struct expand_host *host, const char *word)
{
    return expand_one(host, word, false, true);
}

char *expand_here(const struct expand_host *host, const char *text)
{
    return expand_one(host, text, true, false);
}

/* test and [: an expression of strings, numbers and files. */
#include "shell.h"

#include <stdlib.h>
#include <string.h>

struct expression {
    struct shell *shell;
    char **words;
    int count;
    int at;
    bool wrong;
};

static bool parse_or(struct expression *e);

static bool file_test(struct expression *e, char what, const char *path)
{
    char full[FILE_PATH_BYTES + 1];
    struct file_status info;
    uint32_t flags = what == 'h' || what == 'L' ? FILE_PATH_NO_FOLLOW : 0;
    if (*path == '\0' || !shell_path(e->shell, path, full) ||
        !status_is_ok(file_status(full, flags, &info))) {
        return false;
    }
    switch (what) {
    case 'f':
        return info.attributes.type == FS_TYPE_FILE;
    case 'd':
        return info.attributes.type == FS_TYPE_DIRECTORY;
    case 'h':
    case 'L':
        return info.attributes.type == FS_TYPE_SYMLINK;
    case 's':
        return info.attributes.bytes > 0;
    case 'r':
        return (info.attributes.mode & 0444) != 0;
    case 'w':
        return (info.attributes.mode & 0222) != 0;
    case 'x':
        return (info.attributes.mode & 0111) != 0;
    default:
        return true;
    }
}

static long long number(struct expression *e, const char *text)
{
    char *end;
    long long value = strtoll(text, &end, 10);
    e->wrong = e->wrong || end == text || *end;
    return value;
}

static bool compare(struct expression *e, const char *left, const char *operator,
                    const char * right, bool *known)
{
    static const char *const operators[] = {"-eq", "-ne", "-lt", "-le", "-gt", "-ge"};
    *known = true;
    if (strcmp(operator, "=") == 0 || strcmp(operator, "==") == 0) {
        return strcmp(left, right) == 0;
    }
    if (strcmp(operator, "!=") == 0) {
        return strcmp(left, right) != 0;
    }
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
        if (strcmp(operator, operators[i]) == 0) {
            long long a = number(e, left), b = number(e, right);
            const bool results[] = {a == b, a != b, a<b, a <= b, a> b, a >= b};
            return results[i];
        }
    }
    *known = false;
    return false;
}

static bool unary(struct expression *e, const char *word, const char *operand)
{
    switch (word[1]) {
    case 'n':
        return *operand != '\0';
    case 'z':
        return *operand == '\0';
    case 't':
        return true;
    default:
        return file_test(e, word[1], operand);
    }
}

static bool parse_primary(struct expression *e)
{
    bool known = false;
    if (e->at >= e->count) {
        e->wrong = true;
        return false;
    }
    const char *word = e->words[e->at];
    int left = e->count - e->at;
    if (left >= 3) {
        bool result = compare(e, word, e->words[e->at + 1], e->words[e->at + 2], &known);
        if (known) {
            e->at += 3;
            return result;
        }
    }
    if (strcmp(word, "!") == 0 && left >= 2) {
        e->at++;
        return !parse_primary(e);
    }
    if (strcmp(word, "(") == 0 && left >= 3) {
        e->at++;
        bool result = parse_or(e);
        e->wrong = e->wrong || e->at >= e->count || strcmp(e->words[e->at], ")") != 0;
        e->at++;
        return result;
    }
    if (left >= 2 && word[0] == '-' && word[1] && strchr("efdhLsrwxnzt", word[1]) && !word[2]) {
        e->at += 2;
        return unary(e, word, e->words[e->at - 1]);
    }
    e->at++;
    return *word != '\0';
}

static bool parse_and(struct expression *e)
{
    bool result = parse_primary(e);
    while (e->at < e->count && strcmp(e->words[e->at], "-a") == 0) {
        e->at++;
        result = parse_primary(e) && result;
    }
    return result;
}

static bool parse_or(struct expression *e)
{
    bool result = parse_and(e);
    while (e->at < e->count && strcmp(e->words[e->at], "-o") == 0) {
        e->at++;
        result = parse_and(e) || result;
    }
    return result;
}

/** An expression is nested by words, of which a command line may have many. */
#define WORDS_MAX 200

int builtin_test(struct shell *shell, int count, char **arguments)
{
    struct expression e = {.shell = shell, .words = arguments + 1, .count = count - 1};
    if (strcmp(arguments[0], "[") == 0) {
        if (strcmp(arguments[count - 1], "]") != 0) {
            shell_complain(shell, "[: ']' is missing");
            return STATUS_USAGE;
        }
        e.count--;
    }
    if (e.count == 0) {
        return STATUS_FAILURE;
    }
    if (e.count > WORDS_MAX) {
        shell_complain(shell, "%s: too long", arguments[0]);
        return STATUS_USAGE;
    }
    bool result = parse_or(&e);
    if (e.wrong || e.at != e.count) {
        shell_complain(shell, "%s: this is no expression", arguments[0]);
        return STATUS_USAGE;
    }
    return result ? 0 : STATUS_FAILURE;
}

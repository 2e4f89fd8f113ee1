/* Completion of the word before the cursor: the first one of a command is a program, others are files. */
#include "shell.h"

#include <stdlib.h>
#include <string.h>

void complete(struct shell *shell, const char *line, size_t cursor, struct text *insert,
              struct strings *choices);

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/** Add to @choices the names in @directory that begin with @start; directories get a slash. */
static void add_files(struct shell *shell, const char *directory, const char *start,
                      struct strings *choices)
{
    char full[FILE_PATH_BYTES + 1];
    struct file *file;
    struct file_entry entry;
    if (!shell_path(shell, directory, full) ||
        !status_is_ok(file_open(full, FILE_OPEN_READ | FILE_OPEN_DIRECTORY, 0, &file))) {
        return;
    }
    while (status_is_ok(file_readdir(file, &entry))) {
        if (starts_with(entry.name, start) && (entry.name[0] != '.' || *start == '.')) {
            struct text text = {.data = NULL};
            text_format(&text, "%s%s", entry.name, entry.type == FS_TYPE_DIRECTORY ? "/" : "");
            strings_take(choices, text_take(&text));
        }
    }
    file_close(file);
}

static void add_commands(struct shell *shell, const char *start, struct strings *choices)
{
    struct strings names = {.items = NULL};
    const char *path = shell_get(shell, "PATH");
    builtin_names(&names);
    for (size_t i = 0; i < names.count; i++) {
        if (starts_with(names.items[i], start)) {
            strings_add(choices, names.items[i]);
        }
    }
    strings_free(&names);
    char *paths = strdup(path ? path : "");
    char *at = paths;
    for (char *directory = paths ? strsep(&at, ":") : NULL; directory;
         directory = strsep(&at, ":")) {
        add_files(shell, directory, start, choices);
    }
    free(paths);
}

/** How many bytes all of @choices have in common. */
static size_t common_bytes(const struct strings *choices)
{
    size_t bytes = strlen(choices->items[0]);
    for (size_t i = 1; i < choices->count; i++) {
        size_t same = 0;
        while (same < bytes && choices->items[i][same] == choices->items[0][same]) {
            same++;
        }
        bytes = same;
    }
    return bytes;
}

static void remove_doubles(struct strings *list)
{
    size_t to = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (to > 0 && strcmp(list->items[to - 1], list->items[i]) == 0) {
            free(list->items[i]);
        } else {
            list->items[to++] = list->items[i];
        }
    }
    list->count = to;
}

static bool is_first_word(const char *line, size_t start)
{
    while (start > 0 && line[start - 1] == ' ') {
        start--;
    }
    return start == 0 || strchr(";|&(", line[start - 1]);
}

void complete(struct shell *shell, const char *line, size_t cursor, struct text *insert,
              struct strings *choices)
{
    size_t start = cursor;
    while (start > 0 && !strchr(" ;|&<>()=", line[start - 1])) {
        start--;
    }
    char *word = strndup(line + start, cursor - start);
    char *slash = word ? strrchr(word, '/') : NULL;
    const char *name = slash ? slash + 1 : word;
    if (!word) {
        return;
    }
    if (!slash && is_first_word(line, start)) {
        add_commands(shell, word, choices);
    } else {
        char *directory = slash ? strndup(word, (size_t)(slash - word) + 1) : strdup(".");
        if (directory) {
            add_files(shell, directory, name, choices);
        }
        free(directory);
    }
    strings_sort(choices, 0);
    remove_doubles(choices);
    if (choices->count > 0) {
        size_t have = strlen(name), common = common_bytes(choices);
        text_add(insert, choices->items[0] + have, common - have);
        if (choices->count == 1 && common > 0 && choices->items[0][common - 1] != '/') {
            text_char(insert, ' ');
        }
    }
    free(word);
}

/* grep: lines that match. Patterns without special characters are searched for as they are; others by the C library's expressions. */
#define _GNU_SOURCE
#include "tools.h"

#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "list.h"

#define FOUND 0
#define NOT_FOUND 1
#define TROUBLE 2

struct pattern {
    bool fixed;
    const char *text;
    size_t bytes;
    regex_t expression;
};

struct grep {
    struct pattern *patterns;
    size_t pattern_count;
    struct strings texts;
    bool ignore_case, invert, numbers, count, list, list_without, quiet, recursive, fixed, extended,
        whole_line, whole_word, only;
    bool names, no_names, silent, text;
    uint64_t limit;
    bool found, trouble;
};

static struct grep grep;

static bool is_word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/** The place of the fixed @pattern in @text from @from on; NULL: none. */
static const char *find_fixed(const struct pattern *pattern, const char *from, const char *end)
{
    if (!grep.ignore_case) {
        return memmem(from, (size_t)(end - from), pattern->text, pattern->bytes);
    }
    for (; (size_t)(end - from) >= pattern->bytes; from++) {
        if (strncasecmp(from, pattern->text, pattern->bytes) == 0) {
            return from;
        }
    }
    return NULL;
}

/** The first match of @pattern in [@from, @end), which ends with a NUL: *@start and *@stop. */
static bool find_once(const struct pattern *pattern, const char *line, const char *from,
                      const char *end, const char **start, const char **stop)
{
    regmatch_t match;
    if (pattern->fixed) {
        *start = find_fixed(pattern, from, end);
        *stop = *start ? *start + pattern->bytes : NULL;
        return *start != NULL;
    }
    // What is behind a NUL inside the line is looked at as a piece of its own.
    for (; from <= end; from += strlen(from) + 1) {
        if (regexec(&pattern->expression, from, 1, &match,
                    from > line && from[-1] ? REG_NOTBOL : 0) == 0) {
            *start = from + match.rm_so;
            *stop = from + match.rm_eo;
            return true;
        }
    }
    return false;
}

static bool is_acceptable(const char *line, const char *end, const char *start, const char *stop)
{
    if (grep.whole_line) {
        return start == line && stop == end;
    }
    return !grep.whole_word ||
           ((start == line || !is_word(start[-1])) && (stop == end || !is_word(*stop)));
}

/** The first acceptable match of any pattern from @from on. */
static bool find(const char *line, const char *from, const char *end, const char **start,
                 const char **stop)
{
    bool found = false;
    for (size_t i = 0; i < grep.pattern_count; i++) {
        const char *a = NULL, *b = NULL;
        for (const char *at = from;
             at <= end && find_once(&grep.patterns[i], line, at, end, &a, &b); at = a + 1) {
            if (is_acceptable(line, end, a, b)) {
                if (!found || a < *start || (a == *start && b > *stop)) {
                    *start = a;
                    *stop = b;
                }
                found = true;
                break;
            }
        }
    }
    return found;
}

static void print_head(const struct input *input, uint64_t number)
{
    if (grep.names) {
        out_format("%s:", input->file ? input->name : "(stdin)");
    }
    if (grep.numbers) {
        out_format("%" PRIu64 ":", number);
    }
}

static void print_line(const struct input *input, uint64_t number, const struct text *line)
{
    const char *end = line->data + line->used, *from = line->data, *start = NULL, *stop = NULL;
    if (!grep.only || grep.invert) {
        print_head(input, number);
        out_write(line->data, line->used);
        out_char('\n');
        return;
    }
    while (from <= end && find(line->data, from, end, &start, &stop)) {
        if (stop > start) {
            print_head(input, number);
            out_write(start, (size_t)(stop - start));
            out_char('\n');
        }
        from = stop > start ? stop : stop + 1;
    }
}

static void grep_input(struct input *input, void *context)
{
    struct text line = {.data = NULL};
    const char *start, *stop;
    uint64_t number = 0, matches = 0;
    bool binary = false;
    (void)context;
    while (matches < grep.limit && input_line(input, &line, NULL)) {
        text_add(&line, "", 0);
        number++;
        binary = binary || (!grep.text && number == 1 && memchr(input->data, 0, input->used));
        binary = binary || (!grep.text && memchr(line.data, 0, line.used));
        if (find(line.data, line.data, line.data + line.used, &start, &stop) == grep.invert) {
            continue;
        }
        matches++;
        grep.found = true;
        if (grep.quiet || grep.list || grep.list_without) {
            break;
        }
        if (binary && !grep.count) {
            out_format("grep: %s: binary file matches\n", input->name);
            break;
        }
        if (!grep.count) {
            print_line(input, number, &line);
        }
    }
    if (grep.count) {
        if (grep.names) {
            out_format("%s:", input->name);
        }
        out_format("%" PRIu64 "\n", matches);
    }
    if ((grep.list && matches > 0) || (grep.list_without && matches == 0)) {
        out_format("%s\n", input->name);
    }
    text_free(&line);
}

static void grep_file(const char *path);

static void grep_directory(const char *path)
{
    struct strings names = {.items = NULL};
    status_t status = read_names(path, &names);
    if (!status_is_ok(status)) {
        complain_status(path, status);
        grep.trouble = true;
    }
    for (size_t i = 0; i < names.count; i++) {
        struct file_status info;
        char *below = path_join(path, names.items[i]);
        // Links below are not followed, or a tree could have no end.
        if (!status_is_ok(file_status(below, FILE_PATH_NO_FOLLOW, &info))) {
            grep.trouble = true;
        } else if (info.attributes.type == FS_TYPE_DIRECTORY) {
            grep_directory(below);
        } else if (info.attributes.type == FS_TYPE_FILE) {
            grep_file(below);
        }
        free(below);
    }
    strings_free(&names);
}

static void grep_file(const char *path)
{
    struct input input;
    if (grep.quiet && grep.found) {
        return;
    }
    if (!input_open(&input, path)) {
        grep.trouble = true;
        return;
    }
    grep_input(&input, NULL);
    grep.trouble = !input_close(&input) || grep.trouble;
}

/** Each line of @text is a pattern. */
static void add_patterns(const char *text)
{
    for (;;) {
        size_t bytes = strcspn(text, "\n");
        strings_take(&grep.texts, strndup(text, bytes));
        if (!text[bytes]) {
            return;
        }
        text += bytes + 1;
    }
}

static bool is_plain(const char *text)
{
    return text[strcspn(text, grep.extended ? "\\.[]*^$+?{}|()" : "\\.[]*^$")] == '\0';
}

static bool compile(void)
{
    grep.patterns = must_have(calloc(grep.texts.count, sizeof(*grep.patterns)));
    for (size_t i = 0; i < grep.texts.count; i++) {
        struct pattern *pattern = &grep.patterns[grep.pattern_count++];
        *pattern =
            (struct pattern){.text = grep.texts.items[i], .bytes = strlen(grep.texts.items[i])};
        pattern->fixed = grep.fixed || is_plain(pattern->text);
        int flags = (grep.extended ? REG_EXTENDED : 0) | (grep.ignore_case ? REG_ICASE : 0);
        int error = pattern->fixed ? 0 : regcomp(&pattern->expression, pattern->text, flags);
        if (error) {
            char message[80];
            regerror(error, &pattern->expression, message, sizeof(message));
            complain("%s: %s", pattern->text, message);
            return false;
        }
    }
    return true;
}

static bool take_option(int c)
{
    switch (c) {
    case 'i':
    case 'y':
        grep.ignore_case = true;
        break;
    case 'v':
        grep.invert = true;
        break;
    case 'n':
        grep.numbers = true;
        break;
    case 'c':
        grep.count = true;
        break;
    case 'l':
        grep.list = true;
        break;
    case 'L':
        grep.list_without = true;
        break;
    case 'q':
        grep.quiet = true;
        break;
    case 'r':
    case 'R':
        grep.recursive = true;
        break;
    case 'F':
        grep.fixed = true;
        break;
    case 'E':
        grep.extended = true;
        break;
    case 'G':
        grep.extended = false;
        break;
    case 'x':
        grep.whole_line = true;
        break;
    case 'w':
        grep.whole_word = true;
        break;
    case 'o':
        grep.only = true;
        break;
    case 'h':
        grep.no_names = true;
        break;
    case 'H':
        grep.names = true;
        break;
    case 's':
        grep.silent = true;
        break;
    case 'a':
        grep.text = true;
        break;
    case 'e':
        add_patterns(optarg);
        break;
    case 'm':
        return parse_number(optarg, &grep.limit);
    default:
        return false;
    }
    return true;
}

int grep_main(int argc, char **argv)
{
    static const char help[] = "[-ivnclLqrFExwohHa] [-m count] [-e pattern | pattern] [file …]";
    int c;
    grep.limit = UINT64_MAX;
    grep.extended = strcmp(tool_name, "egrep") == 0;
    while ((c = getopt(argc, argv, "iyvnclLqrRFEGxwohHsae:m:")) != -1) {
        if (!take_option(c)) {
            usage(help);
            return TROUBLE;
        }
    }
    if (grep.texts.count == 0) {
        if (optind == argc) {
            usage(help);
            return TROUBLE;
        }
        add_patterns(argv[optind++]);
    }
    if (!compile()) {
        return TROUBLE;
    }
    int files = argc - optind;
    grep.names = !grep.no_names && (grep.names || files > 1 || grep.recursive);
    if (files == 0 && grep.recursive) {
        grep_directory(".");
    } else if (files == 0) {
        grep_file("-");
    }
    for (int i = optind; i < argc; i++) {
        if (grep.recursive && is_directory(argv[i])) {
            grep_directory(argv[i]);
        } else {
            grep_file(argv[i]);
        }
    }
    return grep.found && (grep.quiet || !grep.trouble) ? FOUND : grep.trouble ? TROUBLE : NOT_FOUND;
}

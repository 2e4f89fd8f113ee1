/* sort and uniq. Lines are compared by their bytes. */
#include "tools.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"

struct line {
    const char *text;
    size_t bytes;
};

struct key {
    uint64_t first, last; /* fields, from 1; last 0: to the end of the line */
    bool numeric, reverse, fold, blanks;
};

struct sort {
    struct text all;
    struct line *lines;
    size_t count;
    struct key keys[8];
    size_t key_count;
    bool unique, check;
    char separator;   /* 0: blanks */
    struct key whole; /* options that no key has */
};

static struct sort sort;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/** The start of field @number of @line; @end: behind it. */
static size_t field_at(const struct line *line, uint64_t number, bool end)
{
    size_t at = 0;
    for (uint64_t field = 1; at < line->bytes; field++) {
        size_t start = at;
        if (sort.separator) {
            while (at < line->bytes && line->text[at] != sort.separator) {
                at++;
            }
        } else {
            while (at < line->bytes && is_blank(line->text[at])) {
                at++;
            }
            while (at < line->bytes && !is_blank(line->text[at])) {
                at++;
            }
        }
        if (field == number) {
            return end ? at : start;
        }
        at += sort.separator && at < line->bytes;
    }
    return line->bytes;
}

static struct line key_of(const struct line *line, const struct key *key)
{
    size_t start = key->first ? field_at(line, key->first, false) : 0;
    size_t end = key->last ? field_at(line, key->last, true) : line->bytes;
    while ((key->blanks || key->numeric) && start < end && is_blank(line->text[start])) {
        start++;
    }
    return (struct line){line->text + start, end > start ? end - start : 0};
}

static double number_of(const struct line *line)
{
    char text[64];
    size_t bytes = 0;
    while (bytes < line->bytes && bytes < sizeof(text) - 1 && line->text[bytes] &&
           strchr("+-.0123456789", line->text[bytes])) {
        text[bytes] = line->text[bytes];
        bytes++;
    }
    text[bytes] = '\0';
    return strtod(text, NULL);
}

static int compare_folded(const struct line *a, const struct line *b)
{
    size_t shorter = a->bytes < b->bytes ? a->bytes : b->bytes;
    for (size_t i = 0; i < shorter; i++) {
        unsigned char x = (unsigned char)a->text[i], y = (unsigned char)b->text[i];
        x = x >= 'a' && x <= 'z' ? (unsigned char)(x - 32) : x;
        y = y >= 'a' && y <= 'z' ? (unsigned char)(y - 32) : y;
        if (x != y) {
            return x < y ? -1 : 1;
        }
    }
    return (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

static int compare_bytes(const struct line *a, const struct line *b)
{
    int order = memcmp(a->text, b->text, a->bytes < b->bytes ? a->bytes : b->bytes);
    return order ? order : (a->bytes > b->bytes) - (a->bytes < b->bytes);
}

static int compare_key(const struct line *a, const struct line *b, const struct key *key)
{
    struct line x = key_of(a, key), y = key_of(b, key);
    int order = 0;
    if (key->numeric) {
        double left = number_of(&x), right = number_of(&y);
        order = (left > right) - (left < right);
    } else {
        order = key->fold ? compare_folded(&x, &y) : compare_bytes(&x, &y);
    }
    return key->reverse ? -order : order;
}

static int compare_keys(const struct line *a, const struct line *b)
{
    for (size_t i = 0; i < sort.key_count; i++) {
        int order = compare_key(a, b, &sort.keys[i]);
        if (order) {
            return order;
        }
    }
    return sort.key_count ? 0 : compare_key(a, b, &sort.whole);
}

static int compare(const void *left, const void *right)
{
    const struct line *a = left, *b = right;
    int order = compare_keys(a, b);
    if (order == 0 && !sort.unique) {
        order = sort.whole.reverse ? compare_bytes(b, a) : compare_bytes(a, b);
    }
    return order;
}

static void take_input(struct input *input, void *context)
{
    struct text line = {.data = NULL};
    (void)context;
    while (input_line(input, &line, NULL)) {
        text_add(&sort.all, line.data, line.used);
        text_char(&sort.all, '\n');
        sort.count++;
    }
    text_free(&line);
}

static void cut_lines(void)
{
    const char *at = sort.all.data;
    sort.lines = must_have(calloc(sort.count + 1, sizeof(*sort.lines)));
    for (size_t i = 0; i < sort.count; i++) {
        const char *end = memchr(at, '\n', (size_t)(sort.all.data + sort.all.used - at));
        sort.lines[i] = (struct line){at, (size_t)(end - at)};
        at = end + 1;
    }
}

/** "2", "2,3", "2n,2r" and so on. */
static bool parse_key(const char *text)
{
    struct key *key = &sort.keys[sort.key_count];
    char *end;
    if (sort.key_count == sizeof(sort.keys) / sizeof(sort.keys[0])) {
        return false;
    }
    key->first = strtoull(text, &end, 10);
    for (bool second = false; *end; second = true) {
        if (*end == ',' && !second) {
            key->last = strtoull(end + 1, &end, 10);
            continue;
        }
        key->numeric = key->numeric || *end == 'n';
        key->reverse = key->reverse || *end == 'r';
        key->fold = key->fold || *end == 'f';
        key->blanks = key->blanks || *end == 'b';
        if (!strchr("nrfb", *end)) {
            return false;
        }
        end++;
        second = false;
    }
    sort.key_count++;
    return key->first > 0;
}

/** A key without options of its own has those of the whole. */
static void inherit_options(void)
{
    for (size_t i = 0; i < sort.key_count; i++) {
        struct key *key = &sort.keys[i];
        if (!key->numeric && !key->reverse && !key->fold && !key->blanks) {
            key->numeric = sort.whole.numeric;
            key->reverse = sort.whole.reverse;
            key->fold = sort.whole.fold;
            key->blanks = sort.whole.blanks;
        }
    }
}

static bool put_lines(struct file *file)
{
    struct text text = {.data = NULL};
    status_t status = STATUS_OK;
    size_t done;
    for (size_t i = 0; i < sort.count && status_is_ok(status); i++) {
        if (sort.unique && i > 0 && compare_keys(&sort.lines[i - 1], &sort.lines[i]) == 0) {
            continue;
        }
        if (!file) {
            out_write(sort.lines[i].text, sort.lines[i].bytes + 1);
            continue;
        }
        text_add(&text, sort.lines[i].text, sort.lines[i].bytes + 1);
        if (text.used > INPUT_BYTES) {
            status = file_write(file, text.data, text.used, &done);
            text_clear(&text);
        }
    }
    if (file && status_is_ok(status) && text.used > 0) {
        status = file_write(file, text.data, text.used, &done);
    }
    text_free(&text);
    if (!status_is_ok(status)) {
        complain_status("output", status);
    }
    return status_is_ok(status);
}

static int check_order(void)
{
    for (size_t i = 1; i < sort.count; i++) {
        if (compare(&sort.lines[i - 1], &sort.lines[i]) > 0) {
            return complain("line %zu is out of order", i + 1);
        }
    }
    return EXIT_SUCCESS;
}

int sort_main(int argc, char **argv)
{
    static const char help[] = "[-rnfbuc] [-k first[,last]] [-t separator] [-o file] [file …]";
    const char *output = NULL;
    struct file *file = NULL;
    int c;
    while ((c = getopt(argc, argv, "rnfbucsk:t:o:")) != -1) {
        if (c == '?' || (c == 'k' && !parse_key(optarg))) {
            return usage(help);
        }
        sort.whole.reverse = sort.whole.reverse || c == 'r';
        sort.whole.numeric = sort.whole.numeric || c == 'n';
        sort.whole.fold = sort.whole.fold || c == 'f';
        sort.whole.blanks = sort.whole.blanks || c == 'b';
        sort.unique = sort.unique || c == 'u';
        sort.check = sort.check || c == 'c';
        sort.separator = c == 't' ? *optarg : sort.separator;
        output = c == 'o' ? optarg : output;
    }
    inherit_options();
    int result = for_inputs(argc, argv, optind, take_input, NULL);
    if (sort.all.failed) {
        return complain("no memory");
    }
    cut_lines();
    if (sort.check) {
        return check_order();
    }
    qsort(sort.lines, sort.count, sizeof(*sort.lines), compare);
    if (output) {
        status_t status =
            file_open(output, FILE_OPEN_WRITE | FILE_OPEN_CREATE | FILE_OPEN_TRUNCATE, 0644, &file);
        if (!status_is_ok(status)) {
            return complain_status(output, status);
        }
    }
    bool good = put_lines(file);
    file_close(file);
    return good ? result : EXIT_FAILURE;
}

/* --- uniq -------------------------------------------------------------------------------------------------- */

struct uniq {
    bool count, repeated, single;
    struct text last;
    uint64_t times;
};

static void put_group(const struct uniq *uniq)
{
    bool wanted = (!uniq->repeated || uniq->times > 1) && (!uniq->single || uniq->times == 1);
    if (uniq->times == 0 || !wanted) {
        return;
    }
    if (uniq->count) {
        out_format("%7" PRIu64 " ", uniq->times);
    }
    out_write(uniq->last.data, uniq->last.used);
    out_char('\n');
}

static void uniq_input(struct input *input, void *context)
{
    struct uniq *uniq = context;
    struct text line = {.data = NULL};
    while (input_line(input, &line, NULL)) {
        if (uniq->times > 0 && line.used == uniq->last.used &&
            memcmp(line.data, uniq->last.data, line.used) == 0) {
            uniq->times++;
            continue;
        }
        put_group(uniq);
        struct text last = uniq->last;
        uniq->last = line;
        line = last;
        uniq->times = 1;
    }
    text_free(&line);
}

int uniq_main(int argc, char **argv)
{
    struct uniq uniq = {.count = false};
    int c;
    while ((c = getopt(argc, argv, "cdu")) != -1) {
        if (c == '?') {
            return usage("[-cdu] [file]");
        }
        uniq.count = uniq.count || c == 'c';
        uniq.repeated = uniq.repeated || c == 'd';
        uniq.single = uniq.single || c == 'u';
    }
    int result = for_inputs(argc, argv, optind, uniq_input, &uniq);
    put_group(&uniq);
    text_free(&uniq.last);
    return result;
}

/* Tools that copy and count: cat, head, tail, wc, tee. */
#include "tools.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"

/* --- cat --------------------------------------------------------------------------------------------------- */

static void cat_input(struct input *input, void *context)
{
    const bool *number = context;
    static uint64_t line_number;
    struct text line = {.data = NULL};
    uint8_t buffer[4096];
    size_t bytes;
    bool newline;
    while (!*number && (bytes = input_read(input, buffer, sizeof(buffer))) > 0) {
        out_write(buffer, bytes);
    }
    while (*number && input_line(input, &line, &newline)) {
        out_format("%6" PRIu64 "\t", ++line_number);
        out_write(line.data, line.used);
        out_string(newline ? "\n" : "");
    }
    text_free(&line);
}

int cat_main(int argc, char **argv)
{
    bool number = false;
    int c;
    while ((c = getopt(argc, argv, "nu")) != -1) {
        if (c == '?') {
            return usage("[-n] [file …]");
        }
        number = number || c == 'n';
    }
    return for_inputs(argc, argv, optind, cat_input, &number);
}

/* --- head and tail ----------------------------------------------------------------------------------------- */

struct part {
    uint64_t count;
    bool bytes;      /* not lines */
    bool from_start; /* tail: +count */
    bool headed;
    bool any;
};

static void print_heading(const struct input *input, struct part *part)
{
    if (part->headed) {
        out_format("%s==> %s <==\n", part->any ? "\n" : "", input->name);
    }
    part->any = true;
}

static void head_input(struct input *input, void *context)
{
    struct part *part = context;
    struct text line = {.data = NULL};
    uint8_t buffer[4096];
    bool newline;
    print_heading(input, part);
    for (uint64_t left = part->count; left > 0;) {
        if (part->bytes) {
            size_t bytes =
                input_read(input, buffer, left < sizeof(buffer) ? (size_t)left : sizeof(buffer));
            out_write(buffer, bytes);
            left = bytes == 0 ? 0 : left - bytes;
        } else if (input_line(input, &line, &newline)) {
            out_write(line.data, line.used);
            out_string(newline ? "\n" : "");
            left--;
        } else {
            left = 0;
        }
    }
    text_free(&line);
}

/** The last part->count lines or bytes, from what is held of the whole input. */
static void print_last(const struct text *all, const struct part *part)
{
    size_t at = all->used;
    uint64_t left = part->count;
    if (part->bytes) {
        at = left < at ? at - (size_t)left : 0;
    } else {
        // The newline at the very end belongs to the last line.
        at -= at > 0 && all->data[at - 1] == '\n';
        while (at > 0 && left > 0) {
            at--;
            left -= all->data[at] == '\n';
        }
        at += at > 0 || (all->used > 0 && left == 0 && part->count > 0) ? 1 : 0;
        at = part->count == 0 ? all->used : at;
    }
    if (at < all->used) {
        out_write(all->data + at, all->used - at);
    }
}

/** Forget what cannot be in the last part, when there is much of it. */
static void forget(struct text *all, const struct part *part)
{
    uint64_t lines = 0;
    size_t at = all->used;
    if (part->bytes) {
        at = part->count < at ? at - (size_t)part->count : 0;
    } else {
        while (at > 0 && lines <= part->count) {
            lines += all->data[--at] == '\n';
        }
    }
    if (at > all->used / 2) {
        memmove(all->data, all->data + at, all->used - at);
        all->used -= at;
    }
}

static void tail_from(struct input *input, const struct part *part)
{
    uint64_t skip = part->count > 0 ? part->count - 1 : 0;
    uint8_t buffer[4096];
    size_t bytes;
    while ((bytes = input_read(input, buffer, part->bytes || skip == 0 ? sizeof(buffer) : 1)) > 0) {
        if (skip == 0) {
            out_write(buffer, bytes);
        } else if (part->bytes && skip < bytes) {
            out_write(buffer + skip, bytes - (size_t)skip);
            skip = 0;
        } else {
            skip -= part->bytes ? (uint64_t)bytes : (uint64_t)(buffer[0] == '\n');
        }
    }
}

/** Where the last @count lines begin in a file of @bytes, which is read from its end. */
static uint64_t last_lines(struct input *input, uint64_t bytes, uint64_t count)
{
    uint8_t buffer[16384];
    uint64_t lines = 0;
    for (uint64_t end = count > 0 ? bytes : 0; end > 0;) {
        uint64_t start = end > sizeof(buffer) ? end - sizeof(buffer) : 0;
        size_t done = 0;
        input->status = file_read_at(input->file, start, buffer, (size_t)(end - start), &done);
        if (!status_is_ok(input->status)) {
            return bytes;
        }
        while (done-- > 0) {
            // The newline at the very end belongs to the last line.
            lines += buffer[done] == '\n' && start + done + 1 < bytes;
            if (lines == count) {
                return start + done + 1;
            }
        }
        end = start;
    }
    return count > 0 ? 0 : bytes;
}

static void tail_of_file(struct input *input, const struct part *part, uint64_t bytes)
{
    uint64_t from = part->count < bytes ? bytes - part->count : 0;
    uint8_t buffer[4096];
    size_t done;
    if (!part->bytes) {
        from = last_lines(input, bytes, part->count);
    }
    if (!status_is_ok(input->status)) {
        return;
    }
    input_seek(input, from);
    while ((done = input_read(input, buffer, sizeof(buffer))) > 0) {
        out_write(buffer, done);
    }
}

static void tail_of_stream(struct input *input, const struct part *part)
{
    struct text all = {.data = NULL};
    uint8_t buffer[4096];
    size_t bytes, limit = INPUT_BYTES;
    while ((bytes = input_read(input, buffer, sizeof(buffer))) > 0) {
        text_add(&all, (const char *)buffer, bytes);
        if (all.used > limit) {
            forget(&all, part);
            limit = all.used * 2 > INPUT_BYTES ? all.used * 2 : INPUT_BYTES;
        }
    }
    if (all.failed) {
        exit(complain("%s: no memory", input->name));
    }
    print_last(&all, part);
    text_free(&all);
}

static void tail_input(struct input *input, void *context)
{
    struct part *part = context;
    uint64_t bytes;
    print_heading(input, part);
    if (part->from_start) {
        tail_from(input, part);
    } else if (input_is_file(input, &bytes)) {
        tail_of_file(input, part, bytes);
    } else {
        tail_of_stream(input, part);
    }
}

static int part_main(int argc, char **argv, void (*use)(struct input *, void *))
{
    struct part part = {.count = 10};
    char old[24];
    int c;
    if (argc > 1 && argv[1][0] == '-' && argv[1][1] >= '0' && argv[1][1] <= '9') {
        // The old way: -20
        snprintf(old, sizeof(old), "-n%s", argv[1] + 1);
        argv[1] = old;
    }
    while ((c = getopt(argc, argv, "n:c:q")) != -1) {
        if (c == 'q') {
            continue;
        }
        part.bytes = c == 'c';
        part.from_start = c != '?' && *optarg == '+';
        if (c == '?' || !parse_number(optarg + (*optarg == '+' || *optarg == '-'), &part.count)) {
            return usage("[-n lines | -c bytes] [file …]");
        }
    }
    part.headed = argc - optind > 1;
    return for_inputs(argc, argv, optind, use, &part);
}

int head_main(int argc, char **argv)
{
    return part_main(argc, argv, head_input);
}

int tail_main(int argc, char **argv)
{
    return part_main(argc, argv, tail_input);
}

/* --- wc ---------------------------------------------------------------------------------------------------- */

struct counts {
    uint64_t lines, words, bytes;
};

struct wc {
    bool lines, words, bytes, named, columns;
    struct counts total;
};

static void print_counts(const struct wc *wc, const struct counts *counts, const char *name)
{
    const bool wanted[] = {wc->lines, wc->words, wc->bytes};
    const uint64_t values[] = {counts->lines, counts->words, counts->bytes};
    const char *space = "";
    // A single number is for scripts; columns are for people.
    int width = wc->columns ? 7 : 1;
    for (size_t i = 0; i < 3; i++) {
        if (wanted[i]) {
            out_format("%s%*" PRIu64, space, width, values[i]);
            space = " ";
        }
    }
    out_format(wc->named ? " %s\n" : "\n", name);
}

static void wc_input(struct input *input, void *context)
{
    struct wc *wc = context;
    struct counts counts = {0, 0, 0};
    uint8_t buffer[4096];
    size_t bytes;
    bool inside = false;
    while ((bytes = input_read(input, buffer, sizeof(buffer))) > 0) {
        counts.bytes += bytes;
        for (size_t i = 0; i < bytes; i++) {
            bool space = buffer[i] == ' ' || (buffer[i] >= '\t' && buffer[i] <= '\r');
            counts.lines += buffer[i] == '\n';
            counts.words += !space && !inside;
            inside = !space;
        }
    }
    print_counts(wc, &counts, input->name);
    wc->total.lines += counts.lines;
    wc->total.words += counts.words;
    wc->total.bytes += counts.bytes;
}

int wc_main(int argc, char **argv)
{
    struct wc wc = {.lines = false};
    int c;
    while ((c = getopt(argc, argv, "lwcm")) != -1) {
        if (c == '?') {
            return usage("[-lwc] [file …]");
        }
        wc.lines = wc.lines || c == 'l';
        wc.words = wc.words || c == 'w';
        wc.bytes = wc.bytes || c == 'c' || c == 'm';
    }
    if (!wc.lines && !wc.words && !wc.bytes) {
        wc.lines = wc.words = wc.bytes = true;
    }
    wc.named = argc > optind;
    wc.columns = wc.lines + wc.words + wc.bytes > 1 || argc - optind > 1;
    int result = for_inputs(argc, argv, optind, wc_input, &wc);
    if (argc - optind > 1) {
        print_counts(&wc, &wc.total, "total");
    }
    return result;
}

/* --- tee --------------------------------------------------------------------------------------------------- */

int tee_main(int argc, char **argv)
{
    bool append = false;
    int c, result = EXIT_SUCCESS;
    struct input input;
    uint8_t buffer[4096];
    size_t bytes, done;
    while ((c = getopt(argc, argv, "a")) != -1) {
        if (c == '?') {
            return usage("[-a] [file …]");
        }
        append = true;
    }
    int count = argc - optind;
    struct file **files = must_have(calloc((size_t)count + 1, sizeof(struct file *)));
    for (int i = 0; i < count; i++) {
        uint32_t flags =
            FILE_OPEN_WRITE | FILE_OPEN_CREATE | (append ? FILE_OPEN_APPEND : FILE_OPEN_TRUNCATE);
        status_t status = file_open(argv[optind + i], flags, 0644, &files[i]);
        if (!status_is_ok(status)) {
            result = complain_status(argv[optind + i], status);
            files[i] = NULL;
        }
    }
    if (!input_open(&input, "-")) {
        return EXIT_FAILURE;
    }
    while ((bytes = input_read(&input, buffer, sizeof(buffer))) > 0) {
        out_write(buffer, bytes);
        for (int i = 0; i < count; i++) {
            status_t status = files[i] ? file_write(files[i], buffer, bytes, &done) : STATUS_OK;
            if (!status_is_ok(status)) {
                result = complain_status(argv[optind + i], status);
                file_close(files[i]);
                files[i] = NULL;
            }
        }
    }
    for (int i = 0; i < count; i++) {
        file_close(files[i]);
    }
    free(files);
    return input_close(&input) ? result : EXIT_FAILURE;
}

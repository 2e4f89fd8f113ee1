#include "tools.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUT_BYTES 16384u
#define STATUS_BROKEN_PIPE 141

static uint8_t out_buffer[OUT_BYTES];
static size_t out_used;
const char *tool_name;

int complain(const char *format, ...)
{
    va_list arguments;
    out_flush();
    fprintf(stderr, "%s: ", tool_name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return EXIT_FAILURE;
}

int complain_status(const char *what, status_t status)
{
    return complain("%s: %s", what, status_words(status));
}

int usage(const char *text)
{
    fprintf(stderr, "usage: %s %s\n", tool_name, text);
    return EXIT_USAGE;
}

void *must_have(void *memory)
{
    if (!memory) {
        exit(complain("no memory"));
    }
    return memory;
}

/* --- output ------------------------------------------------------------------------------------------------ */

void out_flush(void)
{
    size_t bytes = out_used;
    out_used = 0;
    status_t status = stream_write(stream_out(), out_buffer, bytes);
    if (status == STATUS_PEER_DIED) {
        // Nobody reads any more, and that is all there is to say.
        _Exit(STATUS_BROKEN_PIPE);
    }
    if (!status_is_ok(status)) {
        fprintf(stderr, "%s: output: %s\n", tool_name, status_words(status));
        _Exit(EXIT_FAILURE);
    }
}

void out_write(const void *data, size_t bytes)
{
    const uint8_t *from = data;
    while (bytes > 0) {
        size_t room = OUT_BYTES - out_used, part = bytes < room ? bytes : room;
        memcpy(out_buffer + out_used, from, part);
        out_used += part;
        from += part;
        bytes -= part;
        if (out_used == OUT_BYTES) {
            out_flush();
        }
    }
}

void out_string(const char *string)
{
    out_write(string, strlen(string));
}

void out_char(char c)
{
    out_write(&c, 1);
}

void out_format(const char *format, ...)
{
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int bytes = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (bytes < 0) {
        exit(complain("no memory"));
    }
    out_write(text, (size_t)bytes);
    free(text);
}

/* --- input ------------------------------------------------------------------------------------------------- */

bool input_open(struct input *input, const char *name)
{
    status_t status = STATUS_OK;
    *input = (struct input){.name = name, .status = STATUS_OK};
    if (strcmp(name, "-") != 0) {
        struct file_status info;
        status = file_open(name, FILE_OPEN_READ, 0, &input->file);
        if (status_is_ok(status)) {
            status = file_attributes(input->file, &info);
        }
        if (status_is_ok(status) && info.attributes.type == FS_TYPE_DIRECTORY) {
            file_close(input->file);
            complain("%s: is a directory", name);
            return false;
        }
    }
    if (status_is_ok(status) && input->file) {
        status = file_ahead_begin(input->file, &input->ahead);
    }
    if (!status_is_ok(status)) {
        file_close(input->file);
        complain_status(name, status);
        return false;
    }
    input->buffer = input->file ? NULL : must_have(malloc(INPUT_BYTES));
    return true;
}

bool input_is_file(struct input *input, uint64_t *bytes)
{
    struct file_status info;
    if (!input->file || !status_is_ok(file_attributes(input->file, &info)) ||
        info.attributes.type != FS_TYPE_FILE) {
        return false;
    }
    *bytes = info.attributes.bytes;
    return true;
}

void input_seek(struct input *input, uint64_t offset)
{
    file_ahead_end(input->ahead);
    input->ahead = NULL;
    input->at = input->used = 0;
    file_seek(input->file, offset);
    input->status = file_ahead_begin(input->file, &input->ahead);
    input->end = !status_is_ok(input->status);
}

/** False: there is nothing more. */
static bool input_fill(struct input *input)
{
    if (input->end) {
        return false;
    }
    if (!input->file) {
        // Who types shall see what was asked.
        out_flush();
    }
    input->at = input->used = 0;
    input->data = input->buffer;
    input->status = input->file
                        ? file_ahead_next(input->ahead, &input->data, &input->used)
                        : stream_read(stream_in(), input->buffer, INPUT_BYTES, &input->used);
    input->end = !status_is_ok(input->status) || input->used == 0;
    return !input->end;
}

size_t input_read(struct input *input, void *buffer, size_t bytes)
{
    if (input->at == input->used && !input_fill(input)) {
        return 0;
    }
    size_t part = input->used - input->at < bytes ? input->used - input->at : bytes;
    memcpy(buffer, input->data + input->at, part);
    input->at += part;
    return part;
}

bool input_line(struct input *input, struct text *line, bool *newline)
{
    bool any = false, ended = false;
    text_clear(line);
    while (!ended && (input->at < input->used || input_fill(input))) {
        const uint8_t *start = input->data + input->at;
        const uint8_t *end = memchr(start, '\n', input->used - input->at);
        size_t bytes = end ? (size_t)(end - start) : input->used - input->at;
        text_add(line, (const char *)start, bytes);
        input->at += bytes + (end != NULL);
        ended = end != NULL;
        any = true;
    }
    if (line->failed) {
        exit(complain("no memory"));
    }
    if (newline) {
        *newline = ended;
    }
    return any;
}

bool input_close(struct input *input)
{
    status_t status = input->status;
    file_ahead_end(input->ahead);
    file_close(input->file);
    free(input->buffer);
    if (!status_is_ok(status)) {
        complain_status(input->name, status);
    }
    return status_is_ok(status);
}

int for_inputs(int argc, char **argv, int first, void (*use)(struct input *input, void *context),
               void *context)
{
    static char *stdin_only[] = {"-"};
    char **names = first < argc ? argv + first : stdin_only;
    int count = first < argc ? argc - first : 1, result = EXIT_SUCCESS;
    for (int i = 0; i < count; i++) {
        struct input input;
        if (!input_open(&input, names[i])) {
            result = EXIT_FAILURE;
            continue;
        }
        use(&input, context);
        if (!input_close(&input)) {
            result = EXIT_FAILURE;
        }
    }
    return result;
}

/* --- paths and trees --------------------------------------------------------------------------------------- */

char *path_join(const char *directory, const char *name)
{
    struct text path = {.data = NULL};
    text_string(&path, directory);
    if (path.used > 0 && path.data[path.used - 1] != '/') {
        text_char(&path, '/');
    }
    text_string(&path, name);
    return must_have(text_take(&path));
}

const char *path_base(const char *path)
{
    const char *base = path;
    for (const char *at = path; *at; at++) {
        if (*at == '/' && at[1] && at[1] != '/') {
            base = at + 1;
        }
    }
    return base;
}

bool is_directory(const char *path)
{
    struct file_status info;
    return status_is_ok(file_status(path, 0, &info)) && info.attributes.type == FS_TYPE_DIRECTORY;
}

status_t read_names(const char *directory, struct strings *names)
{
    struct file *file;
    struct file_entry entry;
    status_t status = file_open(directory, FILE_OPEN_READ | FILE_OPEN_DIRECTORY, 0, &file);
    if (!status_is_ok(status)) {
        return status;
    }
    while (status_is_ok(status = file_readdir(file, &entry))) {
        strings_add(names, entry.name);
    }
    file_close(file);
    if (names->failed) {
        return STATUS_NO_MEMORY;
    }
    strings_sort(names, 0);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

bool parse_number(const char *text, uint64_t *number)
{
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    errno = 0;
    *number = strtoull(text, &end, 10);
    if (errno != 0) {
        return false;
    }
    unsigned shift = *end == 'k' || *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    end += shift > 0;
    return *end == '\0' && !__builtin_mul_overflow(*number, UINT64_C(1) << shift, number);
}

void human_bytes(uint64_t bytes, char text[HUMAN_BYTES])
{
    static const char units[] = "BKMGTPE";
    size_t unit = 0;
    uint64_t tenths = bytes;
    while (bytes >= 1024 && unit < sizeof(units) - 2) {
        tenths = bytes % 1024 * 10 / 1024;
        bytes /= 1024;
        unit++;
    }
    if (unit == 0) {
        snprintf(text, HUMAN_BYTES, "%" PRIu64, bytes);
    } else if (bytes < 10) {
        snprintf(text, HUMAN_BYTES, "%" PRIu64 ".%" PRIu64 "%c", bytes, tenths, units[unit]);
    } else {
        snprintf(text, HUMAN_BYTES, "%" PRIu64 "%c", bytes, units[unit]);
    }
}

void print_time(int64_t ns, char text[TIME_BYTES])
{
    // Days to a date of the proleptic Gregorian calendar, in years that begin in March.
    int64_t seconds = ns / 1000000000 - (ns % 1000000000 < 0),
            days = seconds / 86400 - (seconds % 86400 < 0);
    int64_t second = seconds - days * 86400, shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097,
            day_of_era = shifted - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153, day = day_of_year - (153 * month + 2) / 5 + 1;
    int64_t year = year_of_era + era * 400 + (month >= 10);
    snprintf(text, TIME_BYTES, "%04d-%02d-%02d %02d:%02d:%02d", (int)year,
             (int)(month < 10 ? month + 3 : month - 9), (int)day, (int)(second / 3600),
             (int)(second / 60 % 60), (int)(second % 60));
}

#pragma once
/* What the tools share: messages, input, output, options, trees.
 *
 * A tool is `int <name>_main(int argc, char **argv)`, listed in main.c; argv[0] is its name, the result its exit status. Output goes
 * through out_*(): it is gathered, and what cannot be written ends the program. */
#include <os/file.h>
#include <os/stream.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tool/status.h>
#include <tool/text.h>
#include <unistd.h>

#define EXIT_USAGE 2

extern const char *tool_name;
extern char **environ;

/** "cp: …" on stderr; 1. */
int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** "cp: a: not found"; 1. */
int complain_status(const char *what, status_t status);
/** How the tool is called; EXIT_USAGE. */
int usage(const char *text);

/* --- output ------------------------------------------------------------------------------------------------ */

void out_write(const void *data, size_t bytes);
void out_string(const char *string);
void out_char(char c);
void out_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
void out_flush(void);

/* --- input ------------------------------------------------------------------------------------------------- */

#define INPUT_BYTES 65536u

/** A file, or stdin for "-". */
struct input {
    const char *name;
    struct file *file; /**< NULL: stdin */
    struct file_ahead *ahead;
    uint8_t *buffer;     /**< of stdin */
    const uint8_t *data; /**< what was read last */
    size_t at, used;
    bool end;
    status_t status; /**< why it ended before its end */
};

/** False: it was complained about. */
bool input_open(struct input *input, const char *name);
/** Is it a file whose bytes may be asked for in any order? Then *@bytes is how many there are. */
bool input_is_file(struct input *input, uint64_t *bytes);
/** Of a file: what comes next is at @offset. */
void input_seek(struct input *input, uint64_t offset);
/** The bytes that come next, at most @bytes of them; 0: the end. */
size_t input_read(struct input *input, void *buffer, size_t bytes);
/** The next line without its newline. False: no more. *@newline (may be NULL): there was one. */
bool input_line(struct input *input, struct text *line, bool *newline);
/** False: it was not read to its end, which was complained about. */
bool input_close(struct input *input);

/** Call @use for each of the files named in @argv from @first on, or for stdin if there are none: 0, or 1 if one could not be read. */
int for_inputs(int argc, char **argv, int first, void (*use)(struct input *input, void *context),
               void *context);

/* --- paths and trees --------------------------------------------------------------------------------------- */

/** @directory/@name, the caller's to free(); ends the program if there is no memory. */
char *path_join(const char *directory, const char *name);
/** What is behind the last slash; slashes at the end are not looked at, so the result may have some. */
const char *path_base(const char *path);
bool is_directory(const char *path);
/** The names in @directory, sorted. */
status_t read_names(const char *directory, struct strings *names);

/** @text as a number of bytes or lines, with k, M or G behind it. False: it is none. */
bool parse_number(const char *text, uint64_t *number);
#define HUMAN_BYTES 32u
#define TIME_BYTES 80u
/** @bytes in few characters, as "12K". */
void human_bytes(uint64_t bytes, char text[HUMAN_BYTES]);
/** A time since 1970 in UTC, as "2024-01-31 12:34:56". */
void print_time(int64_t ns, char text[TIME_BYTES]);
void *must_have(void *memory);

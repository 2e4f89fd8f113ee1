/* sha256sum, hexdump, cmp. */
#include "tools.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tool/sha256.h>

#include "list.h"

#define DIGEST_TEXT_BYTES (2 * SHA256_BYTES + 1)

/* --- sha256sum --------------------------------------------------------------------------------------------- */

static void digest_of(struct input *input, char text[DIGEST_TEXT_BYTES])
{
    struct sha256 sha;
    uint8_t digest[SHA256_BYTES], buffer[4096];
    size_t bytes;
    sha256_begin(&sha);
    while ((bytes = input_read(input, buffer, sizeof(buffer))) > 0) {
        sha256_add(&sha, buffer, bytes);
    }
    sha256_end(&sha, digest);
    for (size_t i = 0; i < sizeof(digest); i++) {
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    }
}

static void sum_input(struct input *input, void *context)
{
    char text[DIGEST_TEXT_BYTES];
    (void)context;
    digest_of(input, text);
    if (status_is_ok(input->status)) {
        out_format("%s  %s\n", text, input->name);
    }
}

/** A line "<digest>  <name>"; false: the file is not as it says. */
static bool check_line(char *line)
{
    char text[DIGEST_TEXT_BYTES];
    struct input input;
    size_t digits = strspn(line, "0123456789abcdef");
    if (digits != DIGEST_TEXT_BYTES - 1 || line[digits] != ' ' || !line[digits + 1]) {
        complain("no line of digest and name: %.40s", line);
        return false;
    }
    char *name = line + digits + 2;
    bool good = input_open(&input, name);
    if (good) {
        digest_of(&input, text);
        good = input_close(&input) && memcmp(text, line, DIGEST_TEXT_BYTES - 1) == 0;
    }
    out_format("%s: %s\n", name, good ? "OK" : "FAILED");
    return good;
}

static void check_input(struct input *input, void *context)
{
    bool *failed = context;
    struct text line = {.data = NULL};
    while (input_line(input, &line, NULL)) {
        *failed = !check_line(line.data) || *failed;
    }
    text_free(&line);
}

int sha256sum_main(int argc, char **argv)
{
    bool check = false, failed = false;
    int c;
    while ((c = getopt(argc, argv, "cb")) != -1) {
        if (c == '?') {
            return usage("[-c] [file …]");
        }
        check = check || c == 'c';
    }
    int result = for_inputs(argc, argv, optind, check ? check_input : sum_input, &failed);
    return failed ? EXIT_FAILURE : result;
}

/* --- hexdump ----------------------------------------------------------------------------------------------- */

#define ROW_BYTES 16u

struct dump {
    uint64_t offset, skip, left;
    uint8_t row[ROW_BYTES], last[ROW_BYTES];
    size_t held;
    bool any, repeated, all;
};

static void dump_row(struct dump *dump)
{
    // Rows like the one before are shown as one star.
    bool same = dump->any && !dump->all && dump->held == ROW_BYTES &&
                memcmp(dump->row, dump->last, ROW_BYTES) == 0;
    if (!same) {
        out_format("%08" PRIx64 " ", dump->offset);
        for (size_t i = 0; i < ROW_BYTES; i++) {
            out_string(i == ROW_BYTES / 2 ? "  " : " ");
            if (i < dump->held) {
                out_format("%02x", dump->row[i]);
            } else {
                out_string("  ");
            }
        }
        out_string("  |");
        for (size_t i = 0; i < dump->held; i++) {
            out_char(dump->row[i] >= ' ' && dump->row[i] < 127 ? (char)dump->row[i] : '.');
        }
        out_string("|\n");
    } else if (!dump->repeated) {
        out_string("*\n");
    }
    dump->repeated = same;
    dump->any = true;
    memcpy(dump->last, dump->row, ROW_BYTES);
    dump->offset += dump->held;
    dump->held = 0;
}

static void dump_input(struct input *input, void *context)
{
    struct dump *dump = context;
    uint8_t buffer[4096];
    size_t bytes;
    while (dump->left > 0 && (bytes = input_read(input, buffer, sizeof(buffer))) > 0) {
        size_t at = dump->skip < bytes ? (size_t)dump->skip : bytes;
        dump->skip -= at;
        dump->offset += at;
        for (; at < bytes && dump->left > 0; at++, dump->left--) {
            dump->row[dump->held++] = buffer[at];
            if (dump->held == ROW_BYTES) {
                dump_row(dump);
            }
        }
    }
}

int hexdump_main(int argc, char **argv)
{
    struct dump dump = {.left = UINT64_MAX};
    bool wrong = false;
    int c;
    while ((c = getopt(argc, argv, "Cvs:n:")) != -1) {
        wrong = wrong || c == '?' || (c == 's' && !parse_number(optarg, &dump.skip)) ||
                (c == 'n' && !parse_number(optarg, &dump.left));
        dump.all = dump.all || c == 'v';
    }
    if (wrong) {
        return usage("[-v] [-s skip] [-n bytes] [file …]");
    }
    int result = for_inputs(argc, argv, optind, dump_input, &dump);
    if (dump.held > 0) {
        dump_row(&dump);
    }
    if (dump.any) {
        out_format("%08" PRIx64 "\n", dump.offset);
    }
    return result;
}

/* --- cmp --------------------------------------------------------------------------------------------------- */

#define CMP_TROUBLE 2

static int next_byte(struct input *input)
{
    uint8_t byte;
    return input_read(input, &byte, 1) == 1 ? byte : -1;
}

static int compare(struct input *left, struct input *right, bool silent)
{
    uint64_t at = 1, line = 1;
    for (;; at++) {
        int a = next_byte(left), b = next_byte(right);
        if (a == b && a < 0) {
            return EXIT_SUCCESS;
        }
        if (a != b && silent) {
            return EXIT_FAILURE;
        }
        if (a < 0 || b < 0) {
            return complain("end of %s after byte %" PRIu64, a < 0 ? left->name : right->name,
                            at - 1);
        }
        if (a != b) {
            out_format("%s %s differ: byte %" PRIu64 ", line %" PRIu64 "\n", left->name,
                       right->name, at, line);
            return EXIT_FAILURE;
        }
        line += a == '\n';
    }
}

int cmp_main(int argc, char **argv)
{
    struct input left, right;
    bool silent = false;
    int c;
    while ((c = getopt(argc, argv, "s")) != -1) {
        if (c == '?') {
            return usage("[-s] file file");
        }
        silent = true;
    }
    if (argc - optind != 2) {
        return usage("[-s] file file");
    }
    if (!input_open(&left, argv[optind])) {
        return CMP_TROUBLE;
    }
    if (!input_open(&right, argv[optind + 1])) {
        input_close(&left);
        return CMP_TROUBLE;
    }
    int result = compare(&left, &right, silent);
    bool good = input_close(&left);
    return input_close(&right) && good ? result : CMP_TROUBLE;
}

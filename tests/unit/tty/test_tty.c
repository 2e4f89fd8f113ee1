/* The line discipline: what is typed, what is shown, what a reader gets. The screen is a model terminal of one line, so that what is
 * checked is what a person sees and not how it was drawn. */
#include "internal.h"

#include <check.h>
#include <string.h>

static struct tty tty;
static char shown[1 << 16];
static size_t shown_bytes;

static void show(void *context, const char *text, size_t bytes)
{
    (void)context;
    if (shown_bytes + bytes < sizeof(shown)) {
        memcpy(shown + shown_bytes, text, bytes);
        shown_bytes += bytes;
    }
    shown[shown_bytes] = '\0';
}

static void begin(void)
{
    shown_bytes = 0;
    shown[0] = '\0';
    tty_init(&tty, show, NULL);
}

static enum tty_result type(const char *keys)
{
    enum tty_result result = TTY_NOTHING;
    for (; *keys != '\0'; keys++)
        result = tty_input(&tty, (uint8_t)*keys);
    return result;
}

/* The next read of at most @bytes gives @expected. */
static int reads(size_t bytes, const char *expected)
{
    uint8_t buffer[TTY_READY_ENTRIES];
    size_t done;
    if (!tty_peek(&tty, buffer, bytes, &done))
        return 0;
    tty_consume(&tty, done);
    return done == strlen(expected) && memcmp(buffer, expected, done) == 0;
}

static int nothing_to_read(void)
{
    uint8_t byte;
    size_t done;
    return !tty_peek(&tty, &byte, 1, &done);
}

/* What stands on the screen after the last newline. */
static const char *screen(void)
{
    static char line[4096];
    size_t cursor = 0, end = 0;
    memset(line, 0, sizeof(line));
    for (size_t i = 0; i < shown_bytes; i++) {
        uint8_t byte = (uint8_t)shown[i];
        if (byte == '\n') {
            memset(line, 0, end);
            cursor = end = 0;
        } else if (byte == '\b') {
            cursor -= cursor > 0;
        } else if (byte != '\a' && (byte & 0xc0) != 0x80) {
            line[cursor++] = (char)byte;
            end = cursor > end ? cursor : end;
        }
    }
    while (end > cursor && line[end - 1] == ' ')
        line[--end] = '\0';
    return line;
}

static void test_tty_gives_whole_lines(void)
{
    begin();
    CHECK(type("ab") == TTY_NOTHING && nothing_to_read());
    CHECK(type("c\r") == TTY_READY);
    CHECK(type("d\n") == TTY_READY);
    CHECK(reads(100, "abc\n") && reads(100, "d\n") && nothing_to_read());
    CHECK(strcmp(shown, "abc\nd\n") == 0);
}

static void test_tty_gives_a_line_in_parts(void)
{
    begin();
    type("abcdef\r");
    CHECK(reads(2, "ab") && reads(3, "cde") && reads(100, "f\n") && nothing_to_read());
}

static void test_tty_keeps_what_was_only_looked_at(void)
{
    uint8_t buffer[8];
    size_t done;
    begin();
    type("abc\r");
    CHECK(tty_peek(&tty, buffer, sizeof(buffer), &done) && done == 4);
    tty_consume(&tty, 1);
    CHECK(reads(100, "bc\n"));
}

static void test_tty_erases(void)
{
    begin();
    type("abx\x7fy\b\bcd");
    CHECK(strcmp(screen(), "acd") == 0);
    type("\x7f\x7f\x7f\x7f\x7f");
    CHECK(strcmp(screen(), "") == 0);
    type("ok\r");
    CHECK(reads(100, "ok\n"));
}

static void test_tty_erases_words_and_lines(void)
{
    begin();
    type("one two \t\x17");
    CHECK(strcmp(screen(), "one ") == 0);
    type("x\x15");
    CHECK(strcmp(screen(), "") == 0);
    type("\x17\x15z\r");
    CHECK(reads(100, "z\n"));
}

static void test_tty_erases_characters_of_many_bytes(void)
{
    begin();
    type("a\xc3\xa4\xe2\x82\xac\x7f");
    CHECK(strcmp(screen(), "a\xc3") == 0);
    type("\x7f\r");
    CHECK(reads(100, "a\n"));
    /* A continuation that continues nothing. */
    type("\x80\x80\x7f\r");
    CHECK(reads(100, "\n"));
}

static void test_tty_shows_control_characters(void)
{
    begin();
    type("\x1b[A");
    CHECK(strcmp(screen(), "^[[A") == 0);
    type("\x7f\x7f\x7f");
    CHECK(strcmp(screen(), "") == 0);
}

static void test_tty_ends_the_stream(void)
{
    begin();
    CHECK(type("\x04") == TTY_READY);
    CHECK(reads(100, "") && nothing_to_read());
    CHECK(type("abc\x04") == TTY_READY);
    CHECK(reads(3, "abc") && nothing_to_read());
    type("abc\x04\x04x\r");
    CHECK(reads(100, "abc") && reads(100, "") && reads(100, "x\n"));
}

static void test_tty_interrupt_forgets_what_was_typed(void)
{
    begin();
    type("line\r\x04unfinished");
    CHECK(type("\x03") == TTY_INTERRUPT);
    CHECK(nothing_to_read());
    type("next\r");
    CHECK(reads(100, "next\n"));
}

static void test_tty_raw_gives_every_key(void)
{
    begin();
    tty_set_raw(&tty, true);
    CHECK(type("a") == TTY_READY);
    type("\r\n\x03\x04\x7f\x15\x1b");
    CHECK(reads(100, "a\r\n\x03\x04\x7f\x15\x1b") && nothing_to_read());
    CHECK(tty_input(&tty, 0) == TTY_READY);
    uint8_t byte = 1;
    size_t done;
    CHECK(tty_peek(&tty, &byte, 1, &done) && done == 1 && byte == 0);
    CHECK(shown_bytes == 0);
}

static void test_tty_turning_raw_gives_the_unfinished_line(void)
{
    begin();
    type("abc");
    CHECK(tty_set_raw(&tty, true) == TTY_READY);
    CHECK(reads(100, "abc"));
    CHECK(tty_set_raw(&tty, false) == TTY_NOTHING);
    type("d\r");
    CHECK(reads(100, "d\n"));
}

static void test_tty_bounds_a_line(void)
{
    begin();
    for (size_t i = 0; i < 3 * TTY_LINE_BYTES; i++)
        CHECK(tty_has_room(&tty) && tty_input(&tty, 'a') == TTY_NOTHING);
    CHECK(shown[shown_bytes - 1] == '\a');
    CHECK(type("\r") == TTY_READY);
    uint8_t buffer[2 * TTY_LINE_BYTES];
    size_t done;
    CHECK(tty_peek(&tty, buffer, sizeof(buffer), &done) && done == TTY_LINE_BYTES &&
          buffer[done - 1] == '\n');
}

/* Whatever is typed, as long as there is said to be room: nothing is overrun, and all that was promised can be read. */
static void test_tty_never_overruns(void)
{
    uint32_t random = 1;
    size_t given = 0, taken = 0;
    begin();
    tty_set_raw(&tty, true);
    for (int i = 0; i < 200000; i++) {
        random = random * 1664525 + 1013904223;
        if ((random >> 28) != 0 && tty_has_room(&tty)) {
            tty_input(&tty, (uint8_t)(given++ * 7));
        } else if (random >> 24 & 1) {
            uint8_t buffer[512];
            size_t done;
            if (tty_peek(&tty, buffer, 1 + (random >> 15 & 511) % sizeof(buffer), &done)) {
                for (size_t k = 0; k < done; k++)
                    CHECK(buffer[k] == (uint8_t)(taken++ * 7));
                tty_consume(&tty, done);
            }
        }
    }
    CHECK(tty.ready_head - tty.ready_tail == given - taken);
    begin();
    for (int i = 0; i < 200000; i++) {
        random = random * 1664525 + 1013904223;
        if (tty_has_room(&tty))
            tty_input(&tty, (uint8_t)(random >> 24));
        CHECK(tty.line_bytes < TTY_LINE_BYTES &&
              tty.ready_head - tty.ready_tail <= TTY_READY_ENTRIES);
        if (!tty_has_room(&tty))
            tty_consume(&tty, 1);
    }
}

/* --- output ----------------------------------------------------------------------------------------------- */

static void test_output_ends_lines_with_both(void)
{
    char sent[16] = "";
    output_put("a\nb\r\n", 5);
    for (size_t i = 0; i < sizeof(sent) - 1 && console_take((uint8_t *)&sent[i]); i++)
        ;
    CHECK(strcmp(sent, "a\r\nb\r\r\n") == 0 && console_is_silent());
}

static void test_output_keeps_a_reserve_for_the_echo(void)
{
    uint8_t byte;
    size_t sent = 0, echoed = 0;
    while (output_room() > 0) {
        output_put("\n", 1);
        sent += 2;
    }
    for (int i = 0; i < 10000; i++)
        output_echo(NULL, "\n", 1);
    while (console_take(&byte))
        echoed++;
    CHECK(echoed > sent + 500 && echoed < sent + 4096);
    CHECK(console_is_silent() && output_room() > 0);
}

static void test_transcript_is_what_was_sent(void)
{
    uint8_t data[64], byte;
    uint64_t position = 0;
    while (transcript_read(&position, data, sizeof(data)) > 0)
        ;
    uint64_t start = position;
    output_put("one\n", 4);
    output_echo(NULL, "x", 1);
    while (console_take(&byte))
        ;
    CHECK(transcript_read(&position, data, 3) == 3 && memcmp(data, "one", 3) == 0);
    CHECK(transcript_read(&position, data, sizeof(data)) == 3 && memcmp(data, "\r\nx", 3) == 0);
    CHECK(position == start + 6 && transcript_read(&position, data, sizeof(data)) == 0);
}

static void put_lines(uint32_t first, uint32_t count)
{
    char line[16];
    uint8_t byte;
    for (uint32_t i = first; i < first + count; i++) {
        size_t bytes = (size_t)snprintf(line, sizeof(line), "%07u\n", (unsigned)i);
        output_put(line, bytes);
        while (console_take(&byte))
            ;
    }
}

/* Nine bytes a line: the ring is gone round more than once. */
static void test_transcript_begins_with_a_whole_line(void)
{
    static uint8_t data[TRANSCRIPT_BYTES];
    uint32_t lines = TRANSCRIPT_BYTES / 9, number;
    uint64_t position = 0;
    put_lines(0, 3 * lines);
    size_t done = transcript_read(&position, data, sizeof(data));
    CHECK(done % 9 == 0 && done > TRANSCRIPT_BYTES - 18 && done <= TRANSCRIPT_BYTES);
    CHECK(sscanf((char *)data, "%7u", &number) == 1 && number == 3 * lines - done / 9);
    CHECK(memcmp(data + done - 2, "\r\n", 2) == 0);
}

static void test_transcript_position_that_never_was(void)
{
    static uint8_t data[TRANSCRIPT_BYTES];
    uint64_t position = UINT64_MAX, end = 0;
    while (transcript_read(&end, data, sizeof(data)) > 0)
        ;
    CHECK(transcript_read(&position, data, sizeof(data)) > TRANSCRIPT_BYTES - 18);
    CHECK(position == end);
    CHECK(transcript_read(&end, data, sizeof(data)) == 0);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(test_tty_gives_whole_lines),
        TEST(test_tty_gives_a_line_in_parts),
        TEST(test_tty_keeps_what_was_only_looked_at),
        TEST(test_tty_erases),
        TEST(test_tty_erases_words_and_lines),
        TEST(test_tty_erases_characters_of_many_bytes),
        TEST(test_tty_shows_control_characters),
        TEST(test_tty_ends_the_stream),
        TEST(test_tty_interrupt_forgets_what_was_typed),
        TEST(test_tty_raw_gives_every_key),
        TEST(test_tty_turning_raw_gives_the_unfinished_line),
        TEST(test_tty_bounds_a_line),
        TEST(test_tty_never_overruns),
        TEST(test_output_ends_lines_with_both),
        TEST(test_output_keeps_a_reserve_for_the_echo),
        TEST(test_transcript_is_what_was_sent),
        TEST(test_transcript_begins_with_a_whole_line),
        TEST(test_transcript_position_that_never_was),
        {0},
    };
    return run_tests(tests);
}

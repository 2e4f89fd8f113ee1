/* libFuzzer target of lib/term: the first two bytes are a size, the rest is printed. A fault is what the sanitisers see, or a grid that no
 * bytes may make: half a wide character, a cursor or a region outside the screen, a character that is none.
 *
 * Build: clang -g -O1 -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE with this file and all sources of lib/term; -I for its include
 * folder. Run: with -max_len=4096.
 */
#include <locale.h>
#include <stdlib.h>
#include <term/term.h>

static void check_row(const struct term *term, uint32_t row)
{
    const struct term_cell *cells = term_row(term, row);
    bool half = false; /* the cell before is a left half */
    for (uint32_t i = 0; i < term->columns; i++) {
        if (((cells[i].attributes & TERM_WIDE_END) != 0) != half || cells[i].code > 0x10ffff ||
            cells[i].reserved != 0)
            abort();
        half = (cells[i].attributes & TERM_WIDE) != 0;
    }
    if (half)
        abort();
}

static void check(const struct term *term)
{
    if (term->cursor.row >= term->rows || term->cursor.column >= term->columns ||
        term->top > term->bottom || term->bottom >= term->rows || term->active > 1)
        abort();
    for (uint32_t row = 0; row < term->rows; row++)
        check_row(term, row);
}

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
    (void)count;
    (void)arguments;
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        abort();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct term term;
    if (size < 2 || !term_init(&term, 2 + data[0] % 80, 1 + data[1] % 25))
        return 0;
    term_write(&term, data + 2, size - 2);
    check(&term);
    term_destroy(&term);
    return 0;
}

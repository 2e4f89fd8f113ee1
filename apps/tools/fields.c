/* cut, tr, printf, seq. */
#include "tools.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"

/* --- cut --------------------------------------------------------------------------------------------------- */

struct range {
    uint64_t first, last;
};

struct cut {
    struct range ranges[32];
    size_t count;
    bool fields, only_separated;
    char separator;
};

static bool parse_list(struct cut *cut, const char *text)
{
    while (*text && cut->count < sizeof(cut->ranges) / sizeof(cut->ranges[0])) {
        char *end;
        struct range range = {1, UINT64_MAX};
        if (*text != '-') {
            range.first = range.last = strtoull(text, &end, 10);
            text = end;
        }
        if (*text == '-') {
            text++;
            range.last = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : UINT64_MAX;
            text = *text >= '0' && *text <= '9' ? end : text;
        }
        if (range.first == 0 || range.last < range.first || (*text && *text != ',')) {
            return false;
        }
        cut->ranges[cut->count++] = range;
        text += *text == ',';
    }
    return *text == '\0' && cut->count > 0;
}

static bool is_chosen(const struct cut *cut, uint64_t number)
{
    for (size_t i = 0; i < cut->count; i++) {
        if (number >= cut->ranges[i].first && number <= cut->ranges[i].last) {
            return true;
        }
    }
    return false;
}

static void cut_fields(const struct cut *cut, const struct text *line)
{
    const char *at = line->data, *end = line->data + line->used;
    bool any = false;
    if (!memchr(at, cut->separator, line->used)) {
        if (!cut->only_separated) {
            out_write(at, line->used);
            out_char('\n');
        }
        return;
    }
    for (uint64_t field = 1; at <= end; field++) {
        const char *stop = memchr(at, cut->separator, (size_t)(end - at));
        stop = stop ? stop : end;
        if (is_chosen(cut, field)) {
            if (any) {
                out_char(cut->separator);
            }
            out_write(at, (size_t)(stop - at));
            any = true;
        }
        at = stop + 1;
    }
    out_char('\n');
}

static void cut_input(struct input *input, void *context)
{
    const struct cut *cut = context;
    struct text line = {.data = NULL};
    while (input_line(input, &line, NULL)) {
        text_add(&line, "", 0);
        if (cut->fields) {
            cut_fields(cut, &line);
            continue;
        }
        for (size_t i = 0; i < line.used; i++) {
            if (is_chosen(cut, i + 1)) {
                out_char(line.data[i]);
            }
        }
        out_char('\n');
    }
    text_free(&line);
}

int cut_main(int argc, char **argv)
{
    static const char help[] = "-f list [-d separator] [-s] | -c list [file …]";
    struct cut cut = {.separator = '\t'};
    int c;
    while ((c = getopt(argc, argv, "f:c:b:d:s")) != -1) {
        if (c == '?' || ((c == 'f' || c == 'c' || c == 'b') && !parse_list(&cut, optarg))) {
            return usage(help);
        }
        cut.fields = cut.fields || c == 'f';
        cut.only_separated = cut.only_separated || c == 's';
        cut.separator = c == 'd' ? *optarg : cut.separator;
    }
    return cut.count == 0 ? usage(help) : for_inputs(argc, argv, optind, cut_input, &cut);
}

/* --- escapes ----------------------------------------------------------------------------------------------- */

/** The character of the escape behind the backslash at *@at; moves on. */
static char escape(const char **at)
{
    static const char letters[] = "abfnrtv\\e", values[] = "\a\b\f\n\r\t\v\\\x1b";
    const char *text = *at;
    const char *found = *text ? strchr(letters, *text) : NULL;
    if (found) {
        *at = text + 1;
        return values[found - letters];
    }
    unsigned value = 0;
    size_t digits = 0;
    while (digits < 3 && text[digits] >= '0' && text[digits] <= '7') {
        value = value * 8 + (unsigned)(text[digits++] - '0');
    }
    *at = text + digits;
    return digits ? (char)value : '\\';
}

/* --- tr ---------------------------------------------------------------------------------------------------- */

struct set {
    uint8_t bytes[512];
    size_t count;
    bool has[256];
};

static void set_add(struct set *set, uint8_t byte)
{
    if (set->count < sizeof(set->bytes)) {
        set->bytes[set->count++] = byte;
    }
    set->has[byte] = true;
}

static bool class_has(const char *name, size_t bytes, int c)
{
    bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z', digit = c >= '0' && c <= '9';
    bool space = c == ' ' || (c >= '\t' && c <= '\r');
    const struct {
        const char *name;
        bool in;
    } classes[] = {
        {"lower", lower},
        {"upper", upper},
        {"digit", digit},
        {"alpha", lower || upper},
        {"alnum", lower || upper || digit},
        {"space", space},
        {"blank", c == ' ' || c == '\t'},
        {"punct", c > ' ' && c < 127 && !lower && !upper && !digit},
        {"print", c >= ' ' && c < 127},
        {"cntrl", c < ' ' || c == 127},
    };
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (strlen(classes[i].name) == bytes && memcmp(classes[i].name, name, bytes) == 0) {
            return classes[i].in;
        }
    }
    return false;
}

static uint8_t set_byte(const char **at)
{
    if (**at == '\\' && (*at)[1]) {
        ++*at;
        return (uint8_t)escape(at);
    }
    return (uint8_t)*(*at)++;
}

static void parse_set(struct set *set, const char *text)
{
    while (*text) {
        const char *end = strncmp(text, "[:", 2) == 0 ? strstr(text + 2, ":]") : NULL;
        if (end) {
            for (int c = 0; c < 256; c++) {
                if (class_has(text + 2, (size_t)(end - text) - 2, c)) {
                    set_add(set, (uint8_t)c);
                }
            }
            text = end + 2;
            continue;
        }
        uint8_t first = set_byte(&text), last = first;
        if (text[0] == '-' && text[1]) {
            text++;
            last = set_byte(&text);
        }
        for (unsigned c = first; c <= last; c++) {
            set_add(set, (uint8_t)c);
        }
    }
}

static void complement(struct set *set)
{
    struct set other = {.count = 0};
    for (unsigned c = 0; c < 256; c++) {
        if (!set->has[c]) {
            set_add(&other, (uint8_t)c);
        }
    }
    *set = other;
}

int tr_main(int argc, char **argv)
{
    static struct set from, to;
    uint8_t map[256], buffer[4096];
    bool delete = false, squeeze = false, other = false;
    struct input input;
    size_t bytes;
    int c, last = -1;
    while ((c = getopt(argc, argv, "dscC")) != -1) {
        if (c == '?') {
            return usage("[-dsc] set [set]");
        }
        delete = delete || c == 'd';
        squeeze = squeeze || c == 's';
        other = other || c == 'c' || c == 'C';
    }
    int sets = argc - optind;
    if (sets < 1 || sets > 2 || (sets == 1 && !delete && !squeeze)) {
        return usage("[-dsc] set [set]");
    }
    parse_set(&from, argv[optind]);
    if (other) {
        complement(&from);
    }
    parse_set(&to, sets == 2 ? argv[optind + 1] : "");
    for (unsigned i = 0; i < 256; i++) {
        map[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < from.count && !delete && to.count > 0; i++) {
        map[from.bytes[i]] = to.bytes[i < to.count ? i : to.count - 1];
    }
    const bool *squeezed = sets == 2 ? to.has : from.has;
    if (!input_open(&input, "-")) {
        return EXIT_FAILURE;
    }
    while ((bytes = input_read(&input, buffer, sizeof(buffer))) > 0) {
        for (size_t i = 0; i < bytes; i++) {
            if (delete && from.has[buffer[i]]) {
                continue;
            }
            uint8_t byte = map[buffer[i]];
            if (!squeeze || last != byte || !squeezed[byte]) {
                out_char((char)byte);
            }
            last = byte;
        }
    }
    return input_close(&input) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- printf ------------------------------------------------------------------------------------------------ */

static bool printf_failed;

static const char *next_argument(char ***arguments)
{
    return **arguments ? *(*arguments)++ : "";
}

static long long number_argument(const char *text)
{
    char *end;
    if (*text == '\'' || *text == '"') {
        return (unsigned char)text[1];
    }
    long long value = *text == '-' ? strtoll(text, &end, 0) : (long long)strtoull(text, &end, 0);
    if (*end) {
        complain("%s: not a number", text);
        printf_failed = true;
    }
    return value;
}

static void put_escaped(const char *text)
{
    while (*text) {
        if (*text == '\\') {
            text++;
            out_char(escape(&text));
        } else {
            out_char(*text++);
        }
    }
}

static void put_padded(const char *text, size_t bytes, int width, bool left)
{
    int pad = width > (int)bytes ? width - (int)bytes : 0;
    out_format("%*s", left ? 0 : pad, "");
    out_write(text, bytes);
    out_format("%*s", left ? pad : 0, "");
}

struct directive {
    bool left, zero, plus, space, other, has_precision;
    int width, precision;
    char kind;
};

static int small_number(const char **at, char ***arguments)
{
    int number = 0;
    if (**at == '*') {
        ++*at;
        long long value = number_argument(next_argument(arguments));
        return value < -10000 || value > 10000 ? 0 : (int)value;
    }
    while (**at >= '0' && **at <= '9') {
        number = number * 10 + (*(*at)++ - '0');
        number = number > 10000 ? 10000 : number;
    }
    return number;
}

static const char *parse_directive(const char *at, char ***arguments, struct directive *directive)
{
    *directive = (struct directive){.precision = 0};
    for (; *at && strchr("-0+ #", *at); at++) {
        directive->left = directive->left || *at == '-';
        directive->zero = directive->zero || *at == '0';
        directive->plus = directive->plus || *at == '+';
        directive->space = directive->space || *at == ' ';
        directive->other = directive->other || *at == '#';
    }
    directive->width = small_number(&at, arguments);
    if (directive->width < 0) {
        directive->left = true;
        directive->width = -directive->width;
    }
    if (*at == '.') {
        at++;
        directive->has_precision = true;
        directive->precision = small_number(&at, arguments);
    }
    directive->kind = *at;
    return *at ? at + 1 : at;
}

static void put_integer(const struct directive *directive, long long value)
{
    char digits[32];
    struct text text = {.data = NULL};
    const char *sign = "";
    bool is_signed = directive->kind == 'd' || directive->kind == 'i';
    unsigned long long magnitude = (unsigned long long)value;
    if (is_signed) {
        sign = value < 0 ? "-" : directive->plus ? "+" : directive->space ? " " : "";
        magnitude = value < 0 ? 0 - magnitude : magnitude;
    }
    snprintf(digits, sizeof(digits),
             directive->kind == 'o'   ? "%llo"
             : directive->kind == 'x' ? "%llx"
             : directive->kind == 'X' ? "%llX"
                                      : "%llu",
             magnitude);
    const char *prefix = !directive->other || magnitude == 0 ? ""
                         : directive->kind == 'x'            ? "0x"
                         : directive->kind == 'X'            ? "0X"
                         : directive->kind == 'o'            ? "0"
                                                             : "";
    int zeros = directive->has_precision ? directive->precision - (int)strlen(digits) : 0;
    if (directive->zero && !directive->left && !directive->has_precision) {
        zeros = directive->width - (int)(strlen(digits) + strlen(sign) + strlen(prefix));
    }
    text_format(&text, "%s%s", sign, prefix);
    for (int i = 0; i < zeros; i++) {
        text_char(&text, '0');
    }
    text_string(&text, digits);
    put_padded(text_get(&text), text.used, directive->width, directive->left);
    text_free(&text);
}

static void put_directive(const struct directive *directive, char ***arguments)
{
    char text[2] = {directive->kind, '\0'};
    if (directive->kind == '%') {
        out_char('%');
    } else if (directive->kind == 'c') {
        text[0] = *next_argument(arguments);
        put_padded(text, text[0] != '\0', directive->width, directive->left);
    } else if (directive->kind == 's') {
        const char *string = next_argument(arguments);
        size_t bytes = strlen(string);
        if (directive->has_precision && directive->precision >= 0 &&
            bytes > (size_t)directive->precision) {
            bytes = (size_t)directive->precision;
        }
        put_padded(string, bytes, directive->width, directive->left);
    } else if (directive->kind == 'b') {
        put_escaped(next_argument(arguments));
    } else if (directive->kind && strchr("diouxX", directive->kind)) {
        put_integer(directive, number_argument(next_argument(arguments)));
    } else {
        complain("%%%s: no such directive", text);
        printf_failed = true;
    }
}

int printf_main(int argc, char **argv)
{
    char **arguments = argv + 2;
    if (argc < 2) {
        return usage("format [argument …]");
    }
    do {
        char **before = arguments;
        for (const char *at = argv[1]; *at;) {
            struct directive directive;
            if (*at == '\\') {
                at++;
                out_char(escape(&at));
            } else if (*at == '%') {
                at = parse_directive(at + 1, &arguments, &directive);
                put_directive(&directive, &arguments);
            } else {
                out_char(*at++);
            }
        }
        // The format is used again for what is left, if it uses any.
        if (arguments == before) {
            break;
        }
    } while (*arguments && !printf_failed);
    return printf_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* --- seq --------------------------------------------------------------------------------------------------- */

static bool parse_integer(const char *text, int64_t *value)
{
    char *end;
    *value = strtoll(text, &end, 10);
    return end != text && *end == '\0';
}

int seq_main(int argc, char **argv)
{
    int64_t first = 1, step = 1, last = 0;
    bool good = argc >= 2 && argc <= 4 && parse_integer(argv[argc - 1], &last);
    good = good && (argc < 3 || parse_integer(argv[1], &first)) &&
           (argc < 4 || parse_integer(argv[2], &step));
    if (!good || step == 0) {
        return usage("[first [step]] last");
    }
    for (int64_t value = first; step > 0 ? value <= last : value >= last;) {
        out_format("%" PRId64 "\n", value);
        if (__builtin_add_overflow(value, step, &value)) {
            break;
        }
    }
    return EXIT_SUCCESS;
}

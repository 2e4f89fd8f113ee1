/* A small printf. One struct holds where the text goes, one what a conversion asks for; numbers are made backwards in a local array
 * that holds 64 bits in octal, then padded. Nothing is allocated and nothing global is touched, so that a panic can use it. */
#include <format.h>
#include <kstring.h>

#define DIGITS_MAX 24

struct sink {
    char *buffer;
    size_t bytes;
    size_t length;
};

struct conversion {
    bool left, zero, alternate;
    char sign; /* what a positive number gets in front, or 0 */
    bool has_precision;
    size_t width, precision;
    unsigned size; /* of the argument in bytes */
};

static void sink_put(struct sink *sink, char c)
{
    if (sink->length + 1 < sink->bytes)
        sink->buffer[sink->length] = c;
    sink->length++;
}

static void sink_fill(struct sink *sink, char c, size_t count)
{
    /* Beyond the buffer only the length matters. */
    for (; count != 0 && sink->length + 1 < sink->bytes; count--)
        sink_put(sink, c);
    sink->length += count;
}

static void put_text(struct sink *sink, const struct conversion *c, const char *text, size_t length)
{
    size_t padding = c->width > length ? c->width - length : 0;

    if (!c->left)
        sink_fill(sink, ' ', padding);
    for (size_t i = 0; i < length; i++)
        sink_put(sink, text[i]);
    if (c->left)
        sink_fill(sink, ' ', padding);
}

/** @prefix and @digits (@count of them, last digit first) by the rules of @c. */
static void put_digits(struct sink *sink, const struct conversion *c, const char *prefix,
                       const char *digits, size_t count)
{
    size_t zeros = c->has_precision && c->precision > count ? c->precision - count : 0;
    size_t length = strlen(prefix) + zeros + count;
    size_t padding = c->width > length ? c->width - length : 0;

    if (c->zero && !c->left && !c->has_precision) {
        zeros += padding;
        padding = 0;
    }
    if (!c->left)
        sink_fill(sink, ' ', padding);
    while (*prefix != '\0')
        sink_put(sink, *prefix++);
    sink_fill(sink, '0', zeros);
    while (count != 0)
        sink_put(sink, digits[--count]);
    if (c->left)
        sink_fill(sink, ' ', padding);
}

static void put_number(struct sink *sink, const struct conversion *c, const char *prefix,
                       uint64_t value, unsigned base, bool upper)
{
    const char *alphabet = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char digits[DIGITS_MAX];
    size_t count = 0;

    /* The standard: zero with precision zero has no digits. */
    if (value == 0 && !(c->has_precision && c->precision == 0))
        digits[count++] = '0';
    for (; value != 0; value /= base)
        digits[count++] = alphabet[value % base];
    put_digits(sink, c, prefix, digits, count);
}

static void put_signed(struct sink *sink, const struct conversion *c, int64_t value)
{
    const char sign[2] = {value < 0 ? '-' : c->sign, '\0'};

    put_number(sink, c, sign, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, false);
}

static const char *parse_flags(struct conversion *c, const char *format)
{
    for (;; format++) {
        switch (*format) {
        case '-':
            c->left = true;
            break;
        case '0':
            c->zero = true;
            break;
        case '#':
            c->alternate = true;
            break;
        case '+':
            c->sign = '+';
            break;
        case ' ':
            c->sign = c->sign == '+' ? '+' : ' ';
            break;
        default:
            return format;
        }
    }
}

static const char *parse_digits(size_t *number, const char *format)
{
    *number = 0;
    for (; *format >= '0' && *format <= '9'; format++)
        *number = MIN(*number * 10 + (size_t)(*format - '0'), (size_t)1 << 20);
    return format;
}

static const char *parse_length(struct conversion *c, const char *format)
{
    c->size = sizeof(int);
    for (;; format++) {
        switch (*format) {
        case 'h':
            c->size = c->size == sizeof(short) ? sizeof(char) : sizeof(short);
            break;
        case 'l':
        case 'z':
        case 'j':
        case 't':
            c->size = sizeof(uint64_t);
            break;
        default:
            return format;
        }
    }
}

static int64_t narrow_signed(int64_t value, unsigned size)
{
    return size == sizeof(char) ? (int8_t)value : size == sizeof(short) ? (int16_t)value : value;
}

static uint64_t narrow_unsigned(uint64_t value, unsigned size)
{
    return size == sizeof(char) ? (uint8_t)value : size == sizeof(short) ? (uint16_t)value : value;
}

/** The conversion of kind @kind, whose argument is next in @arguments. False if there is no such kind. */
static bool convert(struct sink *sink, struct conversion *c, char kind, va_list *arguments)
{
    switch (kind) {
    case 'd':
    case 'i':
        put_signed(sink, c,
                   c->size == sizeof(int64_t) ? va_arg(*arguments, int64_t)
                                              : narrow_signed(va_arg(*arguments, int), c->size));
        return true;
    case 'u':
    case 'x':
    case 'X':
    case 'o': {
        uint64_t value = c->size == sizeof(uint64_t)
                             ? va_arg(*arguments, uint64_t)
                             : narrow_unsigned(va_arg(*arguments, unsigned), c->size);
        unsigned base = kind == 'u' ? 10 : kind == 'o' ? 8 : 16;
        const char *prefix = !c->alternate || value == 0 ? ""
                             : kind == 'x'               ? "0x"
                             : kind == 'X'               ? "0X"
                             : kind == 'o'               ? "0"
                                                         : "";

        put_number(sink, c, prefix, value, base, kind == 'X');
        return true;
    }
    case 'p':
        put_number(sink, c, "0x", (uint64_t)(uintptr_t)va_arg(*arguments, void *), 16, false);
        return true;
    case 'c': {
        char character = (char)va_arg(*arguments, int);

        put_text(sink, c, &character, 1);
        return true;
    }
    case 's': {
        const char *text = va_arg(*arguments, const char *);

        text = text != NULL ? text : "(null)";
        put_text(sink, c, text, strnlen(text, c->has_precision ? c->precision : SIZE_MAX));
        return true;
    }
    default:
        return false;
    }
}

/** Width or precision: a number, or '*' for an int argument. */
static const char *parse_number(size_t *number, bool *negative, const char *format,
                                va_list *arguments)
{
    if (*format != '*')
        return parse_digits(number, format);
    int value = va_arg(*arguments, int);

    *negative = value < 0;
    *number = MIN((size_t)(value < 0 ? -(int64_t)value : value), (size_t)1 << 20);
    return format + 1;
}

/** One conversion; @format is behind the '%'. Returns what follows it. */
static const char *format_one(struct sink *sink, const char *format, va_list *arguments)
{
    struct conversion c = {0};
    const char *start = format;
    bool negative = false;

    format = parse_flags(&c, format);
    format = parse_number(&c.width, &negative, format, arguments);
    c.left = c.left || negative;
    if (*format == '.') {
        negative = false;
        format = parse_number(&c.precision, &negative, format + 1, arguments);
        c.has_precision = !negative;
    }
    format = parse_length(&c, format);
    if (*format == '%') {
        sink_put(sink, '%');
        return format + 1;
    }
    if (convert(sink, &c, *format, arguments))
        return format + 1;
    sink_put(sink, '%');
    return start;
}

size_t format_text_va(char *buffer, size_t bytes, const char *format, va_list arguments)
{
    struct sink sink = {.buffer = buffer, .bytes = bytes};
    va_list copy;

    va_copy(copy, arguments);
    while (*format != '\0') {
        if (*format != '%')
            sink_put(&sink, *format++);
        else
            format = format_one(&sink, format + 1, &copy);
    }
    va_end(copy);
    if (bytes != 0)
        buffer[MIN(sink.length, bytes - 1)] = '\0';
    return sink.length;
}

size_t format_text(char *buffer, size_t bytes, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    size_t length = format_text_va(buffer, bytes, format, arguments);
    va_end(arguments);
    return length;
}

/* A small printf. One struct holds where the text goes, one what a conversion asks for; numbers are made backwards in a local array, then
 * padded. Nothing is allocated and nothing global is touched, so that a panic can use it. */
#include <format.h>
#include <kstring.h>

#define DIGITS_MAX 20 /* of 64 bits in decimal */

struct sink {
    char *buffer;
    size_t bytes;
    size_t length;
};

struct conversion {
    bool left, zero, alternate, is_long;
    size_t width;
};

static void sink_put(struct sink *sink, char c)
{
    if (sink->length + 1 < sink->bytes)
        sink->buffer[sink->length] = c;
    sink->length++;
}

static void sink_fill(struct sink *sink, char c, size_t count)
{
    for (; count != 0; count--)
        sink_put(sink, c);
}

/** @text in the width of @c; zeros come behind @prefix. */
static void put_text(struct sink *sink, const struct conversion *c, const char *prefix,
                     const char *text, size_t length)
{
    size_t whole = strlen(prefix) + length;
    size_t padding = c->width > whole ? c->width - whole : 0;
    bool zero = c->zero && !c->left;

    if (!c->left && !zero)
        sink_fill(sink, ' ', padding);
    while (*prefix != '\0')
        sink_put(sink, *prefix++);
    if (zero)
        sink_fill(sink, '0', padding);
    while (length-- != 0)
        sink_put(sink, *text++);
    if (c->left)
        sink_fill(sink, ' ', padding);
}

static void put_number(struct sink *sink, const struct conversion *c, const char *prefix,
                       uint64_t value, unsigned base)
{
    char digits[DIGITS_MAX];
    size_t first = DIGITS_MAX;

    do {
        digits[--first] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    put_text(sink, c, prefix, digits + first, DIGITS_MAX - first);
}

static const char *parse(struct conversion *c, const char *format)
{
    for (; *format == '-' || *format == '0' || *format == '#'; format++) {
        c->left |= *format == '-';
        c->zero |= *format == '0';
        c->alternate |= *format == '#';
    }
    for (; *format >= '0' && *format <= '9'; format++)
        c->width = MIN(c->width * 10 + (size_t)(*format - '0'), (size_t)1 << 10);
    for (; *format == 'l' || *format == 'z'; format++)
        c->is_long = true;
    return format;
}

/** The conversion of kind @kind, whose argument is next in @arguments. False if there is no such kind. */
static bool convert(struct sink *sink, const struct conversion *c, char kind, va_list *arguments)
{
    uint64_t value;
    const char *text;

    switch (kind) {
    case 'd':
        value = (uint64_t)(c->is_long ? va_arg(*arguments, int64_t) : va_arg(*arguments, int));
        put_number(sink, c, (int64_t)value < 0 ? "-" : "", (int64_t)value < 0 ? 0 - value : value,
                   10);
        return true;
    case 'u':
    case 'x':
    case 'p':
        value =
            c->is_long || kind == 'p' ? va_arg(*arguments, uint64_t) : va_arg(*arguments, unsigned);
        put_number(sink, c, kind == 'p' || (c->alternate && value != 0) ? "0x" : "", value,
                   kind == 'u' ? 10 : 16);
        return true;
    case 's':
        text = va_arg(*arguments, const char *);
        text = text != NULL ? text : "(null)";
        put_text(sink, c, "", text, strlen(text));
        return true;
    case '%':
        sink_put(sink, '%');
        return true;
    default:
        return false;
    }
}

size_t format_text_va(char *buffer, size_t bytes, const char *format, va_list arguments)
{
    struct sink sink = {.buffer = buffer, .bytes = bytes};
    va_list copy;

    va_copy(copy, arguments);
    while (*format != '\0') {
        struct conversion c = {0};
        const char *kind = *format == '%' ? parse(&c, format + 1) : format;

        if (kind != format && convert(&sink, &c, *kind, &copy))
            format = kind + 1;
        else
            sink_put(&sink, *format++);
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

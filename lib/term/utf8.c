/* UTF-8, by table 3-7 of Unicode 15.0: after the first byte only the second is restricted further than to a continuation, and that keeps
 * out overlong forms, surrogates, and what is beyond U+10FFFF. What is wrong ends at the first byte that cannot go on (3.9, "U+FFFD
 * substitution of maximal subparts"). */
#include <term/term.h>

static enum utf8_result begin(struct utf8 *utf8, uint32_t bits, uint8_t left, uint8_t low,
                              uint8_t high)
{
    *utf8 = (struct utf8){.code = bits, .left = left, .low = low, .high = high};
    return UTF8_MORE;
}

static enum utf8_result first(struct utf8 *utf8, uint8_t byte, uint32_t *code)
{
    *code = byte;
    if (byte < 0x80)
        return UTF8_CODE;
    if (byte >= 0xc2 && byte <= 0xdf)
        return begin(utf8, byte & 0x1fu, 1, 0x80, 0xbf);
    if (byte >= 0xe0 && byte <= 0xef)
        return begin(utf8, byte & 0x0fu, 2, byte == 0xe0 ? 0xa0 : 0x80, byte == 0xed ? 0x9f : 0xbf);
    if (byte >= 0xf0 && byte <= 0xf4)
        return begin(utf8, byte & 0x07u, 3, byte == 0xf0 ? 0x90 : 0x80, byte == 0xf4 ? 0x8f : 0xbf);
    return UTF8_BAD;
}

enum utf8_result utf8_take(struct utf8 *utf8, uint8_t byte, uint32_t *code)
{
    if (utf8->left == 0)
        return first(utf8, byte, code);
    if (byte < utf8->low || byte > utf8->high) {
        utf8->left = 0;
        return UTF8_BROKEN;
    }
    utf8->code = utf8->code << 6 | (byte & 0x3fu);
    utf8->low = 0x80;
    utf8->high = 0xbf;
    *code = utf8->code;
    return --utf8->left == 0 ? UTF8_CODE : UTF8_MORE;
}

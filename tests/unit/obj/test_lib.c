/* format.c against the C library's printf, chacha.c against RFC 8439, string.c against memcpy and its like. */
#include "tests.h"

#include <chacha.h>
#include <format.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* kernel/lib/string.c under other names, so that the program keeps its own. */
#define memcpy kernel_memcpy
#define memmove kernel_memmove
#define memset kernel_memset
#define memcmp kernel_memcmp
#define strlen kernel_strlen
#define strnlen kernel_strnlen
#define strncmp kernel_strncmp
#include "../../../kernel/include/kstring.h"
#include "../../../kernel/lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strnlen
#undef strncmp

static bool formats_alike(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool formats_alike(const char *format, ...)
{
    char ours[256], theirs[256];
    va_list a, b;

    va_start(a, format);
    va_copy(b, a);
    size_t our_length = format_text_va(ours, sizeof(ours), format, a);
    int their_length = vsnprintf(theirs, sizeof(theirs), format, b);
    va_end(a);
    va_end(b);
    if (our_length == (size_t)their_length && strcmp(ours, theirs) == 0)
        return true;
    printf("# %s: '%s' (%zu), wanted '%s' (%d)\n", format, ours, our_length, theirs, their_length);
    return false;
}

static void test_format_matches_printf(void)
{
    CHECK(formats_alike("plain %% text"));
    CHECK(formats_alike("%d %d %u", -5, 0, 7u));
    CHECK(formats_alike("%ld %lld %zu", -1L, 123456789012LL, (size_t)9));
    CHECK(formats_alike("%d %lld", INT32_MIN, (long long)INT64_MIN));
    CHECK(formats_alike("%x %#x %#x", 0xbeefu, 0xbeefu, 0u));
    CHECK(formats_alike("[%5d] [%-5d] [%05d]", 42, 42, 42));
    CHECK(formats_alike("[%05d] [%-6d] [%6d]", -42, -42, -42));
    CHECK(formats_alike("[%#10x] [%#010x] [%-#10x]", 0x1fu, 0x1fu, 0x1fu));
    CHECK(formats_alike("[%s] [%10s] [%-10s] [%2s]", "abc", "abc", "abc", "abc"));
    CHECK(formats_alike("%p", (void *)0x1234));
    CHECK(formats_alike("%llu %llx", (unsigned long long)UINT64_MAX, (unsigned long long)1 << 63));
}

static void test_format_cuts_off(void)
{
    char buffer[8];

    memset(buffer, 'x', sizeof(buffer));
    CHECK(format_text(buffer, 4, "%s", "abcdefgh") == 8);
    CHECK(strcmp(buffer, "abc") == 0 && buffer[4] == 'x');
    CHECK(format_text(buffer, 1, "%d", 123) == 3 && buffer[0] == '\0');
    CHECK(format_text(buffer, 0, "%d", 12345) == 5);
    CHECK(format_text(buffer, sizeof(buffer), "%1000d", 1) == 1000);
    CHECK(strcmp(buffer, "       ") == 0);
}

static void test_format_copies_unknown_conversions(void)
{
    char buffer[32];
    const char *volatile odd = "%y %";

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wformat-nonliteral"
#pragma clang diagnostic ignored "-Wformat-security"
    format_text(buffer, sizeof(buffer), odd);
#pragma clang diagnostic pop
    CHECK(strcmp(buffer, "%y %") == 0);
    format_text(buffer, sizeof(buffer), "%s", (const char *volatile){NULL});
    CHECK(strcmp(buffer, "(null)") == 0);
}

/* RFC 8439, 2.3.2. */
static void test_chacha_block_function(void)
{
    static const uint8_t nonce[12] = {0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0};
    static const uint8_t wanted[64] = {
        0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3,
        0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22,
        0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa,
        0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
        0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e,
    };
    uint8_t key[32], block[64];

    for (unsigned i = 0; i < sizeof(key); i++)
        key[i] = (uint8_t)i;
    chacha20_block(block, key, 1, nonce);
    CHECK(memcmp(block, wanted, sizeof(wanted)) == 0);
}

/* RFC 8439, appendix A.1: vectors 1 and 2 (all zero, counters 0 and 1). */
static void test_chacha_zero_key(void)
{
    static const uint8_t zero[32];
    static const uint8_t first[16] = {0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90,
                                      0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28};
    static const uint8_t second[16] = {0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a,
                                       0x98, 0xba, 0x97, 0x7c, 0x73, 0x2d, 0x08, 0x0d};
    uint8_t block[64];

    chacha20_block(block, zero, 0, zero);
    CHECK(memcmp(block, first, sizeof(first)) == 0);
    chacha20_block(block, zero, 1, zero);
    CHECK(memcmp(block, second, sizeof(second)) == 0);
}

/* Appendix A.1, vectors 4 (key ff at 1, counter 2) and 5 (nonce 2 at the end, counter 0). */
static void test_chacha_key_and_nonce_matter(void)
{
    static const uint8_t fourth[16] = {0x72, 0xd5, 0x4d, 0xfb, 0xf1, 0x2e, 0xc4, 0x4b,
                                       0x36, 0x26, 0x92, 0xdf, 0x94, 0x13, 0x7f, 0x32};
    static const uint8_t fifth[16] = {0xc2, 0xc6, 0x4d, 0x37, 0x8c, 0xd5, 0x36, 0x37,
                                      0x4a, 0xe2, 0x04, 0xb9, 0xef, 0x93, 0x3f, 0xcd};
    uint8_t key[32] = {0, 0xff}, nonce[12] = {0}, block[64];

    chacha20_block(block, key, 2, nonce);
    CHECK(memcmp(block, fourth, sizeof(fourth)) == 0);
    key[1] = 0;
    nonce[11] = 2;
    chacha20_block(block, key, 0, nonce);
    CHECK(memcmp(block, fifth, sizeof(fifth)) == 0);
}

#define AREA 400

static void test_memory_copies_every_length_and_alignment(void)
{
    unsigned char from[AREA], to[AREA], wanted[AREA];

    for (unsigned i = 0; i < AREA; i++)
        from[i] = (unsigned char)(i * 7 + 3);
    for (unsigned length = 0; length < 200; length++) {
        for (unsigned shift = 0; shift < 9; shift++) {
            memset(to, 0xee, AREA);
            memset(wanted, 0xee, AREA);
            memcpy(wanted + 16 + shift, from + 2 * shift, length);
            CHECK(kernel_memcpy(to + 16 + shift, from + 2 * shift, length) == to + 16 + shift);
            CHECK(memcmp(to, wanted, AREA) == 0);
            memset(wanted + 16 + shift, (int)shift, length);
            kernel_memset(to + 16 + shift, (int)shift, length);
            CHECK(memcmp(to, wanted, AREA) == 0);
        }
    }
}

static void test_memory_moves_overlap(void)
{
    unsigned char ours[AREA], theirs[AREA];

    for (unsigned length = 0; length < 100; length++) {
        for (unsigned distance = 0; distance < 40; distance++) {
            for (unsigned i = 0; i < AREA; i++)
                ours[i] = theirs[i] = (unsigned char)(i * 13);
            memmove(theirs + 100 + distance, theirs + 100, length);
            kernel_memmove(ours + 100 + distance, ours + 100, length);
            memmove(theirs + 100 - distance, theirs + 110, length);
            kernel_memmove(ours + 100 - distance, ours + 110, length);
            CHECK(memcmp(ours, theirs, AREA) == 0);
        }
    }
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void test_memory_compares(void)
{
    unsigned char a[64], b[64];

    for (unsigned length = 1; length < 64; length++) {
        for (unsigned at = 0; at < length; at++) {
            memset(a, 5, sizeof(a));
            memset(b, 5, sizeof(b));
            b[at] = (unsigned char)(at % 2 == 0 ? 200 : 1);
            CHECK(sign(kernel_memcmp(a, b, length)) == sign(memcmp(a, b, length)));
            CHECK(kernel_memcmp(a, b, at) == 0);
        }
    }
    CHECK(kernel_strlen("abc") == 3 && kernel_strnlen("abc", 2) == 2 &&
          kernel_strnlen("abc", 9) == 3);
    CHECK(kernel_strncmp("abx", "aby", 2) == 0 && kernel_strncmp("\xff", "a", 1) > 0 &&
          kernel_strncmp("ab", "abc", 3) < 0);
}

const struct test lib_tests[] = {
    TEST(test_format_matches_printf),
    TEST(test_format_cuts_off),
    TEST(test_format_copies_unknown_conversions),
    TEST(test_chacha_block_function),
    TEST(test_chacha_zero_key),
    TEST(test_chacha_key_and_nonce_matter),
    TEST(test_memory_copies_every_length_and_alignment),
    TEST(test_memory_moves_overlap),
    TEST(test_memory_compares),
    {0},
};

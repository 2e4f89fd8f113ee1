/* SHA-256 against the examples of FIPS 180-4 (and of the NIST's example values for it), patterns, growing text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tool/pattern.h>
#include <tool/sha256.h>
#include <tool/text.h>

#include "tests.h"

static void digest(const void *data, size_t bytes, size_t piece, char text[65])
{
    struct sha256 sha;
    uint8_t result[SHA256_BYTES];
    sha256_begin(&sha);
    for (size_t at = 0; at < bytes; at += piece) {
        sha256_add(&sha, (const char *)data + at, bytes - at < piece ? bytes - at : piece);
    }
    sha256_end(&sha, result);
    for (size_t i = 0; i < sizeof(result); i++) {
        snprintf(text + 2 * i, 3, "%02x", result[i]);
    }
}

static void test_sha256_standard_examples(void)
{
    static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    static char million[1000000];
    char text[65];
    memset(million, 'a', sizeof(million));
    digest("", 0, 1, text);
    CHECK(strcmp(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855") == 0);
    digest("abc", 3, 3, text);
    CHECK(strcmp(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") == 0);
    digest(two, strlen(two), 56, text);
    CHECK(strcmp(text, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1") == 0);
    digest(million, sizeof(million), 1000, text);
    CHECK(strcmp(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0") == 0);
}

static void test_sha256_pieces_make_no_difference(void)
{
    char data[300], whole[65], pieces[65];
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (char)(i * 7);
    }
    for (size_t bytes = 0; bytes <= sizeof(data); bytes += 13) {
        digest(data, bytes, sizeof(data), whole);
        for (size_t piece = 1; piece < 130; piece += 9) {
            digest(data, bytes, piece, pieces);
            CHECK(strcmp(whole, pieces) == 0);
        }
    }
}

static void test_pattern_matches_what_it_says(void)
{
    CHECK(pattern_match("", "") && !pattern_match("", "a") && pattern_match("*", ""));
    CHECK(pattern_match("a*c", "abbc") && !pattern_match("a*c", "abbd"));
    CHECK(pattern_match("?b?", "abc") && !pattern_match("?b", "abc"));
    CHECK(pattern_match("[a-c]x", "bx") && !pattern_match("[a-c]x", "dx"));
    CHECK(pattern_match("[!a-c]x", "dx") && !pattern_match("[!a-c]x", "ax"));
    CHECK(pattern_match("[]a]", "]") && pattern_match("[a-]", "-"));
    CHECK(pattern_match("[a", "[a") && pattern_match("\\*", "*") && !pattern_match("\\*", "a"));
    CHECK(pattern_match("*.tar.*", "x.tar.tar.gz") && pattern_match("**a**", "bab"));
    CHECK(pattern_is_magic("a*") && !pattern_is_magic("a\\*") && !pattern_is_magic("[a"));
}

static void test_pattern_takes_no_time_without_end(void)
{
    char text[2001];
    memset(text, 'a', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    CHECK(!pattern_match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", text));
}

static void test_pattern_random_input_is_harmless(void)
{
    static const char alphabet[] = "ab*?[]!-\\^";
    uint64_t seed = 1;
    for (int i = 0; i < 200000; i++) {
        char pattern[12] = {0}, text[8] = {0};
        for (size_t c = next_random(&seed) % sizeof(pattern); c > 0; c--) {
            pattern[c - 1] = alphabet[next_random(&seed) % (sizeof(alphabet) - 1)];
        }
        for (size_t c = next_random(&seed) % sizeof(text); c > 0; c--) {
            text[c - 1] = alphabet[next_random(&seed) % (sizeof(alphabet) - 1)];
        }
        // The copies are exact, so that a byte too far is seen.
        char *exact_pattern = strdup(pattern), *exact_text = strdup(text);
        bool matches = pattern_match(exact_pattern, exact_text);
        if (!pattern_is_magic(exact_pattern) && !strchr(pattern, '\\')) {
            CHECK(matches == (strcmp(pattern, text) == 0));
        }
        free(exact_pattern);
        free(exact_text);
    }
}

static void test_text_grows(void)
{
    struct text text = {.data = NULL};
    CHECK(strcmp(text_get(&text), "") == 0);
    for (int i = 0; i < 1000; i++) {
        text_format(&text, "%d,", i);
    }
    CHECK(!text.failed && strlen(text.data) == text.used && strncmp(text.data, "0,1,2,", 6) == 0);
    char *taken = text_take(&text);
    CHECK(taken && text.used == 0);
    free(taken);
    taken = text_take(&text);
    CHECK(taken && *taken == '\0');
    free(taken);
}

static void test_strings_keep_their_order_and_sort(void)
{
    struct strings list = {.items = NULL};
    for (int i = 99; i >= 0; i--) {
        char name[8];
        snprintf(name, sizeof(name), "%02d", i);
        strings_add(&list, name);
    }
    CHECK(!list.failed && list.count == 100 && !list.items[100] &&
          strcmp(list.items[0], "99") == 0);
    strings_sort(&list, 0);
    CHECK(strcmp(list.items[0], "00") == 0 && strcmp(list.items[99], "99") == 0);
    strings_take(&list, NULL);
    CHECK(list.failed);
    strings_free(&list);
}

const struct test tool_tests[] = {
    TEST(test_sha256_standard_examples),          TEST(test_sha256_pieces_make_no_difference),
    TEST(test_pattern_matches_what_it_says),      TEST(test_pattern_takes_no_time_without_end),
    TEST(test_pattern_random_input_is_harmless),  TEST(test_text_grows),
    TEST(test_strings_keep_their_order_and_sort), {NULL, NULL},
};

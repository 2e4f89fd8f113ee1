#include <tool/pattern.h>

#include <string.h>

/** The end of the set that begins behind '[' at @set: what follows its ']'; NULL: it has none, and '[' is a plain character. */
static const char *set_end(const char *set)
{
    if (*set == '!' || *set == '^') {
        set++;
    }
    const char *first = set;
    for (; *set; set++) {
        if (*set == ']' && set != first) {
            return set + 1;
        }
        if (*set == '\\' && set[1]) {
            set++;
        }
    }
    return NULL;
}

static bool set_has(const char *set, const char *end, unsigned char c)
{
    bool invert = *set == '!' || *set == '^', found = false;
    set += invert;
    while (set < end - 1) {
        set += *set == '\\' && set + 1 < end - 1;
        unsigned char low = (unsigned char)*set++, high = low;
        if (set[0] == '-' && set + 1 < end - 1) {
            set++;
            set += *set == '\\' && set + 1 < end - 1;
            high = (unsigned char)*set++;
        }
        found = found || (low <= c && c <= high);
    }
    return found != invert;
}

/** Match one character @c with what @pattern begins with, which is no star: behind that; NULL: it does not match. */
static const char *match_one(const char *pattern, char c)
{
    if (*pattern == '?') {
        return pattern + 1;
    }
    if (*pattern == '[') {
        const char *end = set_end(pattern + 1);
        if (end) {
            return set_has(pattern + 1, end, (unsigned char)c) ? end : NULL;
        }
    }
    if (*pattern == '\\' && pattern[1]) {
        pattern++;
    }
    return *pattern && *pattern == c ? pattern + 1 : NULL;
}

bool pattern_match_bytes(const char *pattern, const char *text, size_t bytes)
{
    const char *end = text + bytes, *star = NULL, *star_text = NULL;
    while (text < end) {
        if (*pattern == '*') {
            star = ++pattern;
            star_text = text;
            continue;
        }
        const char *next = match_one(pattern, *text);
        if (next) {
            pattern = next;
            text++;
        } else if (star) {
            // The last star takes one more character; earlier stars never need to.
            pattern = star;
            text = ++star_text;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

bool pattern_match(const char *pattern, const char *text)
{
    return pattern_match_bytes(pattern, text, strlen(text));
}

bool pattern_is_magic(const char *pattern)
{
    for (; *pattern; pattern++) {
        if (*pattern == '*' || *pattern == '?' || (*pattern == '[' && set_end(pattern + 1))) {
            return true;
        }
        if (*pattern == '\\' && pattern[1]) {
            pattern++;
        }
    }
    return false;
}

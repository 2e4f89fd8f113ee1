#pragma once
/* Patterns of names: `*`, `?`, `[a-z]`, `[!a-z]`, and `\` before a character that is meant as it is. */
#include <stdbool.h>
#include <stddef.h>

/** Whether all of @text matches @pattern. Takes time in proportion to the product of their lengths at most. */
bool pattern_match(const char *pattern, const char *text);
/** The same with the first @bytes of @text. */
bool pattern_match_bytes(const char *pattern, const char *text, size_t bytes);
/** Whether @pattern has anything but plain characters in it. */
bool pattern_is_magic(const char *pattern);

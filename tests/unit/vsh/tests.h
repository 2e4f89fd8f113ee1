#pragma once
#include <check.h>
#include <stdint.h>

extern const struct test parse_tests[], expand_tests[], tool_tests[];

/** The next number of a row that is the same in every run; @state begins as any number. */
static inline uint32_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33);
}

#pragma once
/* What all proofs use. To the checker a variable that was given no value has any. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ASSUME(condition) __CPROVER_assume(condition)
#define PROVE(condition, text) __CPROVER_assert(condition, text)

#define ANY(type, name)                 \
    static inline type any_##name(void) \
    {                                   \
        type value;                     \
        return value;                   \
    }
ANY(uint8_t, u8)
ANY(uint16_t, u16)
ANY(uint32_t, u32)
ANY(uint64_t, u64)

static inline bool any_bool(void)
{
    return (any_u8() & 1) != 0;
}

/** For memcpy: that it stays inside objects. The bytes themselves are left out: to the checker they are dear. */
static inline void prove_copy(const void *to, const void *from, size_t bytes)
{
    PROVE(__CPROVER_r_ok(from, bytes), "what is copied from is there");
    PROVE(__CPROVER_w_ok(to, bytes), "what is copied to is there");
}

static inline uint32_t any_below(uint32_t limit)
{
    uint32_t value = any_u32();
    ASSUME(value < limit);
    return value;
}

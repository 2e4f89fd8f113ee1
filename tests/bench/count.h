#pragma once
/* What the counting plugin (count.c) knows of an architecture, and arch/<name>/count.c tells. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { INSTRUCTIONS, ATOMICS, ROOTS, REGISTERS, WAITS, KINDS };

/** What an instruction is to a path with interrupts off: no end, a call, a return; interrupts may come. */
enum step { STEP_ON, STEP_CALL, STEP_RETURN, STEP_OPEN };

struct target {
    const char *name;                                    /* QEMU's */
    uint32_t (*kind)(const uint8_t *code, size_t bytes); /* INSTRUCTIONS: nothing special */
    uint32_t (*mark)(const uint8_t *code, size_t bytes); /* 0: not a mark */
    enum step (*step)(const uint8_t *code, size_t bytes);
};

/** Put a target among those that count.c finds, in a section of pointers to them. */
#define TARGET(...)                                    \
    static const struct target target = {__VA_ARGS__}; \
    static const struct target *const listed __attribute__((section("targets"), used)) = &target;

static inline uint32_t word(const uint8_t *code, size_t bytes)
{
    uint32_t value = 0;
    memcpy(&value, code, bytes < 4 ? bytes : 4);
    return value;
}

#include "../../count.h"

/* Intel SDM volume 2: lock is F0; xchg with memory (86, 87) locks by itself; mov to CR3 is 0F 22 /3, wrmsr 0F 30. */
static uint32_t kind(const uint8_t *code, size_t bytes)
{
    size_t i = 0;
    bool rex_r = false;
    for (; i < bytes && strchr("\xf0\xf2\xf3\x2e\x36\x3e\x26\x64\x65\x66\x67", code[i]) && code[i];
         i++)
        if (code[i] == 0xf0)
            return ATOMICS;
    if (i < bytes && (code[i] & 0xf0) == 0x40)
        rex_r = (code[i++] & 4) != 0;
    if (i + 1 >= bytes)
        return INSTRUCTIONS;
    if ((code[i] == 0x86 || code[i] == 0x87) && code[i + 1] >> 6 != 3)
        return ATOMICS;
    if (code[i] == 0x0f && code[i + 1] == 0x30)
        return REGISTERS;
    bool to_control = code[i] == 0x0f && code[i + 1] == 0x22 && i + 2 < bytes;
    return to_control && (code[i + 2] >> 3 & 7) == 3 && !rex_r ? ROOTS : INSTRUCTIONS;
}

/* nopl 0x7eca5dNN(%rax): 0F 1F 80 and the displacement. */
static uint32_t mark(const uint8_t *code, size_t bytes)
{
    bool is_mark = bytes == 7 && memcmp(code, "\x0f\x1f\x80", 3) == 0 &&
                   memcmp(code + 4, "\x5d\xca\x7e", 3) == 0;
    return is_mark ? code[3] : 0;
}

/* sti FB, hlt F4, iretq 48 CF; call E8 or FF /2, ret C3. */
static enum step step(const uint8_t *code, size_t bytes)
{
    size_t i = bytes > 1 && (code[0] == 0x3e || (code[0] & 0xf0) == 0x40) ? 1 : 0;
    if (code[i] == 0xfb || code[i] == 0xf4 || code[i] == 0xcf)
        return STEP_OPEN;
    if (code[i] == 0xc3)
        return STEP_RETURN;
    bool to_register = code[i] == 0xff && i + 1 < bytes && (code[i + 1] >> 3 & 7) == 2;
    return code[i] == 0xe8 || to_register ? STEP_CALL : STEP_ON;
}

TARGET("x86_64", kind, mark, step)

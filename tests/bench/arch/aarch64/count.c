#include "../../count.h"

/* Arm ARM (DDI 0487) C4.1: atomics are the loads and stores of LSE, compare-and-swap, and of a pair of exclusives the store. */
static uint32_t kind(const uint8_t *code, size_t bytes)
{
    uint32_t insn = word(code, bytes);
    bool lse = (insn & 0x3b200c00) == 0x38200000, cas = (insn & 0x3fa07c00) == 0x08a07c00;
    bool store_exclusive = (insn & 0x3fc00000) == 0x08000000;
    if (lse || cas || store_exclusive)
        return ATOMICS;
    return (insn & 0xffffffe0) == 0xd5182000 ? ROOTS : INSTRUCTIONS; /* msr ttbr0_el1, xN */
}

/* movz xzr, #0xeca0 + N */
static uint32_t mark(const uint8_t *code, size_t bytes)
{
    uint32_t insn = word(code, bytes);
    bool is_mark = (insn & 0xffe0001f) == 0xd280001f && (insn >> 9 & 0xfff) == 0xeca;
    return is_mark ? insn >> 5 & 0xf : 0;
}

/* msr daifclr, wfi, eret; bl, and by a register, signed or not, blr and ret. */
static enum step step(const uint8_t *code, size_t bytes)
{
    uint32_t insn = word(code, bytes), by_register = insn >> 25 == 0x6b ? insn >> 21 & 15 : 0;
    if ((insn & 0xfffff0ff) == 0xd50340ff || insn == 0xd503207f || insn == 0xd69f03e0)
        return STEP_OPEN;
    if (by_register == 2)
        return STEP_RETURN;
    return insn >> 26 == 0x25 || (by_register & 7) == 1 ? STEP_CALL : STEP_ON;
}

TARGET("aarch64", kind, mark, step)

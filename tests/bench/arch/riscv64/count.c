#include "../../count.h"

/* RISC-V unprivileged ISA, chapter A: opcode AMO, of lr and sc only sc; privileged: csrrw and its like on satp (0x180). */
static uint32_t kind(const uint8_t *code, size_t bytes)
{
    uint32_t insn = word(code, bytes);
    if (bytes == 4 && (insn & 0x7f) == 0x2f && insn >> 27 != 2)
        return ATOMICS;
    bool to_satp =
        bytes == 4 && (insn & 0x7f) == 0x73 && insn >> 20 == 0x180 && (insn >> 12 & 3) != 0;
    bool reads_only = (insn >> 12 & 3) != 1 && (insn >> 15 & 31) == 0;
    return to_satp && !reads_only ? ROOTS : INSTRUCTIONS;
}

/* lui x0, 0x7eca0 + N */
static uint32_t mark(const uint8_t *code, size_t bytes)
{
    uint32_t insn = word(code, bytes);
    bool is_mark = bytes == 4 && (insn & 0xfff) == 0x037 && insn >> 16 == 0x7eca;
    return is_mark ? insn >> 12 & 0xf : 0;
}

/* csrsi of sstatus (0x100) with SIE (2), wfi, sret; jal and jalr that leave their return address in ra, and jalr by it. */
static enum step step(const uint8_t *code, size_t bytes)
{
    uint32_t insn = word(code, bytes), opcode = insn & 0x7f, rd = insn >> 7 & 31;
    if (bytes == 2) {
        bool is_call = (insn & 0xf07f) == 0x9002 && rd != 0;
        return insn == 0x8082 ? STEP_RETURN : is_call ? STEP_CALL : STEP_ON;
    }
    if ((insn & 0xfff17fff) == 0x10016073 || insn == 0x10500073 || insn == 0x10200073)
        return STEP_OPEN;
    if (insn == 0x8067)
        return STEP_RETURN;
    return (opcode == 0x6f || opcode == 0x67) && rd == 1 ? STEP_CALL : STEP_ON;
}

TARGET("riscv64", kind, mark, step)

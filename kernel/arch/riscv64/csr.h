#pragma once
/* Control and status registers of supervisor mode (privileged specification, chapter 4), and calls to the firmware (SBI 1.0). */
#include <stdbool.h>
#include <stdint.h>

#define SSTATUS_SIE (1ull << 1)
#define SSTATUS_SPIE (1ull << 5)
#define SSTATUS_SPP (1ull << 8)
#define SSTATUS_SUM (1ull << 18)
#define SSTATUS_MXR (1ull << 19)
#define SSTATUS_VS_SHIFT 9u
#define SSTATUS_VS (3ull << SSTATUS_VS_SHIFT)
#define SSTATUS_FS_SHIFT 13u
#define SSTATUS_FS (3ull << SSTATUS_FS_SHIFT)
/** Of FS and VS: clean, dirty. */
#define STATE_CLEAN 2ull
#define STATE_DIRTY 3ull

#define SCOUNTEREN_CYCLE (1ull << 0)
#define SCOUNTEREN_TIME (1ull << 1)

#define CAUSE_INTERRUPT (1ull << 63)
#define INTERRUPT_SOFTWARE 1u
#define INTERRUPT_TIMER 5u
#define INTERRUPT_EXTERNAL 9u
#define SIE_SOFTWARE (1ull << INTERRUPT_SOFTWARE)
#define SIE_TIMER (1ull << INTERRUPT_TIMER)
#define SIE_EXTERNAL (1ull << INTERRUPT_EXTERNAL)

#define SATP_SV39 (8ull << 60)
#define SATP_SV48 (9ull << 60)
#define SATP_ASID_SHIFT 44u
#define SATP_ASID_MASK 0xffffull

#define csr_read(name)                                         \
    ({                                                         \
        uint64_t csr_value_;                                   \
        __asm__ volatile("csrr %0, " name : "=r"(csr_value_)); \
        csr_value_;                                            \
    })
#define csr_write(name, value) \
    __asm__ volatile("csrw " name ", %0" : : "r"((uint64_t)(value)) : "memory")
#define csr_swap(name, value)                     \
    ({                                            \
        uint64_t csr_value_;                      \
        __asm__ volatile("csrrw %0, " name ", %1" \
                         : "=r"(csr_value_)       \
                         : "r"((uint64_t)(value)) \
                         : "memory");             \
        csr_value_;                               \
    })
#define csr_set(name, bits) \
    __asm__ volatile("csrs " name ", %0" : : "rK"((uint64_t)(bits)) : "memory")
#define csr_clear(name, bits) \
    __asm__ volatile("csrc " name ", %0" : : "rK"((uint64_t)(bits)) : "memory")

/* By number: the assembler knows them only with their extensions. */
#define CSR_STIMECMP "0x14d"
#define CSR_SISELECT "0x150"
#define CSR_SIREG "0x151"
#define CSR_STOPEI "0x15c"
#define CSR_VLENB "0xc22"

/* ── SBI ──────────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define SBI_LEGACY_PUTCHAR 1u
#define SBI_TIME 0x54494d45u
#define SBI_IPI 0x735049u
#define SBI_RFENCE 0x52464e43u
#define SBI_RFENCE_FENCE_I 0u
#define SBI_HSM 0x48534du
#define SBI_HSM_START 0u
#define SBI_HSM_STATUS 2u
#define SBI_HSM_STOPPED 1u
#define SBI_SRST 0x53525354u
#define SBI_SRST_SHUTDOWN 0u
#define SBI_SRST_COLD_REBOOT 1u

struct sbi_result {
    int64_t error; /* 0: it is done */
    uint64_t value;
};

static inline struct sbi_result sbi_call(uint64_t extension, uint64_t function, uint64_t first,
                                         uint64_t second, uint64_t third)
{
    register uint64_t a0 __asm__("a0") = first;
    register uint64_t a1 __asm__("a1") = second;
    register uint64_t a2 __asm__("a2") = third;
    register uint64_t a6 __asm__("a6") = function;
    register uint64_t a7 __asm__("a7") = extension;

    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a2), "r"(a6), "r"(a7) : "memory");
    return (struct sbi_result){(int64_t)a0, a1};
}

#pragma once
/* Registers and instructions of the CPU, by the names of the Arm Architecture Reference Manual (DDI 0487, D19). Included by assembly too. */
#define SCTLR_M (1 << 0)    /* translation */
#define SCTLR_C (1 << 2)    /* caches */
#define SCTLR_SA (1 << 3)   /* the stack pointer is aligned, in the kernel */
#define SCTLR_SA0 (1 << 4)  /* and in user mode */
#define SCTLR_EOS (1 << 11) /* leaving and taking exceptions synchronises */
#define SCTLR_I (1 << 12)
#define SCTLR_DZE (1 << 14)  /* user mode may zero blocks */
#define SCTLR_UCT (1 << 15)  /* and read CTR_EL0 */
#define SCTLR_NTWE (1 << 18) /* and wait for events; waiting for interrupts traps */
#define SCTLR_WXN (1 << 19)  /* what may be written is not executed */
#define SCTLR_TSCXT (1 << 20)
#define SCTLR_EIS (1 << 22)
#define SCTLR_UCI (1 << 26) /* user mode may clean caches, as code generators must */
#define SCTLR_NTLSMD (1 << 28)
#define SCTLR_LSMAOE (1 << 29)
#define SCTLR_ENIA (1 << 31) /* pointer authentication with key IA */
#define SCTLR_BT (3 << 35)   /* paciasp is no landing pad for any jump */
/* SPAN is clear: PAN is set on every entry. Keys IB, DA and DB are off: their instructions do nothing. */
#define SCTLR_BOOT                                                                            \
    (SCTLR_M | SCTLR_C | SCTLR_SA | SCTLR_SA0 | SCTLR_EOS | SCTLR_I | SCTLR_DZE | SCTLR_UCT | \
     SCTLR_NTWE | SCTLR_TSCXT | SCTLR_EIS | SCTLR_UCI | SCTLR_NTLSMD | SCTLR_LSMAOE)

/* Attributes 0: normal memory, write-back; 1: device memory, not gathered, not reordered, writes acknowledged early. */
#define MAIR_VALUE 0x04ff
/* 48-bit addresses and 4 KiB pages in both halves, tables cached and inner shareable, 8-bit ASIDs in TTBR0. IPS is added. */
#define TCR_VALUE 0xb5103510
#define TCR_E0PD1 (1 << 56)

#define PSTATE_EL1H_MASKED 0x3c5

#define ESR_CLASS_SHIFT 26

#ifndef __ASSEMBLER__
#include <stdbool.h>
#include <stdint.h>

#define SYSREG_READ(name)                                  \
    ({                                                     \
        uint64_t value_;                                   \
        __asm__ volatile("mrs %0, " #name : "=r"(value_)); \
        value_;                                            \
    })
#define SYSREG_WRITE(name, value) \
    __asm__ volatile("msr " #name ", %0" : : "r"((uint64_t)(value)) : "memory")

/* GICv3's CPU interface, by the encodings (Arm IHI 0069, 12.2): not every assembler has the names. */
#define ICC_PMR_EL1 S3_0_C4_C6_0
#define ICC_IAR1_EL1 S3_0_C12_C12_0
#define ICC_EOIR1_EL1 S3_0_C12_C12_1
#define ICC_BPR1_EL1 S3_0_C12_C12_3
#define ICC_CTLR_EL1 S3_0_C12_C12_4
#define ICC_SRE_EL1 S3_0_C12_C12_5
#define ICC_IGRPEN1_EL1 S3_0_C12_C12_7
#define ICC_SGI1R_EL1 S3_0_C12_C11_5

#define MDSCR_MDE (1ull << 15)

#define ESR_CLASS_MASK 0x3fu
#define ESR_WRITE (1u << 6)
#define ESR_CACHE_MAINTENANCE (1u << 8)

/** Field of 4 bits at @shift of an identification register. */
static inline unsigned id_field(uint64_t value, unsigned shift)
{
    return (unsigned)(value >> shift) & 0xf;
}

static inline void isb(void)
{
    __asm__ volatile("isb" : : : "memory");
}

/** All accesses before this are seen by everybody before any after it. */
static inline void dsb_system(void)
{
    __asm__ volatile("dsb sy" : : : "memory");
}

/** The same among the CPUs. */
static inline void dsb_inner(void)
{
    __asm__ volatile("dsb ish" : : : "memory");
}

static inline void dsb_store(void)
{
    __asm__ volatile("dsb ishst" : : : "memory");
}

/** Pointer authentication, by whatever algorithm: APA, API, APA3. */
static inline bool cpu_has_pac(void)
{
    return (SYSREG_READ(id_aa64isar1_el1) & 0xff0) != 0 ||
           (SYSREG_READ(S3_0_C0_C6_2) & 0xf000) != 0;
}
#endif

#pragma once
/* Programs of this architecture and their address space. */
#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

/** One above the highest user address: of Sv39, which every machine has. More is there with Sv48; programs do without it. */
#define USER_END UINT64_C(0x0000003ffffff000)
/** What an ELF file for this machine says in e_machine. */
#define ELF_MACHINE EM_RISCV
/** The relocation that adds where the image was loaded. */
#define ELF_RELATIVE R_RISCV_RELATIVE
/** What `uname -m` says. */
#define MACHINE_NAME "riscv64"

/** Whether this call of the C library sets the thread pointer: none does, it writes tp itself. */
static inline bool call_sets_tls(long number)
{
    (void)number;
    return false;
}

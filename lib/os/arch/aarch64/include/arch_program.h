#pragma once
/* Programs of this architecture and their address space. */
#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

/** One above the highest user address. */
#define USER_END UINT64_C(0x00007ffffffff000)
/** What an ELF file for this machine says in e_machine. */
#define ELF_MACHINE EM_AARCH64
/** The relocation that adds where the image was loaded. */
#define ELF_RELATIVE R_AARCH64_RELATIVE
/** What `uname -m` says. */
#define MACHINE_NAME "aarch64"

/** Whether this call of the C library sets the thread pointer: none does, it writes tpidr_el0 itself. */
static inline bool call_sets_tls(long number)
{
    (void)number;
    return false;
}

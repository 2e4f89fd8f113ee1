#pragma once
/** One above the highest user address: of Sv39, which every machine has. More is there with Sv48; programs do without it. */
#define USER_END UINT64_C(0x0000003ffffff000)
/** What an ELF file for this machine says in e_machine. */
#define ELF_MACHINE 243u

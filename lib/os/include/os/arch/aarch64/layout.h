#pragma once
/** One above the highest user address. */
#define USER_END UINT64_C(0x00007ffffffff000)
/** What an ELF file for this machine says in e_machine. */
#define ELF_MACHINE 183u

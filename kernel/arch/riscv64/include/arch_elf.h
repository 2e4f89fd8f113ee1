#pragma once
/** e_machine of programs for this architecture (ELF gABI, chapter 4). */
#define ARCH_ELF_MACHINE 243u

#pragma once
/** e_machine of programs for this architecture (ELF for the Arm 64-bit Architecture, 4.1). */
#define ARCH_ELF_MACHINE 183u

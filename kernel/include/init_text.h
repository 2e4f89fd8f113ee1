#pragma once
/* Before the first line of a source that has nothing but what runs at boot alone (mk/kernel.mk): all its functions are INIT_TEXT (kernel.h). */
#ifdef __clang__
#pragma clang section text = ".init.text"
#endif

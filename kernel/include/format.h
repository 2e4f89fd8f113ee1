#pragma once
/* Text formatting without a C library: a printf of the conversions that the kernel uses. */
#include "kernel.h"
#include <stdarg.h>

/** Format into @buffer of @bytes (the terminating zero included; 0 bytes writes nothing), cut off where it ends. Returns the length
 *  that the whole text would have. Flags - 0 #, a width, lengths l ll z, conversions d u x s p %. Anything else is copied as it
 *  stands. Callable in any state. */
size_t format_text(char *buffer, size_t bytes, const char *format, ...) PRINTF_LIKE(3, 4);
size_t format_text_va(char *buffer, size_t bytes, const char *format, va_list arguments)
    PRINTF_LIKE(3, 0);

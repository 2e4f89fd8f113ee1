#pragma once
/* A panic of the kernel in a host program ends it. Included by one source of a program that expects none. */
#include <kernel.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void panic(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    abort();
}

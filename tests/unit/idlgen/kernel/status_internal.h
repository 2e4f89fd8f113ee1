#pragma once
#include <veridian/abi.h>

#define KERNEL_BLOCKED STATUS_VALUE(1)

static inline bool status_is_internal(status_t status)
{
    return status == KERNEL_BLOCKED;
}

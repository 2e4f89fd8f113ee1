#pragma once
#include "cap.h"

static inline struct cap *cap_find(struct process *process, handle_t handle, uint32_t type,
                                   uint32_t rights, status_t *status)
{
    struct cap *cap = NULL;
    *status = cap_lookup(process, handle, type, rights, &cap);
    return cap;
}

#pragma once
#include "thread.h"

struct cap {
    handle_t handle;
    uint32_t type;
    uint32_t rights;
};

status_t cap_lookup(struct process *process, handle_t handle, uint32_t type, uint32_t rights,
                    struct cap **cap);

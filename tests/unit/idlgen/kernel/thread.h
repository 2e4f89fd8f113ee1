#pragma once
#include <veridian/abi.h>

struct process {
    int unused;
};

struct thread {
    struct process *process;
    uint64_t arguments[8];
    uint64_t results[4];
    int stores;
};

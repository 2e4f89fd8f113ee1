#pragma once
/* How a program is started (between process.c and start.c, both in lib/os): its first thread's argument is the address of a
 * struct start_block, its stack pointer that of the vector that the C library expects: argument count, arguments, NULL,
 * environment, NULL, auxiliary vector. init, which the kernel starts, has a struct init_info in place of the block. */
#include <os/start.h>

/** The first field of a start block. The first field of init_info is a handle, whose upper half is never this. */
#define START_MAGIC UINT64_C(0x4b434f4c42545253)

struct start_cap {
    uint64_t handle;
    char name[OS_CAP_NAME_BYTES];
};

struct start_block {
    uint64_t magic;
    uint64_t ipc_buffer;
    uint64_t cap_count;
    struct start_cap caps[];
};

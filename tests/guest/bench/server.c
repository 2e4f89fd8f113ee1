/* The benchmark's server: a bare loop, so that what is measured is the kernel. */
#include "bench.h"

#include <os/ipc.h>
#include <os/start.h>
#include <stdlib.h>
#include <veridian/syscalls.h>

static uint8_t copy[65536] __attribute__((aligned(4096)));

static void handle(struct ipc_regs *regs)
{
    uint64_t label = ipc_info_label(regs->info);
    if (label == OP_CAP) {
        status_ignore(sys_cap_close(ipc_buffer()->received[0]));
    } else if (label == OP_READ) {
        struct ipc_grant grant = {.index = 0, .length = ipc_buffer()->grant_lengths[0]};
        size_t done;
        status_ignore(ipc_grant_read(IPC_CURRENT, grant, 0, copy, grant.length, &done));
    }
}

_Noreturn void server_main(void)
{
    handle_t endpoint = os_cap("endpoint");
    struct ipc_regs regs = {.target = endpoint, .deadline = DEADLINE_NEVER};
    ipc_buffer()->accept = 1;
    for (uint64_t i = 0; i < sizeof(copy); i += PAGE_SIZE)
        copy[i] = 1;
    status_t status = ipc_raw_receive(&regs);
    while (status == STATUS_OK) {
        if (ipc_info_label(regs.info) != OP_NOTHING)
            handle(&regs);
        regs.target = endpoint;
        regs.info = 0;
        regs.deadline = DEADLINE_NEVER;
        regs.queue = 0;
        status = ipc_raw_reply_receive(&regs);
    }
    exit(1);
}

#pragma once
/* A kernel of one endpoint in one process: client stubs on one thread, server_run() on another. */
#include <os/ipc.h>
#include <os/syscall.h>

/** Handles of the endpoint, and of one that answers every call with `evil`. */
#define SERVER_HANDLE UINT64_C(1)
#define EVIL_HANDLE UINT64_C(2)

#define NOTIFICATION_HANDLE UINT64_C(3)

/** What EVIL_HANDLE replies. */
struct evil_reply {
    status_t transport;
    uint64_t info;
    uint64_t words[IPC_WORDS];
    uint32_t caps; /* how many really arrive, as far as they were announced */
    uint8_t data[IPC_DATA_MAX];
};
extern struct evil_reply evil;

/** Capabilities of calls get lost on their way. */
extern bool transport_drops_caps;
/** The deadline of the last call. */
extern uint64_t transport_deadline;

/** What the end of the caller of the reply saved last would be told with. */
extern uint64_t transport_cookie;

/** How often bits 4 of NOTIFICATION_HANDLE were signalled. */
extern int transport_signals;

/** A new live handle. */
handle_t transport_handle(void);
int transport_live_handles(void);
void transport_post(uint64_t badge, uint32_t kind, uint64_t word0, uint64_t word1);

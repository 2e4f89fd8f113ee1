#pragma once
/* A block device as its client sees it.
 *
 * When the driver dies we connect again, get fresh rings and send again every request that was not completed.
 * Reads and flushes may be repeated; a write that is repeated writes the same bytes to the same place, and no two requests in flight overlap
 * (block_transfer keeps to one range, in disjoint pieces). A driver that does not answer a request within BLOCK_TIMEOUT_NS is treated as
 * dead: the session is given up and another connect tried. One thread at a time uses a struct block_client. */
#include <idl/block.h>
#include <ring/ring.h>
#include <stdbool.h>
#include <stdint.h>

#define BLOCK_PIECE_BYTES (128u << 10)
#define BLOCK_TIMEOUT_NS UINT64_C(30000000000)
/** How often a request is sent again to ever new drivers before it answers IO. */
#define BLOCK_RETRIES 20u

struct block_client {
    handle_t connect; /* connect capability of the driver */
    handle_t notification, session, doorbell;
    uint8_t *ring_memory, *data_memory; /* the session's, mapped */
    struct ring submissions, completions;
    struct block_info info;
    bool connected;
};

/** A first session. @connect stays the caller's. NO_MEMORY, and what connecting answers. */
MUST_CHECK status_t block_client_init(struct block_client *client, handle_t connect);
/** Read @bytes at @offset into @buffer; both multiples of the block size. RANGE, IO, CORRUPT (the driver breaks the protocol). */
MUST_CHECK status_t block_read(struct block_client *client, uint64_t offset, void *buffer,
                               size_t bytes);
/** Write; the data is stable only after a flush. DENIED: read-only. */
MUST_CHECK status_t block_write(struct block_client *client, uint64_t offset, const void *buffer,
                                size_t bytes);
MUST_CHECK status_t block_flush(struct block_client *client);
/** Close the session and give everything back. */
void block_client_close(struct block_client *client);

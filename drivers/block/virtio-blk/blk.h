#pragma once
/* The virtio block driver's parts: the device and its requests (device.c), clients and their rings (session.c). */
#include <idl/block.h>
#include <ring/ring.h>
#include <virtio/virtio.h>

#define REQUESTS 32u
#define SEGMENTS_MAX (BLOCK_REQUEST_BYTES / PAGE_SIZE + 1)
#define SESSIONS_MAX 8u

struct session;

/** A request that the device has. */
struct request {
    struct session *session; /* NULL: free, or its session has ended */
    bool busy;
    uint64_t tag;
    uint32_t bytes;
    uint32_t op;
    uint64_t deadline_ns;
};

/** One stretch of bus addresses. */
struct segment {
    uint64_t bus;
    uint32_t bytes;
};

struct blk {
    struct driver_device device;
    struct virtio virtio;
    struct virtqueue queue;
    struct block_info info;
    uint32_t segments_max;
    struct request requests[REQUESTS];
    struct dma_buffer headers; /* of each request: header, status, indirect descriptors */
    struct session *sessions[SESSIONS_MAX];
    handle_t endpoint, timer;
    uint32_t next_session; /* whose turn it is */
};

extern struct blk blk;

/** Bring the device up. */
MUST_CHECK status_t device_start(void);
/** A free request, or NULL. */
struct request *device_request(void);
/** Give @request (session, tag, bytes, op set) to the device: @segments of the client's memory from byte @offset of the disk. */
void device_submit(struct request *request, uint64_t offset, const struct segment *segments,
                   uint32_t count);
/** Take what the device has finished and complete it with its sessions. */
void device_poll(void);
/** A request is older than its deadline, or the device broke the rules: the driver must end and begin anew. */
bool device_is_stuck(uint64_t now_ns);

extern const struct block_ops session_ops;
/** Take requests from the clients' rings, in turn, as long as the device has room. */
void sessions_pump(void);
void session_complete(struct session *session, uint64_t tag, status_t status, uint32_t bytes);
/** The client of @badge is gone. */
void session_closed(void *instance, uint64_t badge);
#define EVENT_COOKIE_SESSION 0x1000u
#define EVENT_COOKIE_TIMER 0x2000u

/* Copies between a server and the granted buffers of its callers. The kernel may copy less than asked, at a page
 * that is not there for instance; each function here goes on until all is copied or nothing moves. */
#include <os/ipc.h>

#include <veridian/syscalls.h>

/** Note @moved bytes of a part of @bytes that begins at *@done: STATUS_OK if the copy goes on. */
static status_t progress(status_t status, uint64_t moved, size_t left, size_t *done)
{
    if (!status_is_ok(status)) {
        return status;
    }
    if (moved == 0 || moved > left) {
        return STATUS_FAULT;
    }
    *done += (size_t)moved;
    return STATUS_OK;
}

status_t ipc_grant_read(uint64_t token, struct ipc_grant grant, uint64_t offset, void *buffer,
                        size_t bytes, size_t *done)
{
    status_t status = STATUS_OK;
    for (*done = 0; *done < bytes && status_is_ok(status);) {
        uint64_t moved = 0;
        size_t left = bytes - *done;
        status = sys_endpoint_reply_read(token, grant.index, offset + *done,
                                         (uint8_t *)buffer + *done, left, &moved);
        status = progress(status, moved, left, done);
    }
    return status;
}

status_t ipc_grant_write(uint64_t token, struct ipc_grant grant, uint64_t offset,
                         const void *buffer, size_t bytes, size_t *done)
{
    status_t status = STATUS_OK;
    for (*done = 0; *done < bytes && status_is_ok(status);) {
        uint64_t moved = 0;
        size_t left = bytes - *done;
        const uint8_t *from = (const uint8_t *)buffer + *done;
        status = sys_endpoint_reply_write(token, grant.index, offset + *done, from, left, &moved);
        status = progress(status, moved, left, done);
    }
    return status;
}

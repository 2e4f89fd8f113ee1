/* Streams: a server's, or a pipe's.
 *
 * A pipe is a channel whose messages carry up to PIPE_BYTES of the stream from the writer to the reader. A full pipe is waited for by
 * a word back: after each message taken the reader sends an empty one the other way (if there is no room for that, the writer has
 * enough of them to see). Before it waits, the writer drains these and tries again, so no word is lost. */
#include <os/stream.h>

#include <os/clock.h>
#include <os/start.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#define PIPE_SLOTS 8u
#define PIPE_BYTES 4096u
/** How long a server that died is waited for, and how often it is asked. */
#define RETRY_NS (10 * NS_PER_MS)
#define RETRIES 3000

static struct stream standard[3];
static bool standard_known[3];

/* --- pipes ------------------------------------------------------------------------------------------------ */

/** Wait until something has happened at the channel of @stream since it was last found busy. */
static status_t pipe_wait(struct stream *stream)
{
    struct event event;
    if (stream->queue == HANDLE_NONE) {
        status_t status = sys_queue_create(os_self.budget, &stream->queue);
        if (!status_is_ok(status)) {
            return status;
        }
        status = sys_channel_bind(stream->handle, stream->queue, 0);
        if (!status_is_ok(status)) {
            status_ignore(sys_cap_close(stream->queue));
            stream->queue = HANDLE_NONE;
        }
        if (status == STATUS_BUSY) {
            // Whoever shares this end gets its events: this one looks again after a while.
            clock_sleep(RETRY_NS);
            return STATUS_OK;
        }
        if (!status_is_ok(status)) {
            return status;
        }
        // What came before the binding gave no event.
        return STATUS_OK;
    }
    return sys_queue_wait(stream->queue, DEADLINE_NEVER, &event);
}

/** Take the words that say that the reader has made room; false: there was none. */
static bool pipe_drain(struct stream *stream)
{
    bool any = false;
    uint8_t word[8];
    uint64_t bytes;
    uint32_t caps;
    while (sys_channel_receive(stream->handle, word, sizeof(word), &bytes, &caps) == STATUS_OK) {
        any = true;
    }
    return any;
}

static status_t pipe_send(struct stream *stream, const void *data, size_t bytes)
{
    for (;;) {
        status_t status = sys_channel_send(stream->handle, data, bytes, 0);
        if (status != STATUS_BUSY) {
            return status;
        }
        if (!pipe_drain(stream)) {
            status = pipe_wait(stream);
            if (!status_is_ok(status)) {
                return status;
            }
        }
    }
}

/** Take one message into @stream's buffer. BUSY: none is there yet. */
static status_t pipe_take(struct stream *stream)
{
    uint64_t bytes = 0;
    uint32_t caps;
    if (!stream->buffer) {
        stream->buffer = malloc(PIPE_BYTES);
        if (!stream->buffer) {
            return STATUS_NO_MEMORY;
        }
    }
    status_t status =
        sys_channel_receive(stream->handle, stream->buffer, PIPE_BYTES, &bytes, &caps);
    if (status_is_ok(status)) {
        stream->held = bytes;
        stream->held_start = 0;
        // BUSY or PEER_DIED: the writer has words enough, or is gone.
        status_ignore(sys_channel_send(stream->handle, NULL, 0, 0));
    }
    return status;
}

static status_t pipe_receive(struct stream *stream)
{
    status_t status;
    while ((status = pipe_take(stream)) == STATUS_BUSY) {
        status = pipe_wait(stream);
        if (!status_is_ok(status)) {
            return status;
        }
    }
    return status;
}

static status_t pipe_read(struct stream *stream, void *buffer, size_t bytes, size_t *done)
{
    while (stream->held == 0) {
        status_t status = pipe_receive(stream);
        if (!status_is_ok(status)) {
            // All writers are gone and all that they wrote was read.
            *done = 0;
            return status == STATUS_PEER_DIED ? STATUS_OK : status;
        }
    }
    *done = bytes < stream->held ? bytes : stream->held;
    memcpy(buffer, stream->buffer + stream->held_start, *done);
    stream->held -= *done;
    stream->held_start += *done;
    return STATUS_OK;
}

status_t pipe_create(handle_t budget, handle_t *read_end, handle_t *write_end)
{
    return sys_channel_create(budget != HANDLE_NONE ? budget : os_self.budget, PIPE_SLOTS,
                              PIPE_BYTES, read_end, write_end);
}

/* --- servers ---------------------------------------------------------------------------------------------- */

/** True: @status says that the server is away, and @tries were not too many; some time has passed. */
static bool is_away(status_t status, int *tries)
{
    if ((status != STATUS_PEER_DIED && status != STATUS_STALE) || ++*tries > RETRIES) {
        return false;
    }
    clock_sleep(RETRY_NS);
    return true;
}

static status_t server_read(handle_t server, void *buffer, size_t bytes, size_t *done)
{
    uint64_t read = 0;
    int tries = 0;
    status_t status;
    do {
        status = bytestream_read(server, buffer, bytes, &read);
    } while (is_away(status, &tries));
    if (status_is_ok(status)) {
        if (read > bytes) {
            return STATUS_CORRUPT;
        }
        *done = read;
    }
    return status;
}

static status_t server_write(handle_t server, const uint8_t *buffer, size_t bytes)
{
    int tries = 0;
    while (bytes > 0) {
        uint64_t done = 0;
        status_t status = bytestream_write(server, buffer, bytes, &done);
        if (is_away(status, &tries)) {
            continue;
        }
        if (!status_is_ok(status)) {
            return status;
        }
        if (done == 0 || done > bytes) {
            return STATUS_IO;
        }
        tries = 0;
        buffer += done;
        bytes -= done;
    }
    return STATUS_OK;
}

/* --- both ------------------------------------------------------------------------------------------------- */

status_t stream_open(struct stream *stream, handle_t handle)
{
    uint32_t type = OBJECT_NONE;
    uint32_t rights;
    uint64_t badge, id;
    memset(stream, 0, sizeof(*stream));
    if (handle == HANDLE_NONE) {
        return STATUS_OK;
    }
    status_t status = sys_cap_info(handle, &type, &rights, &badge, &id);
    if (!status_is_ok(status)) {
        return status;
    }
    if (type != OBJECT_ENDPOINT && type != OBJECT_CHANNEL) {
        return STATUS_WRONG_TYPE;
    }
    stream->handle = handle;
    stream->pipe = type == OBJECT_CHANNEL;
    return STATUS_OK;
}

void stream_close(struct stream *stream)
{
    if (stream->queue != HANDLE_NONE) {
        status_ignore(sys_cap_close(stream->queue));
    }
    if (stream->handle != HANDLE_NONE) {
        status_ignore(sys_cap_close(stream->handle));
    }
    free(stream->buffer);
    memset(stream, 0, sizeof(*stream));
}

status_t stream_read(struct stream *stream, void *buffer, size_t bytes, size_t *done)
{
    *done = 0;
    if (stream->handle == HANDLE_NONE || bytes == 0) {
        return STATUS_OK;
    }
    return stream->pipe ? pipe_read(stream, buffer, bytes, done)
                        : server_read(stream->handle, buffer, bytes, done);
}

bool stream_has_more(struct stream *stream)
{
    if (stream->handle == HANDLE_NONE || !stream->pipe) {
        return false;
    }
    while (stream->held == 0) {
        if (!status_is_ok(pipe_take(stream))) {
            return false;
        }
    }
    return true;
}

status_t stream_write(struct stream *stream, const void *buffer, size_t bytes)
{
    const uint8_t *from = buffer;
    if (stream->handle == HANDLE_NONE) {
        return STATUS_OK;
    }
    if (!stream->pipe) {
        return server_write(stream->handle, from, bytes);
    }
    while (bytes > 0) {
        size_t piece = bytes < PIPE_BYTES ? bytes : PIPE_BYTES;
        status_t status = pipe_send(stream, from, piece);
        if (!status_is_ok(status)) {
            return status;
        }
        from += piece;
        bytes -= piece;
    }
    return STATUS_OK;
}

status_t stream_describe(struct stream *stream, struct stream_info *info)
{
    int tries = 0;
    status_t status;
    if (stream->handle == HANDLE_NONE || stream->pipe) {
        *info = (struct stream_info){.kind = STREAM_BYTES};
        return STATUS_OK;
    }
    do {
        status = bytestream_info(stream->handle, info);
    } while (is_away(status, &tries));
    return status;
}

status_t stream_set_mode(struct stream *stream, uint32_t mode)
{
    int tries = 0;
    status_t status;
    if (stream->handle == HANDLE_NONE || stream->pipe) {
        return STATUS_UNSUPPORTED;
    }
    do {
        status = bytestream_set_mode(stream->handle, mode);
    } while (is_away(status, &tries));
    return status;
}

static struct stream *standard_stream(size_t number, const char *name)
{
    if (!standard_known[number]) {
        status_t status = stream_open(&standard[number], os_cap(name));
        if (!status_is_ok(status)) {
            status_ignore(stream_open(&standard[number], HANDLE_NONE));
        }
        standard_known[number] = true;
    }
    return &standard[number];
}

struct stream *stream_in(void)
{
    return standard_stream(0, "stdin");
}

struct stream *stream_out(void)
{
    return standard_stream(1, "stdout");
}

struct stream *stream_error(void)
{
    return standard_stream(2, "stderr");
}

#pragma once
/* Byte streams: what a program reads and prints. (From C, stdin, stdout and stderr are these too.)
 *
 * A stream is the capability of a server that speaks idl/bytestream.idl (the console) or one end of a channel: a pipe. Two ends of a pipe
 * are handed to two programs, and closed where they came from; then the reader sees the end of the stream when the last writer is
 * gone, and a writer whose reader is gone gets PEER_DIED. A stream that has no capability is empty to read and takes all that is
 * written. A server that dies and comes back is waited for. */
#include <idl/bytestream.h>
#include <stdbool.h>
#include <stddef.h>
#include <veridian/abi.h>

struct stream {
    handle_t handle;
    handle_t queue; /**< pipe: where its events come, made when first waited */
    bool pipe;
    size_t held; /**< pipe, reading: bytes of a message that was bigger than the reader's buffer */
    size_t held_start;
    uint8_t *buffer;
};

/** The streams that this program was given as "stdin", "stdout" and "stderr". */
struct stream *stream_in(void);
struct stream *stream_out(void);
struct stream *stream_error(void);

/** @stream becomes that of @handle (HANDLE_NONE: none), which it owns from now on. WRONG_TYPE: neither endpoint nor channel. */
MUST_CHECK status_t stream_open(struct stream *stream, handle_t handle);
/** Give up @stream and its capability. */
void stream_close(struct stream *stream);

/** At least one byte, at most @bytes: *@done. 0: the end. INTERRUPTED: Ctrl-C at the terminal. IO, NO_MEMORY. */
MUST_CHECK status_t stream_read(struct stream *stream, void *buffer, size_t bytes, size_t *done);
/** True: stream_read() gives bytes without waiting. False: it may wait, or say that this is the end; always of a server. */
bool stream_has_more(struct stream *stream);
/** All of @buffer. PEER_DIED: nobody reads it any more. IO, NO_MEMORY. */
MUST_CHECK status_t stream_write(struct stream *stream, const void *buffer, size_t bytes);
MUST_CHECK status_t stream_describe(struct stream *stream, struct stream_info *info);
/** @mode: STREAM_MODE_*. UNSUPPORTED: not a terminal. */
MUST_CHECK status_t stream_set_mode(struct stream *stream, uint32_t mode);

/** A pipe: what is written to *@write_end can be read from *@read_end. It is charged to @budget; HANDLE_NONE: this process's own. NO_MEMORY. */
MUST_CHECK status_t pipe_create(handle_t budget, handle_t *read_end, handle_t *write_end);

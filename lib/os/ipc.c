/* Messages in user space: the parts of the generated stubs that are the same for all of them.
 *
 * Whatever comes from the other side is checked here: lengths against the data that arrived, strings for their
 * NUL, capability counts. The message buffer is shared with the kernel only, which writes to it during a call of
 * this very thread, so it may be read in place between calls. Data written is padded with zeros: no byte of an
 * earlier message leaves the process. */
#include <os/ipc.h>

#include <os/syscall.h>
#include <string.h>
#include <veridian/syscalls.h>

_Thread_local struct ipc_buffer *os_ipc_buffer;

/** @bytes rounded up to the alignment of message data; @bytes is at most IPC_DATA_MAX. */
static size_t padded(size_t bytes)
{
    return (bytes + 7) & ~(size_t)7;
}

static void close_received(struct ipc_buffer *buffer)
{
    for (size_t i = 0; i < IPC_CAPS_MAX; i++) {
        if (buffer->received[i] != HANDLE_NONE) {
            status_ignore(sys_cap_close(buffer->received[i]));
            buffer->received[i] = HANDLE_NONE;
        }
    }
}

status_t ipc_exchange(struct ipc_regs *regs, uint32_t caps)
{
    struct ipc_buffer *buffer = ipc_buffer();
    if (!buffer) {
        return STATUS_INVALID;
    }
    buffer->accept = caps;
    memset(buffer->received, 0, sizeof(buffer->received));
    status_t status = ipc_raw_call(regs);
    buffer->accept = 0;
    if (!status_is_ok(status)) {
        return status;
    }
    status = status_from_code(ipc_info_label(regs->info));
    uint32_t arrived = 0;
    for (size_t i = 0; i < IPC_CAPS_MAX; i++) {
        arrived += buffer->received[i] != HANDLE_NONE;
    }
    bool well_formed =
        ipc_info_caps(regs->info) == caps && ipc_info_data(regs->info) <= IPC_DATA_MAX;
    if (status_is_ok(status) && !well_formed) {
        status = STATUS_CORRUPT;
    } else if (status_is_ok(status) && arrived != caps) {
        // The kernel had no memory for a slot in our table: our budget, not the server's fault.
        status = STATUS_NO_MEMORY;
    }
    if (!status_is_ok(status)) {
        close_received(buffer);
    }
    return status;
}

status_t ipc_corrupt(void)
{
    close_received(ipc_buffer());
    return STATUS_CORRUPT;
}

struct cap_out ipc_cap(handle_t handle, uint32_t rights, bool move)
{
    uint32_t mode = rights ? CAP_TRANSFER_DERIVE : CAP_TRANSFER_COPY;
    return (struct cap_out){
        .handle = handle,
        .rights = rights ? rights : RIGHT_ALL,
        .mode = move ? CAP_TRANSFER_MOVE : mode,
    };
}

struct grant ipc_grant_in(const void *buffer, size_t bytes)
{
    return (struct grant){.address = (uint64_t)(uintptr_t)buffer,
                          .length = bytes,
                          .access = RIGHT_READ};
}

struct grant ipc_grant_out(void *buffer, size_t bytes)
{
    return (struct grant){.address = (uint64_t)(uintptr_t)buffer,
                          .length = bytes,
                          .access = RIGHT_WRITE};
}

/** Room for @bytes and its padding, or NULL; the padding is cleared. */
static uint8_t *reserve(struct ipc_writer *writer, size_t bytes)
{
    if (writer->failed || bytes > IPC_DATA_MAX || padded(bytes) > IPC_DATA_MAX - writer->used) {
        writer->failed = true;
        return NULL;
    }
    uint8_t *at = writer->data + writer->used;
    memset(at + bytes, 0, padded(bytes) - bytes);
    writer->used += padded(bytes);
    return at;
}

/** A length word, @bytes of @from and @extra zeros. */
static void write_counted(struct ipc_writer *writer, const void *from, size_t bytes, size_t extra)
{
    uint8_t *at = reserve(writer, sizeof(uint64_t) + bytes + extra);
    if (at) {
        uint64_t length = bytes;
        memcpy(at, &length, sizeof(length));
        if (bytes) {
            memcpy(at + sizeof(length), from, bytes);
        }
        memset(at + sizeof(length) + bytes, 0, extra);
    }
}

void ipc_write_string(struct ipc_writer *writer, const char *text, size_t limit)
{
    size_t bytes = strnlen(text, limit + 1);
    if (bytes > limit) {
        writer->failed = true;
        return;
    }
    write_counted(writer, text, bytes, 1);
}

void ipc_write_bytes(struct ipc_writer *writer, const void *from, size_t bytes, size_t limit)
{
    if (bytes > limit) {
        writer->failed = true;
        return;
    }
    write_counted(writer, from, bytes, 0);
}

void ipc_write_struct(struct ipc_writer *writer, const void *from, size_t bytes)
{
    uint8_t *at = reserve(writer, bytes);
    if (at) {
        memcpy(at, from, bytes);
    }
}

/** The next @bytes and their padding, or NULL. */
static const uint8_t *advance(struct ipc_reader *reader, uint64_t bytes)
{
    if (reader->failed || bytes > IPC_DATA_MAX || padded((size_t)bytes) > reader->left) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *at = reader->data;
    reader->data += padded((size_t)bytes);
    reader->left -= padded((size_t)bytes);
    return at;
}

/** The length word at the reader's place; more than @limit is malformed. */
static bool read_length(struct ipc_reader *reader, size_t limit, size_t *length)
{
    uint64_t stated = 0;
    const uint8_t *at = advance(reader, sizeof(stated));
    if (at) {
        memcpy(&stated, at, sizeof(stated));
        reader->failed = stated > limit;
    }
    *length = (size_t)stated;
    return !reader->failed;
}

const char *ipc_read_string(struct ipc_reader *reader, size_t limit)
{
    size_t length;
    if (!read_length(reader, limit, &length)) {
        return NULL;
    }
    const char *text = (const char *)advance(reader, (uint64_t)length + 1);
    if (text && strnlen(text, length + 1) != length) {
        reader->failed = true;
        return NULL;
    }
    return text;
}

const void *ipc_read_bytes(struct ipc_reader *reader, size_t limit, size_t *bytes)
{
    *bytes = 0;
    size_t length;
    if (!read_length(reader, limit, &length)) {
        return NULL;
    }
    const void *at = advance(reader, length);
    *bytes = at ? length : 0;
    return at;
}

const void *ipc_read_struct(struct ipc_reader *reader, size_t bytes)
{
    return advance(reader, bytes);
}

bool ipc_read_end(const struct ipc_reader *reader)
{
    return !reader->failed && reader->left == 0;
}

bool ipc_call_has(const struct ipc_call *call, uint32_t caps, uint32_t grants)
{
    uint32_t arrived = 0;
    for (size_t i = 0; i < IPC_CAPS_MAX; i++) {
        arrived += call->received[i] != HANDLE_NONE;
    }
    bool in_front = caps == 0 || call->received[caps - 1] != HANDLE_NONE;
    return arrived == caps && in_front && ipc_info_caps(call->info) == caps &&
           ipc_info_grants(call->info) == grants;
}

struct ipc_reader ipc_call_reader(const struct ipc_call *call)
{
    size_t bytes = ipc_info_data(call->info);
    bool fits = bytes <= IPC_DATA_MAX;
    return (struct ipc_reader){(const uint8_t *)call->data, fits ? bytes : 0, !fits};
}

handle_t ipc_cap_take(struct ipc_call *call, handle_t handle)
{
    for (size_t i = 0; i < IPC_CAPS_MAX; i++) {
        if (call->received[i] == handle) {
            call->received[i] = HANDLE_NONE;
        }
    }
    return handle;
}

status_t ipc_reply_save(struct ipc_call *call, uint64_t cookie, uint64_t *token)
{
    status_t status = sys_endpoint_reply_save(call->endpoint, cookie, token);
    if (status_is_ok(status)) {
        call->token = *token;
    }
    return status;
}

bool ipc_reply_waits(uint64_t token)
{
    uint8_t nothing;
    uint64_t done;
    status_t status = sys_endpoint_reply_read(token, 0, 0, &nothing, 0, &done);
    return status != STATUS_GONE && status != STATUS_NOT_FOUND;
}

void ipc_call_close(struct ipc_call *call)
{
    for (size_t i = 0; i < IPC_CAPS_MAX; i++) {
        if (call->received[i] != HANDLE_NONE) {
            status_ignore(sys_cap_close(call->received[i]));
            call->received[i] = HANDLE_NONE;
        }
    }
}

void ipc_call_finish(struct ipc_call *call, status_t status, bool may_pend)
{
    ipc_call_close(call);
    // Without a saved reply nobody could ever answer: a fault of the handler that the caller shall not wait for.
    call->pending = status == STATUS_PENDING && may_pend && call->token != IPC_CURRENT;
    call->status = status == STATUS_PENDING && !call->pending ? STATUS_UNSUPPORTED : status;
}

uint64_t ipc_reply_place(status_t status, const struct ipc_reply *reply)
{
    uint32_t label = (uint32_t)status_code(status);
    if (!status_is_ok(status)) {
        return ipc_info(label, 0, 0, 0);
    }
    struct ipc_buffer *buffer = ipc_buffer();
    if (reply->data_bytes) {
        memcpy(buffer->data, reply->data, reply->data_bytes);
    }
    for (size_t i = 0; i < reply->caps; i++) {
        buffer->caps[i] = ipc_cap(reply->handles[i], 0, true);
    }
    return ipc_info(label, reply->data_bytes, reply->caps, 0);
}

void ipc_reply_drop(const struct ipc_reply *reply)
{
    for (size_t i = 0; i < reply->caps; i++) {
        status_ignore(sys_cap_close(reply->handles[i]));
    }
}

status_t ipc_reply_send(uint64_t token, status_t status, const struct ipc_reply *reply)
{
    if (!ipc_buffer()) {
        return STATUS_INVALID;
    }
    struct ipc_regs regs = {.target = token, .info = ipc_reply_place(status, reply)};
    if (status_is_ok(status)) {
        memcpy(regs.words, reply->words, sizeof(regs.words));
    }
    status_t sent = ipc_raw_reply(&regs);
    if (!status_is_ok(sent) && status_is_ok(status)) {
        ipc_reply_drop(reply);
    }
    return sent;
}

/* logd: keeps the last lines of the system's log.
 *
 * Lines come from programs by idl/log.idl, and from the kernel, whose ring of bytes is mapped here and looked at before each line that is
 * added and each read, so the two are in order as near as can be. What programs say goes to the boot log's port too; the kernel's lines
 * went there already. A reader names a position in the endless row of bytes; what has been overwritten is skipped, to the start of a
 * line. The row is in Memory that init keeps ("journal"), so a logd that is started again goes on with it. Bytes are there before the
 * positions say so: one that was killed has left no half line, at most a kernel line that comes again. */
#include <idl/log.h>
#include <os/archive.h>
#include <os/catalogue.h>
#include <os/clock.h>
#include <os/memory.h>
#include <os/server.h>
#include <os/start.h>
#include <stdio.h>
#include <string.h>
#include <veridian/syscalls.h>

/** Time, name and line. */
#define TEXT_BYTES (LOG_LINE_BYTES + 64)
_Static_assert(TEXT_BYTES <= IOPORT_WRITE_MAX, "a line goes to the log port as one");

struct kernel_log {
    const struct log_ring *header;
    const uint8_t *data;
    uint64_t capacity;
    uint64_t seen;
    char line[TEXT_BYTES];
    size_t line_bytes;
};

/** The start of the journal; the row of bytes begins with its next page. Whatever is in it, nothing but lines goes wrong. */
struct journal {
    uint64_t head;        /**< bytes ever written */
    uint64_t kernel_seen; /**< bytes of the kernel's whose lines are in them */
};

static struct journal *journal;
static uint8_t *ring;
static uint64_t ring_bytes;
static struct kernel_log kernel_log;
static struct catalogue catalogue;
static handle_t port;

static uint8_t ring_at(uint64_t position)
{
    return ring[position % ring_bytes];
}

static void ring_add(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        ring[(journal->head + i) % ring_bytes] = (uint8_t)text[i];
    }
    __atomic_store_n(&journal->head, journal->head + bytes, __ATOMIC_RELEASE);
}

static status_t journal_open(void)
{
    void *address = NULL;
    uint64_t bytes;
    status_t status = sys_memory_size(os_cap("journal"), &bytes);
    if (status_is_ok(status)) {
        status = bytes > PAGE_SIZE + TEXT_BYTES
                     ? memory_map(os_cap("journal"), 0, bytes, MAP_READ | MAP_WRITE, &address)
                     : STATUS_RANGE;
    }
    if (status_is_ok(status)) {
        journal = address;
        ring = (uint8_t *)address + PAGE_SIZE;
        ring_bytes = bytes - PAGE_SIZE;
    }
    return status;
}

/* --- the kernel's lines ----------------------------------------------------------------------------------- */

static void kernel_open(void)
{
    handle_t memory = os_cap("kernel-log");
    uint64_t bytes = 0;
    void *address = NULL;
    if (!status_is_ok(sys_memory_size(memory, &bytes)) || bytes < sizeof(struct log_ring) ||
        !status_is_ok(memory_map(memory, 0, bytes, MAP_READ, &address))) {
        return;
    }
    const struct log_ring *header = address;
    if (header->capacity != 0 && header->capacity <= bytes - sizeof(*header)) {
        kernel_log.header = header;
        kernel_log.data = (const uint8_t *)(header + 1);
        kernel_log.capacity = header->capacity;
        kernel_log.seen = journal->kernel_seen;
    }
}

static void kernel_byte(uint8_t byte)
{
    kernel_log.line[kernel_log.line_bytes++] = (char)byte;
    if (byte == '\n' || kernel_log.line_bytes == sizeof(kernel_log.line) - 1) {
        kernel_log.line[kernel_log.line_bytes - 1] = '\n';
        ring_add(kernel_log.line, kernel_log.line_bytes);
        kernel_log.line_bytes = 0;
        journal->kernel_seen = kernel_log.seen;
    }
}

/** Add what the kernel has said since the last time. */
static void kernel_take(void)
{
    if (!kernel_log.header) {
        return;
    }
    uint64_t head = __atomic_load_n(&kernel_log.header->head, __ATOMIC_ACQUIRE);
    if (head - kernel_log.seen > kernel_log.capacity) {
        kernel_log.seen = head - kernel_log.capacity;
    }
    while (kernel_log.seen != head) {
        uint8_t byte = kernel_log.data[kernel_log.seen++ % kernel_log.capacity];
        kernel_byte(byte);
    }
}

/* --- calls ------------------------------------------------------------------------------------------------ */

static const char *client_name(uint64_t badge)
{
    struct catalogue_entry entry;
    if (catalogue_client(badge) >= catalogue.count) {
        return "?";
    }
    catalogue_at(&catalogue, catalogue_client(badge), &entry);
    return entry.name;
}

static status_t op_write(void *instance, struct ipc_call *call, const char *line)
{
    (void)instance;
    char text[TEXT_BYTES];
    uint64_t now_us = clock_now_ns() / NS_PER_US;
    const char *name = client_name(call->badge);
    size_t name_bytes = strlen(name);
    // Who says its own name at the start says it once.
    bool named = strncmp(line, name, name_bytes) == 0 && line[name_bytes] == ':';
    int bytes =
        snprintf(text, sizeof(text), "[%5llu.%06llu] %s%s%s\n",
                 (unsigned long long)(now_us / 1000000), (unsigned long long)(now_us % 1000000),
                 named ? "" : name, named ? "" : ": ", line);
    if (bytes <= 0) {
        return STATUS_INVALID;
    }
    size_t end = (size_t)bytes < sizeof(text) ? (size_t)bytes - 1 : sizeof(text) - 2;
    text[end] = '\n';
    for (size_t i = 0; i < end; i++) {
        text[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? '?' : text[i];
    }
    kernel_take();
    ring_add(text, end + 1);
    status_ignore(sys_ioport_write(port, LOG_PORT, text, end + 1));
    return STATUS_OK;
}

/** The first line that begins at or after @position and is still there. */
static uint64_t first_line(uint64_t position)
{
    const uint64_t head = journal->head;
    if (position > head) {
        return head;
    }
    if (head - position <= ring_bytes) {
        return position;
    }
    position = head - ring_bytes;
    while (position < head && ring_at(position) != '\n') {
        position++;
    }
    return position < head ? position + 1 : position;
}

/** The end of the whole lines from @start that fit in @room bytes. */
static uint64_t lines_end(uint64_t start, uint64_t room)
{
    uint64_t end = start;
    for (uint64_t at = start; at < journal->head && at - start < room; at++) {
        if (ring_at(at) == '\n') {
            end = at + 1;
        }
    }
    return end;
}

static status_t op_read(void *instance, struct ipc_call *call, uint64_t position,
                        struct ipc_grant buffer, uint64_t *next, uint64_t *done)
{
    (void)instance;
    kernel_take();
    uint64_t start = first_line(position);
    uint64_t end = lines_end(start, buffer.length);
    if (end == start && start < journal->head) {
        return STATUS_RANGE;
    }
    for (uint64_t at = start; at < end;) {
        uint64_t piece = ring_bytes - at % ring_bytes;
        piece = piece < end - at ? piece : end - at;
        size_t moved;
        status_t status = ipc_grant_write(call->token, buffer, at - start, &ring[at % ring_bytes],
                                          (size_t)piece, &moved);
        if (!status_is_ok(status)) {
            return status;
        }
        at += piece;
    }
    *next = end;
    *done = end - start;
    return STATUS_OK;
}

static void catalogue_read(void)
{
    const void *archive = NULL;
    uint64_t bytes = 0, offset = 0, file_bytes = 0;
    if (!status_is_ok(archive_map(os_cap("archive"), &archive, &bytes)) ||
        !status_is_ok(archive_find(archive, bytes, "catalogue", &offset, &file_bytes)) ||
        !status_is_ok(catalogue_open((const uint8_t *)archive + offset, file_bytes, &catalogue))) {
        catalogue.count = 0;
    }
}

int main(void)
{
    static const struct log_ops ops = {.write = op_write, .read = op_read};
    const struct server_service service = {.protocol = &log_protocol, .ops = &ops};
    status_t status = journal_open();
    if (!status_is_ok(status)) {
        return status_code(status);
    }
    port = os_cap("ioport.e9");
    catalogue_read();
    kernel_open();
    struct server server = {.endpoint = os_cap("endpoint"),
                            .services = &service,
                            .service_count = 1};
    return status_code(server_run(&server));
}

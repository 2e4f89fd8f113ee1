/* The console's clients: calls are put aside for want of keys, room or silence, and their callers give up. The replies, the wire and what was
 * shown are this file's. */
#include "internal.h"

#include <check.h>
#include <string.h>

#define CALLS 1024u

enum { WAITS = 1, ANSWERED, GAVE_UP };

static struct {
    uint64_t cookie;
    int state;
    status_t status;
} calls[CALLS];         /* by token */
static uint64_t latest; /* token */
static bool silent;
static bool full; /* no memory to save a reply */

/* --- what the console stands on ----------------------------------------------------------------------------- */

static bool port_is_idle(void)
{
    return silent;
}

static const struct console_port port = {.is_idle = port_is_idle};
const struct console_port *console_port = &port;

bool console_service(void)
{
    return true;
}

void console_watch(void)
{
}

bool console_is_silent(void)
{
    return silent;
}

size_t output_room(void)
{
    return silent ? 4096 : 0;
}

void output_put(const char *text, size_t bytes)
{
    (void)text;
    (void)bytes;
}

void output_echo(void *context, const char *text, size_t bytes)
{
    (void)context;
    (void)text;
    (void)bytes;
}

size_t transcript_read(uint64_t *position, uint8_t *buffer, size_t bytes)
{
    (void)position;
    (void)buffer;
    (void)bytes;
    return 0;
}

status_t ipc_grant_read(uint64_t token, struct ipc_grant grant, uint64_t offset, void *buffer,
                        size_t bytes, size_t *done)
{
    (void)token;
    (void)grant;
    (void)offset;
    memset(buffer, 'w', bytes);
    *done = bytes;
    return STATUS_OK;
}

/* A server that still has the reply of who gave up has missed what it was told. */
status_t ipc_grant_write(uint64_t token, struct ipc_grant grant, uint64_t offset,
                         const void *buffer, size_t bytes, size_t *done)
{
    (void)grant;
    (void)offset;
    (void)buffer;
    CHECK(token == IPC_CURRENT || calls[token].state == WAITS);
    *done = bytes;
    return STATUS_OK;
}

status_t ipc_reply_save(struct ipc_call *call, uint64_t cookie, uint64_t *token)
{
    (void)call;
    CHECK(latest + 1 < CALLS);
    if (full)
        return STATUS_NO_MEMORY;
    *token = ++latest;
    calls[latest].cookie = cookie;
    calls[latest].state = WAITS;
    return STATUS_OK;
}

status_t ipc_reply_send(uint64_t token, status_t status, const struct ipc_reply *reply)
{
    (void)reply;
    CHECK(calls[token].state == WAITS);
    calls[token].state = ANSWERED;
    calls[token].status = status;
    return STATUS_OK;
}

status_t bytestream_read_reply(uint64_t token, status_t status, uint64_t done)
{
    (void)done;
    return ipc_reply_send(token, status, NULL);
}

status_t bytestream_write_reply(uint64_t token, status_t status, uint64_t done)
{
    (void)done;
    return ipc_reply_send(token, status, NULL);
}

status_t bytestream_flush_reply(uint64_t token, status_t status)
{
    return ipc_reply_send(token, status, NULL);
}

status_t bytestream_interrupted_reply(uint64_t token, status_t status)
{
    return ipc_reply_send(token, status, NULL);
}

status_t bytestream_follow_reply(uint64_t token, status_t status, uint64_t next, uint64_t done)
{
    (void)next;
    (void)done;
    return ipc_reply_send(token, status, NULL);
}

/* --- callers ------------------------------------------------------------------------------------------------ */

static const struct ipc_grant buffer = {0, 16};

static status_t ask_read(struct ipc_call *call)
{
    uint64_t done;
    return client_ops.read(NULL, call, buffer, &done);
}

static status_t ask_write(struct ipc_call *call)
{
    uint64_t done;
    return client_ops.write(NULL, call, buffer, &done);
}

static status_t ask_flush(struct ipc_call *call)
{
    return client_ops.flush(NULL, call);
}

static status_t ask_interrupted(struct ipc_call *call)
{
    return client_ops.interrupted(NULL, call);
}

static status_t ask_follow(struct ipc_call *call)
{
    uint64_t next, done;
    return client_ops.follow(NULL, call, 0, buffer, &next, &done);
}

/* A call of the client @badge, which waits: its token. */
static uint64_t waits(status_t (*ask)(struct ipc_call *), uint64_t badge)
{
    struct ipc_call call = {.badge = badge};
    CHECK(ask(&call) == STATUS_PENDING);
    return latest;
}

static void give_up(uint64_t token)
{
    calls[token].state = GAVE_UP;
    client_gone(NULL, calls[token].cookie);
}

static void begin(void)
{
    memset(calls, 0, sizeof(calls));
    latest = 0;
    silent = false;
    client_start();
}

static void type(const char *keys)
{
    while (*keys != '\0')
        console_key((uint8_t)*keys++);
    console_pump();
}

/* --- tests -------------------------------------------------------------------------------------------------- */

/* The latest reader gets what is typed; if it has died, the one before. */
static void test_client_forgets_a_reader_that_died(void)
{
    begin();
    uint64_t first = waits(ask_read, 1), second = waits(ask_read, 1), third = waits(ask_read, 1);
    give_up(second);
    type("a\n");
    CHECK(calls[third].state == ANSWERED && calls[first].state == WAITS);
    third = waits(ask_read, 1);
    give_up(third);
    type("b\n");
    CHECK(calls[first].state == ANSWERED && calls[first].status == STATUS_OK);
}

/* A client that gives up as often as a table has places has none of them, and everybody else's call is answered. */
static void test_client_that_gives_up_takes_no_place(void)
{
    static status_t (*const asks[])(struct ipc_call *) = {ask_read, ask_write, ask_flush,
                                                          ask_interrupted, ask_follow};
    for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        begin();
        uint64_t other = waits(asks[i], 2);
        for (unsigned tries = 0; tries < 3 * WAITING_MAX && check_failures == 0; tries++)
            give_up(waits(asks[i], 1));
        CHECK(calls[other].state == WAITS);
        give_up(other);
    }
}

/* In a full table the one that has most places loses one to another, but not for a call that cannot be put aside. */
static void test_client_loses_no_place_to_a_call_that_fails(void)
{
    struct ipc_call other = {.badge = 2};
    begin();
    uint64_t first = waits(ask_follow, 1), last = first;
    for (unsigned i = 1; i < WAITING_MAX; i++)
        last = waits(ask_follow, 1);
    full = true;
    CHECK(ask_follow(&other) == STATUS_NO_MEMORY);
    for (uint64_t token = first; token <= last; token++)
        CHECK(calls[token].state == WAITS);
    full = false;
    uint64_t second = waits(ask_follow, 2);
    CHECK(calls[last].state == ANSWERED && calls[last].status == STATUS_NO_MEMORY);
    for (uint64_t token = first; token < last; token++)
        give_up(token);
    give_up(second);
}

/* A cookie that nobody has changes nothing. */
static void test_client_gone_takes_nobody_else(void)
{
    begin();
    uint64_t reader = waits(ask_read, 1), writer = waits(ask_write, 1),
             flusher = waits(ask_flush, 1);
    client_gone(NULL, calls[flusher].cookie + 1);
    client_gone(NULL, 0);
    silent = true;
    type("c\n");
    CHECK(calls[reader].state == ANSWERED && calls[writer].state == ANSWERED &&
          calls[flusher].state == ANSWERED);
}

int main(void)
{
    static const struct test tests[] = {
        TEST(test_client_forgets_a_reader_that_died),
        TEST(test_client_that_gives_up_takes_no_place),
        TEST(test_client_loses_no_place_to_a_call_that_fails),
        TEST(test_client_gone_takes_nobody_else),
        {0},
    };
    return run_tests(tests);
}

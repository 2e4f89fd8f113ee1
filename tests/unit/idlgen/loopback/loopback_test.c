/* The generated client and server of idl/loopback.idl against each other, and each against a hostile peer. */
#include "check.h"
#include "transport.h"

#include <idl/loopback.h>
#include <os/server.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscall_numbers.h>
#include <veridian/trace.h>

enum { EVENT_STOP = 99, EVENT_ANSWER = 98 };

/* --- the server: its operations ------------------------------------------------------------------------- */

static uint64_t saved_token;
static uint64_t saved_value;
static uint32_t rights_held;
static uint64_t closed_badge;
static uint64_t gone_cookie;
#define SAVED_COOKIE 815
static int operation_runs;
static handle_t kept_handle;
static struct server server;

static status_t do_add(void *instance, struct ipc_call *call, uint32_t a, uint8_t b, int64_t c,
                       int64_t *sum, uint16_t *small)
{
    CHECK(instance == &server && call->badge == 0xbad6e);
    operation_runs++;
    *sum = (int64_t)a + b + c;
    *small = (uint16_t)a;
    return a == 7 ? STATUS_RANGE : STATUS_OK;
}

static status_t do_echo(void *instance, struct ipc_call *call, const char *text, const void *raw,
                        size_t raw_bytes, char *text_back, uint8_t *raw_back,
                        size_t *raw_back_bytes)
{
    (void)instance;
    // What arrived must survive a nested use of the message buffer.
    memset(ipc_buffer()->data, 0xee, IPC_DATA_MAX);
    CHECK(!call->pending && text_back[0] == 0 && *raw_back_bytes == 0);
    operation_runs++;
    strcpy(text_back, text);
    memcpy(raw_back, raw, raw_bytes);
    *raw_back_bytes = raw_bytes;
    return STATUS_OK;
}

static status_t do_shift(void *instance, struct ipc_call *call, const struct loopback_point *point,
                         int64_t by, uint32_t mode, const struct loopback_odd *odd,
                         struct loopback_point *shifted)
{
    (void)instance, (void)call;
    operation_runs++;
    *shifted = *point;
    shifted->x += by;
    shifted->kind = mode + odd->value;
    return STATUS_OK;
}

static status_t do_give(void *instance, struct ipc_call *call, handle_t memory, handle_t kept,
                        handle_t *back)
{
    (void)instance;
    operation_runs++;
    kept_handle = ipc_cap_take(call, kept);
    *back = ipc_cap_take(call, memory);
    return STATUS_OK;
}

static status_t do_fill(void *instance, struct ipc_call *call, struct ipc_grant source,
                        struct ipc_grant target, uint64_t *done)
{
    (void)instance;
    operation_runs++;
    uint8_t bytes[64];
    size_t count = source.length < sizeof(bytes) ? (size_t)source.length : sizeof(bytes);
    size_t moved;
    status_t status = ipc_grant_read(call->token, source, 0, bytes, count, &moved);
    if (!status_is_ok(status)) {
        return status;
    }
    CHECK(ipc_grant_write(call->token, source, 0, bytes, count, &moved) == STATUS_DENIED &&
          moved == 0);
    status = ipc_grant_write(call->token, target, 0, bytes, count, &moved);
    *done = moved;
    return status;
}

static status_t do_later(void *instance, struct ipc_call *call, uint64_t value, uint64_t *doubled,
                         char *note, uint8_t *raw, size_t *raw_bytes, struct loopback_point *at)
{
    (void)instance;
    saved_value = value;
    if (value == 1) {
        // Answered at once after all, though saved.
        status_t status = ipc_reply_save(call, SAVED_COOKIE, &saved_token);
        *doubled = 2;
        strcpy(note, "at once");
        raw[0] = 1;
        *raw_bytes = 1;
        at->x = 5;
        return status;
    }
    status_t status = ipc_reply_save(call, SAVED_COOKIE, &saved_token);
    return status_is_ok(status) ? STATUS_PENDING : status;
}

static status_t do_forgotten(void *instance, struct ipc_call *call)
{
    (void)instance, (void)call;
    return STATUS_PENDING;
}

static uint32_t do_rights(void *instance, struct ipc_call *call)
{
    (void)instance, (void)call;
    return rights_held;
}

static status_t do_guarded(void *instance, struct ipc_call *call, uint32_t *held)
{
    (void)instance, (void)call;
    *held = rights_held;
    return STATUS_OK;
}

static status_t do_timed(void *instance, struct ipc_call *call, uint32_t value, uint32_t *same)
{
    (void)instance, (void)call;
    *same = value;
    return STATUS_OK;
}

static status_t do_careless(void *instance, struct ipc_call *call, handle_t *nothing)
{
    (void)instance, (void)call, (void)nothing;
    return STATUS_OK;
}

static const struct loopback_ops ops = {
    .rights = do_rights,
    .add = do_add,
    .echo = do_echo,
    .shift = do_shift,
    .give = do_give,
    .fill = do_fill,
    .later = do_later,
    .forgotten = do_forgotten,
    .impatient = do_forgotten,
    .guarded = do_guarded,
    .timed = do_timed,
    .careless = do_careless,
};

static void on_event(void *instance, uint64_t cookie, uint32_t kind, uint64_t data)
{
    CHECK(instance == &server && kind == EVENT_TIMER);
    if (cookie == EVENT_STOP) {
        server.stop = true;
    }
    if (cookie == EVENT_ANSWER) {
        struct loopback_point at = {.x = 1, .y = 2, .kind = 3};
        status_t status = status_from_code(data);
        bool ok = status_is_ok(status);
        status = loopback_later_reply(saved_token, status, saved_value * 2, ok ? "late" : NULL,
                                      ok ? "abc" : NULL, 3, ok ? &at : NULL);
        CHECK(status == STATUS_OK);
    }
}

static void on_closed(void *instance, uint64_t badge)
{
    CHECK(instance == &server);
    closed_badge = badge;
}

static void on_gone(void *instance, uint64_t cookie)
{
    CHECK(instance == &server);
    gone_cookie = cookie;
}

static const struct server_ops server_ops = {.event = on_event,
                                             .closed = on_closed,
                                             .gone = on_gone};

static void *server_thread(void *argument)
{
    (void)argument;
    status_t status = server_run(&server);
    CHECK(status == STATUS_OK);
    return NULL;
}

/* --- honest calls --------------------------------------------------------------------------------------- */

static void test_call_carries_integers(void)
{
    int64_t sum = 0;
    uint16_t small = 0;
    CHECK(loopback_add(SERVER_HANDLE, 0xffffffff, 255, -256, &sum, &small) == STATUS_OK);
    CHECK(sum == 0xfffffffeLL && small == 0xffff && transport_deadline == DEADLINE_NEVER);
    sum = 44;
    CHECK(loopback_add(SERVER_HANDLE, 7, 0, 0, &sum, &small) == STATUS_RANGE && sum == 44);
    CHECK(loopback_add(77, 7, 0, 0, &sum, &small) == STATUS_BAD_HANDLE);
}

static void test_call_carries_strings_and_bytes(void)
{
    for (size_t length = 0; length <= 16; length++) {
        char text[17] = {0}, text_back[17];
        uint8_t raw_back[20];
        size_t raw_back_bytes = 99;
        memset(text, 'x', length);
        CHECK(loopback_echo(SERVER_HANDLE, text, "01234567890123456789", length + 4, text_back,
                            raw_back, &raw_back_bytes) == STATUS_OK);
        CHECK(strcmp(text, text_back) == 0 && raw_back_bytes == length + 4);
        CHECK(memcmp(raw_back, "01234567890123456789", raw_back_bytes) == 0);
    }
}

static void test_call_refuses_what_does_not_fit(void)
{
    char text_back[17];
    uint8_t raw_back[20];
    size_t bytes;
    operation_runs = 0;
    CHECK(loopback_echo(SERVER_HANDLE, "12345678901234567", "", 0, text_back, raw_back, &bytes) ==
          STATUS_RANGE);
    CHECK(loopback_echo(SERVER_HANDLE, "", "123456789012345678901", 21, text_back, raw_back,
                        &bytes) == STATUS_RANGE);
    CHECK(loopback_echo(SERVER_HANDLE, "", "", SIZE_MAX, text_back, raw_back, &bytes) ==
          STATUS_RANGE);
    CHECK(operation_runs == 0);
}

static void test_call_carries_structures(void)
{
    struct loopback_point point = {.x = -5, .y = 6, .kind = 7}, shifted;
    struct loopback_odd odd = {10};
    CHECK(loopback_shift(SERVER_HANDLE, &point, 3, LOOPBACK_MODE_SHIFT, &odd, &shifted) ==
          STATUS_OK);
    CHECK(shifted.x == -2 && shifted.y == 6 && shifted.kind == 12);
    CHECK(loopback_shift(SERVER_HANDLE, &point, 3, LOOPBACK_MODE_ALL + 1, &odd, &shifted) ==
          STATUS_INVALID);
}

static void test_call_carries_capabilities(void)
{
    handle_t memory = transport_handle(), moved = transport_handle(), back = 0;
    int before = transport_live_handles();
    CHECK(loopback_give(SERVER_HANDLE, memory, moved, &back) == STATUS_OK);
    // memory stays with the client, moved went to the server for good, back is new.
    CHECK(transport_live_handles() == before + 1 && back != 0 && back != memory);
    status_ignore(syscall_raw(SYS_CAP_CLOSE, &memory, 1, (uint64_t[4]){0}));
    status_ignore(syscall_raw(SYS_CAP_CLOSE, &back, 1, (uint64_t[4]){0}));
    status_ignore(syscall_raw(SYS_CAP_CLOSE, &kept_handle, 1, (uint64_t[4]){0}));
    CHECK(transport_live_handles() == 0);
}

static void test_call_grants_buffers(void)
{
    char target[16] = {0};
    uint64_t done = 0;
    CHECK(loopback_fill(SERVER_HANDLE, "twelve bytes", 13, target, sizeof(target), &done) ==
          STATUS_OK);
    CHECK(done == 13 && strcmp(target, "twelve bytes") == 0);
    CHECK(loopback_fill(SERVER_HANDLE, "twelve bytes", 13, target, 5, &done) == STATUS_RANGE);
}

/** Answers with the status of code @argument as soon as a reply has been saved. */
static void *answer_thread(void *argument)
{
    while (__atomic_load_n(&saved_token, __ATOMIC_SEQ_CST) == 0) {
        sched_yield();
    }
    transport_post(EVENT_ANSWER, IPC_KIND_EVENT, EVENT_TIMER, (uint64_t)(uintptr_t)argument);
    return NULL;
}

static status_t call_later(uint64_t value, int32_t code, uint64_t *doubled, char note[9],
                           struct loopback_point *at)
{
    pthread_t thread;
    uint8_t raw[4];
    size_t raw_bytes = 0;
    saved_token = 0;
    pthread_create(&thread, NULL, answer_thread, (void *)(uintptr_t)(uint32_t)code);
    status_t status = loopback_later(SERVER_HANDLE, value, doubled, note, raw, &raw_bytes, at);
    pthread_join(thread, NULL);
    CHECK(!status_is_ok(status) || (raw_bytes == 3 && memcmp(raw, "abc", 3) == 0));
    return status;
}

static void test_call_is_answered_later(void)
{
    uint64_t doubled = 0;
    char note[9] = "";
    struct loopback_point at = {.x = 0};
    CHECK(call_later(21, 0, &doubled, note, &at) == STATUS_OK);
    CHECK(doubled == 42 && strcmp(note, "late") == 0 && at.y == 2);
    CHECK(transport_cookie == SAVED_COOKIE);
    CHECK(call_later(22, STATUS_CODE_IO, &doubled, note, &at) == STATUS_IO && doubled == 42);
}

static void test_call_saved_but_answered_at_once(void)
{
    uint64_t doubled = 0;
    char note[9];
    uint8_t raw[4];
    size_t raw_bytes = 0;
    struct loopback_point at;
    CHECK(loopback_later(SERVER_HANDLE, 1, &doubled, note, raw, &raw_bytes, &at) == STATUS_OK);
    CHECK(doubled == 2 && strcmp(note, "at once") == 0 && raw_bytes == 1 && at.x == 5);
}

static void test_requests_run_without_waiting(void)
{
    static struct loopback_later_async requests[8];
    struct async_pool pool;
    CHECK(async_pool_create(&pool, 3, NOTIFICATION_HANDLE, 4) == STATUS_OK &&
          async_next(&pool) == NULL);
    for (size_t i = 0; i < 8; i++) {
        requests[i] = (struct loopback_later_async){.call = {.cookie = i},
                                                    .server = i == 5 ? 77 : SERVER_HANDLE,
                                                    .value = 1};
        loopback_later_start(&pool, &requests[i]);
    }
    async_pool_close(&pool);
    unsigned finished = 0;
    for (struct async_call *call = async_next(&pool); call; call = async_next(&pool)) {
        struct loopback_later_async *request = &requests[call->cookie];
        finished |= 1U << call->cookie;
        if (call->cookie == 5) {
            CHECK(call->status == STATUS_BAD_HANDLE && request->doubled == 0);
        } else {
            CHECK(call->status == STATUS_OK && request->doubled == 2 &&
                  strcmp(request->note, "at once") == 0);
            CHECK(request->raw_bytes == 1 && request->at.x == 5);
        }
    }
    CHECK(finished == 0xff && transport_signals == 8);
}

static void test_call_checks_session_rights(void)
{
    uint32_t held = 0;
    rights_held = RIGHT_READ;
    CHECK(loopback_guarded(SERVER_HANDLE, &held) == STATUS_DENIED && held == 0);
    rights_held = RIGHT_READ | RIGHT_WRITE | RIGHT_CALL;
    CHECK(loopback_guarded(SERVER_HANDLE, &held) == STATUS_OK && held == rights_held);
}

static void test_call_has_a_deadline_if_it_says_so(void)
{
    uint32_t same = 0;
    CHECK(loopback_timed_until(SERVER_HANDLE, 5, &same, 1234) == STATUS_OK && same == 5 &&
          transport_deadline == 1234);
    CHECK(loopback_timed(SERVER_HANDLE, 6, &same) == STATUS_OK && same == 6 &&
          transport_deadline == DEADLINE_NEVER);
}

static void test_server_faults_are_answered(void)
{
    handle_t nothing = 0;
    CHECK(loopback_absent(SERVER_HANDLE) == STATUS_UNSUPPORTED);
    CHECK(loopback_forgotten(SERVER_HANDLE) == STATUS_UNSUPPORTED);
    CHECK(loopback_impatient(SERVER_HANDLE) == STATUS_UNSUPPORTED);
    CHECK(loopback_careless(SERVER_HANDLE, &nothing) == STATUS_UNSUPPORTED && nothing == 0);
}

static void test_server_hears_of_sessions_that_end(void)
{
    transport_post(31, IPC_KIND_CLOSED, 0, 0);
    transport_post(4711, IPC_KIND_GONE, 0, 0);
    transport_post(0, 7, 0, 0);
    CHECK(loopback_absent(SERVER_HANDLE) == STATUS_UNSUPPORTED);
    CHECK(closed_badge == 31 && gone_cookie == 4711);
}

/* --- a hostile client ----------------------------------------------------------------------------------- */

/** Send @info, @words and the data that lies in the buffer: the status, and how often an operation ran. */
static status_t raw_call(uint64_t info, uint64_t word0, uint64_t word1)
{
    struct ipc_regs regs = {.target = SERVER_HANDLE, .info = info, .words = {word0, word1}};
    static uint8_t granted[8];
    operation_runs = 0;
    ipc_buffer()->accept = 0;
    ipc_buffer()->grants[0] = ipc_grant_in(granted, sizeof(granted));
    ipc_buffer()->grants[1] = ipc_grant_out(granted, sizeof(granted));
    status_t status = ipc_raw_call(&regs);
    CHECK(status == STATUS_OK);
    CHECK(ipc_info_data(regs.info) == 0 ||
          status_from_code(ipc_info_label(regs.info)) == STATUS_OK);
    return status_from_code(ipc_info_label(regs.info));
}

static void test_server_refuses_wide_integers(void)
{
    CHECK(raw_call(ipc_info(LABEL_LOOPBACK_ADD, 0, 0, 0), 1, 2) == STATUS_OK &&
          operation_runs == 1);
    CHECK(raw_call(ipc_info(LABEL_LOOPBACK_ADD, 0, 0, 0), 1ULL << 32, 2) == STATUS_INVALID);
    CHECK(raw_call(ipc_info(LABEL_LOOPBACK_ADD, 0, 0, 0), 1, 256) == STATUS_INVALID);
    CHECK(operation_runs == 0);
}

static void test_server_refuses_unknown_labels(void)
{
    const uint32_t labels[] = {0, LABEL_LOOPBACK_CARELESS + 1, PROTOCOL_LOOPBACK * 256 + 255,
                               10 * 256, UINT32_MAX};
    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        CHECK(raw_call(ipc_info(labels[i], 0, 0, 0), 0, 0) == STATUS_UNSUPPORTED);
    }
}

static void test_server_refuses_wrong_counts(void)
{
    CHECK(raw_call(ipc_info(LABEL_LOOPBACK_ADD, 8, 0, 0), 1, 2) == STATUS_INVALID);
    CHECK(raw_call(ipc_info(LABEL_LOOPBACK_ADD, 0, 0, 1), 1, 2) == STATUS_INVALID);
    CHECK(raw_call(ipc_info(LABEL_LOOPBACK_FILL, 0, 0, 0), 0, 0) == STATUS_INVALID);
    CHECK(raw_call(ipc_info(LABEL_LOOPBACK_FILL, 0, 0, 1), 0, 0) == STATUS_INVALID);
    CHECK(raw_call(ipc_info(LABEL_LOOPBACK_FILL, 0, 0, 3), 0, 0) == STATUS_INVALID);
    CHECK(raw_call(ipc_info(LABEL_LOOPBACK_GIVE, 0, 0, 0), 0, 0) == STATUS_INVALID);
    CHECK(raw_call(ipc_info(LABEL_LOOPBACK_ADD, 4095, 0, 0), 1, 2) == STATUS_INVALID);
    CHECK(raw_call(ipc_info(LABEL_LOOPBACK_ECHO, 4095, 0, 0), 1, 2) == STATUS_INVALID);
    CHECK(operation_runs == 0);
}

static void test_server_refuses_missing_capabilities_and_closes_others(void)
{
    handle_t handles[4];
    for (uint32_t count = 0; count <= 4; count++) {
        for (uint32_t i = 0; i < count; i++) {
            handles[i] = transport_handle();
            ipc_buffer()->caps[i] = ipc_cap(handles[i], 0, true);
        }
        transport_drops_caps = count == 2;
        CHECK(raw_call(ipc_info(LABEL_LOOPBACK_GIVE, 0, count, 0), 0, 0) == STATUS_INVALID &&
              operation_runs == 0);
        transport_drops_caps = false;
        CHECK(transport_live_handles() == 0);
        if (count > 0) {
            ipc_buffer()->caps[0] = ipc_cap(transport_handle(), 0, true);
            CHECK(raw_call(ipc_info(LABEL_LOOPBACK_ADD, 0, 1, 0), 1, 2) == STATUS_INVALID &&
                  operation_runs == 0);
            CHECK(transport_live_handles() == 0);
        }
    }
}

/** An echo call whose data is a length word, 24 bytes of text, a length word and 24 bytes. */
static status_t raw_echo(uint64_t text_length, const char text[24], uint64_t raw_length,
                         size_t data_bytes)
{
    uint8_t *data = ipc_buffer()->data;
    memset(data, 0, IPC_DATA_MAX);
    memcpy(data, &text_length, 8);
    memcpy(data + 8, text, 24);
    memcpy(data + 32, &raw_length, 8);
    return raw_call(ipc_info(LABEL_LOOPBACK_ECHO, data_bytes, 0, 0), 0, 0);
}

static void test_server_refuses_malformed_strings(void)
{
    static const char good[24] = "sixteen letters!", unterminated[24] = "sixteen letters!!!!!!!!",
                      hole[24] = "six\0een letters!";
    CHECK(raw_echo(16, good, 20, 64) == STATUS_OK && operation_runs == 1);
    const uint64_t lengths[] = {
        15, 17, 18, 24, 3072, 1ULL << 32, UINT64_MAX - 8, UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        CHECK(raw_echo(lengths[i], good, 20, 64) == STATUS_INVALID && operation_runs == 0);
    }
    CHECK(raw_echo(16, unterminated, 20, 64) == STATUS_INVALID);
    CHECK(raw_echo(16, hole, 20, 64) == STATUS_INVALID && operation_runs == 0);
}

static void test_server_refuses_malformed_bytes(void)
{
    static const char good[24] = "sixteen letters!";
    const uint64_t lengths[] = {21, 16, 24, 4096, 1ULL << 32, UINT64_MAX - 7, UINT64_MAX};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        CHECK(raw_echo(16, good, lengths[i], 64) == STATUS_INVALID && operation_runs == 0);
    }
}

static void test_server_refuses_every_other_size_of_data(void)
{
    static const char good[24] = "sixteen letters!";
    for (size_t bytes = 0; bytes < 4096; bytes++) {
        status_t status = raw_echo(16, good, 20, bytes);
        CHECK(status == (bytes == 64 ? STATUS_OK : STATUS_INVALID));
        CHECK(operation_runs == (bytes == 64));
    }
}

static void test_server_survives_random_messages(void)
{
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        uint8_t *data = ipc_buffer()->data;
        for (size_t i = 0; i < 96; i++) {
            seed = seed * 1103515245 + 12345;
            data[i] = i % 8 == 0 || seed >> 30 == 0 ? (uint8_t)(seed >> 16 & 31) : 0;
        }
        // Not `later`: nobody would answer it.
        uint32_t method = seed >> 8 & 15;
        uint32_t label = PROTOCOL_LOOPBACK * 256 + (method == 5 ? 6 : method);
        status_t status =
            raw_call(ipc_info(label, seed >> 12 & 127, 0, seed >> 20 & 3), seed, seed >> 8);
        CHECK(status_code(status) <= 0);
    }
}

/* --- a hostile server ----------------------------------------------------------------------------------- */

static status_t evil_echo(size_t data_bytes)
{
    char text_back[17];
    uint8_t raw_back[20];
    size_t raw_bytes;
    evil.info = ipc_info(0, data_bytes, 0, 0);
    return loopback_echo(EVIL_HANDLE, "", "", 0, text_back, raw_back, &raw_bytes);
}

static void test_client_refuses_malformed_replies(void)
{
    int64_t sum = 5;
    uint16_t small = 6;
    evil = (struct evil_reply){.transport = STATUS_OK, .words = {1, 0x10000}};
    CHECK(loopback_add(EVIL_HANDLE, 1, 2, 3, &sum, &small) == STATUS_CORRUPT && sum == 5 &&
          small == 6);
    evil.words[1] = 1;
    evil.info = ipc_info(0, 8, 0, 0);
    CHECK(loopback_add(EVIL_HANDLE, 1, 2, 3, &sum, &small) == STATUS_CORRUPT && sum == 5);
    evil.info = ipc_info(0, 0, 1, 0);
    CHECK(loopback_add(EVIL_HANDLE, 1, 2, 3, &sum, &small) == STATUS_CORRUPT && sum == 5);
    evil.info = 0;
    CHECK(loopback_add(EVIL_HANDLE, 1, 2, 3, &sum, &small) == STATUS_OK && sum == 1 && small == 1);
    for (size_t bytes = 0; bytes < 4096; bytes++) {
        CHECK(evil_echo(bytes) == (bytes == 24 ? STATUS_OK : STATUS_CORRUPT));
    }
    evil.data[0] = 17;
    CHECK(evil_echo(64) == STATUS_CORRUPT);
    memset(evil.data, 0xff, sizeof(evil.data));
    CHECK(evil_echo(64) == STATUS_CORRUPT);
}

static void test_client_passes_failures_on(void)
{
    int64_t sum = 5;
    uint16_t small;
    evil = (struct evil_reply){.transport = STATUS_PEER_DIED};
    CHECK(loopback_add(EVIL_HANDLE, 1, 2, 3, &sum, &small) == STATUS_PEER_DIED);
    evil = (struct evil_reply){.transport = STATUS_OK,
                               .info = ipc_info((uint32_t)STATUS_CODE_IO, 8, 0, 0)};
    CHECK(loopback_add(EVIL_HANDLE, 1, 2, 3, &sum, &small) == STATUS_IO && sum == 5);
    evil.info = ipc_info(12345, 0, 0, 0);
    CHECK(!status_is_ok(loopback_add(EVIL_HANDLE, 1, 2, 3, &sum, &small)) && sum == 5);
}

static void test_client_closes_capabilities_of_bad_replies(void)
{
    handle_t back = 5;
    evil = (struct evil_reply){.transport = STATUS_OK, .caps = 1};
    handle_t memory = transport_handle();
    const uint64_t infos[] = {
        ipc_info(0, 0, 0, 0),
        ipc_info(0, 0, 2, 0),
        ipc_info(0, 8, 1, 0),
        ipc_info((uint32_t)STATUS_CODE_IO, 0, 1, 0),
    };
    for (size_t i = 0; i < sizeof(infos) / sizeof(infos[0]); i++) {
        evil.info = infos[i];
        CHECK(!status_is_ok(loopback_give(EVIL_HANDLE, memory, memory, &back)) && back == 5);
        CHECK(transport_live_handles() == 1);
    }
    evil.caps = 0;
    evil.info = ipc_info(0, 0, 1, 0);
    CHECK(loopback_give(EVIL_HANDLE, memory, memory, &back) == STATUS_NO_MEMORY && back == 5);
    CHECK(transport_live_handles() == 1);
    status_ignore(syscall_raw(SYS_CAP_CLOSE, &memory, 1, (uint64_t[4]){0}));
}

static void test_client_without_a_buffer_is_refused(void)
{
    struct ipc_buffer *buffer = os_ipc_buffer;
    int64_t sum;
    uint16_t small;
    os_ipc_buffer = NULL;
    CHECK(loopback_add(SERVER_HANDLE, 1, 2, 3, &sum, &small) == STATUS_INVALID);
    CHECK(server_run(&server) == STATUS_INVALID);
    os_ipc_buffer = buffer;
}

static void test_numbers_have_names(void)
{
    CHECK(strcmp(trace_request_name(LABEL_LOOPBACK_ECHO), "loopback.echo") == 0);
    CHECK(strcmp(trace_syscall_name(SYS_ENDPOINT_CALL), "endpoint.call") == 0);
    CHECK(trace_request_name(0) == NULL && trace_syscall_name(SYS_LIMIT) == NULL);
}

int main(void)
{
    static struct ipc_buffer buffer;
    static const struct server_service service = {&loopback_protocol, &ops, &server};
    server = (struct server){SERVER_HANDLE, HANDLE_NONE, &server_ops, &server, &service, 1, false};
    pthread_t thread;
    os_ipc_buffer = &buffer;
    pthread_create(&thread, NULL, server_thread, NULL);
    RUN(test_call_carries_integers);
    RUN(test_call_carries_strings_and_bytes);
    RUN(test_call_refuses_what_does_not_fit);
    RUN(test_call_carries_structures);
    RUN(test_call_carries_capabilities);
    RUN(test_call_grants_buffers);
    RUN(test_call_is_answered_later);
    RUN(test_call_saved_but_answered_at_once);
    RUN(test_requests_run_without_waiting);
    RUN(test_call_checks_session_rights);
    RUN(test_call_has_a_deadline_if_it_says_so);
    RUN(test_server_faults_are_answered);
    RUN(test_server_hears_of_sessions_that_end);
    RUN(test_server_refuses_wide_integers);
    RUN(test_server_refuses_unknown_labels);
    RUN(test_server_refuses_wrong_counts);
    RUN(test_server_refuses_missing_capabilities_and_closes_others);
    RUN(test_server_refuses_malformed_strings);
    RUN(test_server_refuses_malformed_bytes);
    RUN(test_server_refuses_every_other_size_of_data);
    RUN(test_server_survives_random_messages);
    RUN(test_client_refuses_malformed_replies);
    RUN(test_client_passes_failures_on);
    RUN(test_client_closes_capabilities_of_bad_replies);
    RUN(test_client_without_a_buffer_is_refused);
    RUN(test_numbers_have_names);
    transport_post(EVENT_STOP, IPC_KIND_EVENT, EVENT_TIMER, 0);
    pthread_join(thread, NULL);
    CHECK(transport_live_handles() == 0);
    return tap_end();
}

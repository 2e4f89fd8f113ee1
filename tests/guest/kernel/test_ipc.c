/* Endpoints: calls, replies, capabilities, granted buffers, badges, epochs, endings. */
#include "guest.h"

#include <kstring.h>

enum {
    LABEL_ADD = 1,
    LABEL_ECHO,
    LABEL_CAPS,
    LABEL_GRANT,
    LABEL_GRANT_MEMORY,
    LABEL_SAVE,
    LABEL_SLOW,
    LABEL_STOP
};

struct server {
    handle_t endpoint, queue;
    uint64_t token;        /* a saved reply */
    uint64_t closed_badge; /* of the last CLOSED */
    uint64_t event_cookie;
    uint64_t last_badge;
    uint32_t calls;
    handle_t received; /* capability of the last LABEL_CAPS */
    bool late;         /* who called LABEL_SLOW has given up; atomic */
    struct worker worker;
};

static handle_t endpoint_new(void)
{
    handle_t handle = 0;

    OK(sys_endpoint_create(info->budget, &handle));
    return handle;
}

/* Reads granted buffer 0 of the caller, turns its bytes over, writes them to granted buffer 1. Returns the bytes done. */
static uint64_t serve_grants(const struct worker *self)
{
    static char copy[70000];
    uint64_t done = 0, part = 0;
    uint64_t length = self->buffer->grant_lengths[0];

    while (done < length && done < sizeof(copy) &&
           status_is_ok(
               sys_endpoint_reply_read(0, 0, done, copy + done, sizeof(copy) - done, &part)) &&
           part != 0)
        done += part;
    for (uint64_t i = 0; i < done; i++)
        copy[i] = (char)~copy[i];
    for (uint64_t written = 0; written < done; written += part) {
        if (!status_is_ok(
                sys_endpoint_reply_write(0, 1, written, copy + written, done - written, &part)) ||
            part == 0)
            return written;
    }
    CHECK_STATUS(STATUS_DENIED, sys_endpoint_reply_write(0, 0, 0, copy, 1, &part));
    CHECK_STATUS(STATUS_DENIED, sys_endpoint_reply_read(0, 1, 0, copy, 1, &part));
    CHECK_STATUS(STATUS_RANGE, sys_endpoint_reply_read(0, 2, 0, copy, 1, &part));
    CHECK_STATUS(STATUS_RANGE, sys_endpoint_reply_read(0, 0, length + 1, copy, 1, &part));
    return done;
}

/* The same, but turned over in a Memory of ours, where the bytes begin in the middle of a page. */
static uint64_t serve_grants_by_memory(const struct worker *self)
{
    uint64_t done = 0, written = 0, part = 0, length = self->buffer->grant_lengths[0];
    uint64_t offset = PAGE_SIZE + 24, bytes = 2 * PAGE_SIZE + length;
    handle_t memory, read_only;
    char *copy = map_new(bytes, &memory);

    OK(sys_cap_copy(memory, RIGHT_READ, &read_only));
    while (done < length &&
           status_is_ok(sys_endpoint_reply_read_memory(0, 0, done, memory, offset + done,
                                                       length - done, &part)) &&
           part != 0)
        done += part;
    for (uint64_t i = 0; i < done; i++)
        copy[offset + i] = (char)~copy[offset + i];
    while (written < done &&
           status_is_ok(sys_endpoint_reply_write_memory(0, 1, written, read_only, offset + written,
                                                        done - written, &part)) &&
           part != 0)
        written += part;
    /* Nothing around them was touched. */
    for (uint64_t i = 0; i < bytes; i++)
        if (i < offset || i >= offset + done)
            CHECK(copy[i] == 0);
    CHECK_STATUS(STATUS_DENIED, sys_endpoint_reply_read_memory(0, 0, 0, read_only, 0, 1, &part));
    CHECK_STATUS(STATUS_DENIED, sys_endpoint_reply_read_memory(0, 1, 0, memory, 0, 1, &part));
    CHECK_STATUS(STATUS_DENIED, sys_endpoint_reply_write_memory(0, 0, 0, memory, 0, 1, &part));
    CHECK_STATUS(STATUS_RANGE, sys_endpoint_reply_read_memory(0, 2, 0, memory, 0, 1, &part));
    CHECK_STATUS(STATUS_RANGE,
                 sys_endpoint_reply_read_memory(0, 0, length + 1, memory, 0, 1, &part));
    CHECK_STATUS(STATUS_RANGE, sys_endpoint_reply_read_memory(0, 0, 0, memory, bytes, 1, &part));
    close_handle(read_only);
    unmap(copy, bytes);
    close_handle(memory);
    return written;
}

/* What happens to one call; true: answer with @regs. */
static bool serve_call(struct server *server, struct worker *self, struct ipc_regs *regs)
{
    uint64_t message = regs->info;

    __atomic_fetch_add(&server->calls, 1, __ATOMIC_SEQ_CST);
    server->last_badge = regs->target;
    regs->info = 0;
    switch ((uint32_t)message) {
    case LABEL_ADD:
        regs->words[0] = regs->words[0] + regs->words[1] + regs->words[2] + regs->words[3] +
                         regs->words[4] + regs->words[5];
        return true;
    case LABEL_ECHO:
        for (uint64_t i = 0; i < (message >> IPC_INFO_DATA_SHIFT & IPC_INFO_DATA_MASK); i++)
            self->buffer->data[i] ^= 0xff;
        regs->info =
            message_info(LABEL_ECHO,
                         (uint32_t)(message >> IPC_INFO_DATA_SHIFT & IPC_INFO_DATA_MASK), 0, 0);
        return true;
    case LABEL_CAPS:
        server->received = message_caps(message) != 0 ? self->buffer->received[0] : 0;
        /* Answer with a capability of our own. */
        OK(sys_notification_create(info->budget, &self->value));
        self->buffer->caps[0] = (struct cap_out){self->value, 0, 0, CAP_TRANSFER_MOVE};
        regs->info = message_info(LABEL_CAPS, 0, 1, 0);
        return true;
    case LABEL_GRANT:
        regs->words[0] = serve_grants(self);
        return true;
    case LABEL_GRANT_MEMORY:
        regs->words[0] = serve_grants_by_memory(self);
        return true;
    case LABEL_SAVE:
        OK(sys_endpoint_reply_save(HANDLE_NONE, 0, &server->token));
        return false;
    case LABEL_SLOW:
        CHECK(EVENTUALLY(__atomic_load_n(&server->late, __ATOMIC_SEQ_CST)));
        return true;
    default:
        return true;
    }
}

static void serve(struct worker *self)
{
    struct server *server = self->context;
    struct ipc_regs regs = {.target = server->endpoint,
                            .deadline = DEADLINE_NEVER,
                            .queue = server->queue};
    status_t status = ipc_raw_receive(&regs);

    self->buffer->accept = 1;
    while (status_is_ok(status)) {
        bool answer = false, stop = false;

        switch (message_kind(regs.info)) {
        case IPC_KIND_CALL:
            stop = (uint32_t)regs.info == LABEL_STOP;
            answer = serve_call(server, self, &regs);
            break;
        case IPC_KIND_EVENT:
            server->event_cookie = regs.target;
            break;
        case IPC_KIND_CLOSED:
            __atomic_store_n(&server->closed_badge, regs.target, __ATOMIC_SEQ_CST);
            break;
        default:
            break;
        }
        if (stop) {
            regs.target = 0;
            OK(ipc_raw_reply(&regs));
            return;
        }
        regs.target = server->endpoint;
        regs.deadline = DEADLINE_NEVER;
        regs.queue = server->queue;
        status = answer ? ipc_raw_reply_receive(&regs) : ipc_raw_receive(&regs);
    }
    self->value = (uint64_t)status_code(status);
}

static void server_start(struct server *server)
{
    memset(server, 0, sizeof(*server));
    server->endpoint = endpoint_new();
    OK(sys_queue_create(info->budget, &server->queue));
    worker_start(&server->worker, serve, server);
}

static status_t call(handle_t target, uint32_t label, struct ipc_regs *regs)
{
    *regs = (struct ipc_regs){.target = target, .info = label, .deadline = in_ms(PATIENCE_MS)};
    return ipc_raw_call(regs);
}

static void server_stop(struct server *server)
{
    struct ipc_regs regs;

    OK(call(server->endpoint, LABEL_STOP, &regs));
    CHECK(worker_join(&server->worker));
    close_handle(server->endpoint);
    close_handle(server->queue);
}

static void test_ipc_words_and_data(void)
{
    struct server server;
    struct ipc_regs regs;

    server_start(&server);
    for (uint64_t i = 0; i < 200; i++) {
        regs = (struct ipc_regs){.target = server.endpoint,
                                 .info = LABEL_ADD,
                                 .words = {i, 2, 3, 4, 5, 6},
                                 .deadline = DEADLINE_NEVER};
        OK(ipc_raw_call(&regs));
        CHECK(regs.words[0] == i + 20 && (uint32_t)regs.info == 0);
    }
    for (unsigned bytes = 1; bytes <= IPC_DATA_MAX; bytes += 307) {
        memset(my_buffer()->data, 0x5a, bytes);
        regs = (struct ipc_regs){.target = server.endpoint,
                                 .info = message_info(LABEL_ECHO, bytes, 0, 0),
                                 .deadline = DEADLINE_NEVER};
        OK(ipc_raw_call(&regs));
        CHECK(my_buffer()->data[0] == 0xa5 && my_buffer()->data[bytes - 1] == 0xa5);
        CHECK(regs.info == message_info(LABEL_ECHO, bytes, 0, 0));
    }
    CHECK(server.last_badge == 0);
    CHECK_STATUS(STATUS_INVALID,
                 (regs = (struct ipc_regs){.target = server.endpoint,
                                           .info = message_info(LABEL_ECHO, IPC_DATA_MAX + 1, 0, 0),
                                           .deadline = DEADLINE_NEVER},
                  ipc_raw_call(&regs)));
    CHECK_STATUS(STATUS_BAD_HANDLE, call(12345, LABEL_ADD, &regs));
    CHECK_STATUS(STATUS_WRONG_TYPE, call(server.queue, LABEL_ADD, &regs));
    handle_t weak = with_rights(server.endpoint, RIGHT_RECEIVE);

    CHECK_STATUS(STATUS_DENIED, call(weak, LABEL_ADD, &regs));
    close_handle(weak);
    server_stop(&server);
}

static void test_ipc_carries_capabilities(void)
{
    struct server server;
    struct ipc_regs regs;
    handle_t sent, got;
    uint64_t bits;

    server_start(&server);
    OK(sys_notification_create(info->budget, &sent));
    my_buffer()->caps[0] = (struct cap_out){sent, 0, RIGHT_CALL, CAP_TRANSFER_DERIVE};
    my_buffer()->accept = 1;
    OK(call(server.endpoint, 0, &regs));
    regs = (struct ipc_regs){.target = server.endpoint,
                             .info = message_info(LABEL_CAPS, 0, 1, 0),
                             .deadline = DEADLINE_NEVER};
    OK(ipc_raw_call(&regs));
    CHECK(message_caps(regs.info) == 1 && server.received != 0);
    got = my_buffer()->received[0];
    OK(sys_notification_signal(server.received, 6));
    OK(sys_notification_poll(sent, 6, &bits));
    CHECK(bits == 6);
    OK(sys_cap_revoke(sent));
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_notification_signal(server.received, 6));
    OK(sys_notification_signal(got, 1));
    close_handle(got);
    /* Nobody announces a slot: the capability of the reply does not land anywhere. */
    my_buffer()->accept = 0;
    my_buffer()->received[0] = 0;
    regs = (struct ipc_regs){.target = server.endpoint,
                             .info = LABEL_CAPS,
                             .deadline = DEADLINE_NEVER};
    OK(ipc_raw_call(&regs));
    CHECK(message_caps(regs.info) == 0 && my_buffer()->received[0] == 0);
    my_buffer()->caps[0] = (struct cap_out){sent, 0, RIGHT_SPEND, CAP_TRANSFER_COPY};
    regs = (struct ipc_regs){.target = server.endpoint,
                             .info = message_info(LABEL_CAPS, 0, 1, 0),
                             .deadline = DEADLINE_NEVER};
    CHECK_STATUS(STATUS_DENIED, ipc_raw_call(&regs));
    my_buffer()->caps[0].handle = 99;
    regs = (struct ipc_regs){.target = server.endpoint,
                             .info = message_info(LABEL_CAPS, 0, 1, 0),
                             .deadline = DEADLINE_NEVER};
    CHECK_STATUS(STATUS_BAD_HANDLE, ipc_raw_call(&regs));
    close_handle(sent);
    server_stop(&server);
}

/* The server's way to them is @label. */
static void grants_are_read_and_written(uint32_t label)
{
    enum { BYTES = 65536 };
    struct server server;
    struct ipc_regs regs;
    handle_t memory;
    char *area = map_new(2 * BYTES, &memory);

    server_start(&server);
    for (unsigned i = 0; i < BYTES; i++)
        area[i] = (char)(i * 31);
    my_buffer()->grants[0] = (struct grant){(uint64_t)area, BYTES, RIGHT_READ, 0};
    my_buffer()->grants[1] = (struct grant){(uint64_t)area + BYTES, BYTES, RIGHT_WRITE, 0};
    regs = (struct ipc_regs){.target = server.endpoint,
                             .info = message_info(label, 0, 0, 2),
                             .deadline = DEADLINE_NEVER};
    OK(ipc_raw_call(&regs));
    CHECK(regs.words[0] == BYTES);
    unsigned wrong = 0;

    for (unsigned i = 0; i < BYTES; i++)
        wrong += area[BYTES + i] != (char)~(i * 31);
    CHECK(wrong == 0);
    /* The second half of the target is not mapped: as far as it goes. */
    unmap(area + BYTES + BYTES / 2, BYTES / 2);
    regs = (struct ipc_regs){.target = server.endpoint,
                             .info = message_info(label, 0, 0, 2),
                             .deadline = DEADLINE_NEVER};
    OK(ipc_raw_call(&regs));
    CHECK(regs.words[0] == BYTES / 2);
    my_buffer()->grants[0] = (struct grant){KERNEL_ADDRESS, 4096, RIGHT_READ, 0};
    regs = (struct ipc_regs){.target = server.endpoint,
                             .info = message_info(label, 0, 0, 2),
                             .deadline = DEADLINE_NEVER};
    OK(ipc_raw_call(&regs));
    CHECK(regs.words[0] == 0);
    server_stop(&server);
    unmap(area, 2 * BYTES);
    close_handle(memory);
}

static void test_ipc_grants_are_read_and_written(void)
{
    grants_are_read_and_written(LABEL_GRANT);
}

static void test_ipc_grants_are_read_and_written_by_memory(void)
{
    grants_are_read_and_written(LABEL_GRANT_MEMORY);
}

static void test_ipc_badges_and_closed(void)
{
    struct server server;
    struct ipc_regs regs;
    handle_t session, copy;

    server_start(&server);
    OK(sys_cap_derive(server.endpoint, RIGHT_CALL | RIGHT_COPY, 77, &session));
    OK(call(session, LABEL_ADD, &regs));
    CHECK(server.last_badge == 77);
    OK(sys_cap_copy(session, RIGHT_CALL, &copy));
    close_handle(session);
    sleep_ms(5);
    CHECK(server.closed_badge == 0);
    OK(call(copy, LABEL_ADD, &regs));
    close_handle(copy);
    CHECK(EVENTUALLY(__atomic_load_n(&server.closed_badge, __ATOMIC_SEQ_CST) == 77));
    OK(sys_cap_derive(server.endpoint, RIGHT_CALL | RIGHT_COPY, 78, &session));
    OK(sys_cap_revoke(server.endpoint));
    CHECK(EVENTUALLY(__atomic_load_n(&server.closed_badge, __ATOMIC_SEQ_CST) == 78));
    server_stop(&server);
}

#define SESSION_BADGE (IPC_BADGE_SESSION | 5)

static void test_ipc_epochs_make_sessions_stale(void)
{
    struct server server;
    struct ipc_regs regs;
    handle_t session, connect, client, other;

    server_start(&server);
    OK(sys_cap_derive(server.endpoint, RIGHT_CALL | RIGHT_COPY, SESSION_BADGE, &session));
    OK(sys_cap_derive(server.endpoint, RIGHT_CALL | RIGHT_COPY, 0, &connect));
    OK(sys_cap_derive(server.endpoint, RIGHT_CALL, 9, &client));
    OK(call(session, LABEL_ADD, &regs));
    OK(sys_endpoint_new_epoch(server.endpoint));
    CHECK_STATUS(STATUS_STALE, call(session, LABEL_ADD, &regs));
    OK(sys_cap_derive(session, RIGHT_CALL, 0, &other));
    CHECK_STATUS(STATUS_STALE, call(other, LABEL_ADD, &regs));
    OK(call(connect, LABEL_ADD, &regs));
    /* Who may connect is known by the same badge in each epoch, and its end is told. */
    OK(call(client, LABEL_ADD, &regs));
    CHECK(server.last_badge == 9);
    close_handle(client);
    CHECK(EVENTUALLY(__atomic_load_n(&server.closed_badge, __ATOMIC_SEQ_CST) == 9));
    close_handle(other);
    close_handle(session);
    OK(sys_cap_derive(server.endpoint, RIGHT_CALL, SESSION_BADGE + 1, &session));
    OK(call(session, LABEL_ADD, &regs));
    close_handle(session);
    close_handle(connect);
    server_stop(&server);
}

static void test_ipc_deadline_and_nowait(void)
{
    struct server server;
    struct ipc_regs regs;
    handle_t nobody = endpoint_new();
    uint64_t begin = now_ns();

    regs = (struct ipc_regs){.target = nobody, .info = LABEL_ADD, .deadline = begin + 5 * MS};
    CHECK_STATUS(STATUS_TIMED_OUT, ipc_raw_call(&regs));
    CHECK(now_ns() >= begin + 5 * MS);
    regs = (struct ipc_regs){.target = nobody,
                             .info = LABEL_ADD | UINT64_C(1) << IPC_INFO_NOWAIT_SHIFT,
                             .deadline = DEADLINE_NEVER};
    CHECK_STATUS(STATUS_BUSY, ipc_raw_call(&regs));
    regs = (struct ipc_regs){.target = nobody, .deadline = in_ms(3)};
    CHECK_STATUS(STATUS_TIMED_OUT, ipc_raw_receive(&regs));
    close_handle(nobody);
    server_start(&server);
    /* The call is accepted, the answer comes too late; the server notices nothing and goes on. */
    regs = (struct ipc_regs){.target = server.endpoint, .info = LABEL_SLOW, .deadline = in_ms(10)};
    CHECK_STATUS(STATUS_TIMED_OUT, ipc_raw_call(&regs));
    __atomic_store_n(&server.late, true, __ATOMIC_SEQ_CST);
    OK(call(server.endpoint, LABEL_ADD, &regs));
    server_stop(&server);
}

static void save_caller(struct worker *self)
{
    struct ipc_regs regs;

    self->value = (uint64_t)status_code(call(*(handle_t *)self->context, LABEL_SAVE, &regs));
    if (status_is_ok(status_from_code(self->value)))
        self->value = regs.words[0];
}

static void test_ipc_saved_replies(void)
{
    struct server server;
    struct worker caller;
    struct ipc_regs regs;
    uint64_t done;
    char byte;

    server_start(&server);
    worker_start(&caller, save_caller, &server.endpoint);
    CHECK(EVENTUALLY(__atomic_load_n(&server.token, __ATOMIC_SEQ_CST) != 0));
    OK(call(server.endpoint, LABEL_ADD, &regs)); /* the server is free meanwhile */
    CHECK(caller.done == 0);
    regs = (struct ipc_regs){.target = server.token + 1, .words = {1}};
    CHECK_STATUS(STATUS_GONE, ipc_raw_reply(&regs));
    regs = (struct ipc_regs){.target = server.token, .words = {4711}};
    OK(ipc_raw_reply(&regs)); /* from another thread than the one that saved it */
    CHECK(worker_join(&caller) && caller.value == 4711);
    regs = (struct ipc_regs){.target = server.token, .words = {1}};
    CHECK_STATUS(STATUS_GONE, ipc_raw_reply(&regs));
    CHECK_STATUS(STATUS_GONE, sys_endpoint_reply_read(server.token, 0, 0, &byte, 1, &done));
    CHECK_STATUS(STATUS_NOT_FOUND, sys_endpoint_reply_save(HANDLE_NONE, 0, &done));
    /* The caller is interrupted: its reply is gone. */
    server.token = 0;
    worker_start(&caller, save_caller, &server.endpoint);
    CHECK(EVENTUALLY(__atomic_load_n(&server.token, __ATOMIC_SEQ_CST) != 0));
    sleep_ms(2);
    OK(sys_thread_interrupt(caller.thread, &done));
    CHECK(worker_join(&caller) && status_from_code(caller.value) == STATUS_INTERRUPTED);
    regs = (struct ipc_regs){.target = server.token};
    CHECK_STATUS(STATUS_GONE, ipc_raw_reply(&regs));
    server_stop(&server);
}

static void plain_caller(struct worker *self)
{
    struct ipc_regs regs;

    self->value = (uint64_t)status_code(call(*(handle_t *)self->context, LABEL_ADD, &regs));
}

static void receive_and_leave(struct worker *self)
{
    struct ipc_regs regs = {.target = *(handle_t *)self->context, .deadline = in_ms(PATIENCE_MS)};

    self->value = (uint64_t)status_code(ipc_raw_receive(&regs));
}

static void test_ipc_endings_are_told(void)
{
    handle_t endpoint = endpoint_new();
    struct worker caller, server;

    /* Queued, and the endpoint ends. */
    worker_start(&caller, plain_caller, &endpoint);
    CHECK(EVENTUALLY(threads_in(SYS_ENDPOINT_CALL) == 1));
    close_handle(endpoint);
    CHECK(worker_join(&caller) && status_from_code(caller.value) == STATUS_PEER_DIED);
    /* Receiving, and the endpoint ends. */
    endpoint = endpoint_new();
    worker_start(&server, receive_and_leave, &endpoint);
    CHECK(EVENTUALLY(threads_in(SYS_ENDPOINT_RECEIVE) == 1));
    close_handle(endpoint);
    CHECK(worker_join(&server) && status_from_code(server.value) == STATUS_GONE);
    /* Accepted, and the server's thread ends without an answer. */
    endpoint = endpoint_new();
    worker_start(&server, receive_and_leave, &endpoint);
    CHECK(EVENTUALLY(threads_in(SYS_ENDPOINT_RECEIVE) == 1));
    worker_start(&caller, plain_caller, &endpoint);
    CHECK(worker_join(&server));
    CHECK(worker_join(&caller) && status_from_code(caller.value) == STATUS_PEER_DIED);
    /* Queued through a capability that is revoked. */
    handle_t through = with_rights(endpoint, RIGHT_CALL);

    worker_start(&caller, plain_caller, &through);
    CHECK(EVENTUALLY(threads_in(SYS_ENDPOINT_CALL) == 1));
    OK(sys_cap_revoke(endpoint));
    CHECK(worker_join(&caller) && status_from_code(caller.value) == STATUS_BAD_HANDLE);
    close_handle(endpoint);
}

static void answer_with_a_value(struct worker *self)
{
    struct ipc_regs regs = {.target = *(handle_t *)self->context, .deadline = DEADLINE_NEVER};

    OK(ipc_raw_receive(&regs));
    regs =
        (struct ipc_regs){.target = *(handle_t *)self->context,
                          .info = (uint64_t)IPC_KIND_FOREIGN << IPC_INFO_KIND_SHIFT | ANSWER_VALUE,
                          .deadline = DEADLINE_NEVER};
    self->value = (uint64_t)status_code(ipc_raw_reply_receive(&regs));
}

/* An answer as if to a foreign thread is none to a message: who gives it and receives has left his caller. */
static void test_ipc_answer_of_another_kind(void)
{
    handle_t endpoint = endpoint_new();
    struct worker caller, server;

    worker_start(&server, answer_with_a_value, &endpoint);
    CHECK(EVENTUALLY(threads_in(SYS_ENDPOINT_RECEIVE) == 1));
    worker_start(&caller, plain_caller, &endpoint);
    CHECK(worker_join(&caller) && status_from_code(caller.value) == STATUS_PEER_DIED);
    CHECK(
        EVENTUALLY(threads_in(SYS_ENDPOINT_RECEIVE) + threads_in(SYS_ENDPOINT_REPLY_RECEIVE) == 1));
    close_handle(endpoint);
    CHECK(worker_join(&server) && status_from_code(server.value) == STATUS_GONE);
}

static void test_ipc_receives_events(void)
{
    struct server server;
    handle_t notification;
    struct ipc_regs regs;

    server_start(&server);
    OK(sys_notification_create(info->budget, &notification));
    OK(sys_notification_bind(notification, server.queue, 4321));
    sleep_ms(2);
    OK(sys_notification_signal(notification, 1));
    CHECK(EVENTUALLY(*(volatile uint64_t *)&server.event_cookie == 4321));
    OK(call(server.endpoint, LABEL_ADD, &regs));
    close_handle(notification);
    server_stop(&server);
}

struct load {
    handle_t endpoint;
    uint32_t calls;
};

static void load_caller(struct worker *self)
{
    struct load *load = self->context;
    struct ipc_regs regs;

    for (uint32_t i = 0; i < load->calls; i++) {
        regs = (struct ipc_regs){.target = load->endpoint,
                                 .info = LABEL_ADD,
                                 .words = {i, i},
                                 .deadline = in_ms(PATIENCE_MS)};
        if (!status_is_ok(ipc_raw_call(&regs)) || regs.words[0] != 2u * i)
            return;
        self->value++;
    }
}

/* Callers on all CPUs, two workers at one endpoint. */
static void test_ipc_many_callers(void)
{
    enum { CALLERS = 5, CALLS = 1000 };
    struct server server;
    struct worker second, callers[CALLERS];
    struct load load = {.calls = CALLS};
    struct ipc_regs regs;

    server_start(&server);
    worker_start(&second, serve, &server);
    load.endpoint = server.endpoint;
    for (unsigned i = 0; i < CALLERS; i++)
        worker_start(&callers[i], load_caller, &load);
    for (unsigned i = 0; i < CALLERS; i++)
        CHECK(worker_join(&callers[i]) && callers[i].value == CALLS);
    CHECK(server.calls == CALLERS * CALLS);
    OK(call(server.endpoint, LABEL_STOP, &regs));
    OK(call(server.endpoint, LABEL_STOP, &regs));
    CHECK(worker_join(&second) && worker_join(&server.worker));
    close_handle(server.endpoint);
    close_handle(server.queue);
}

/* ── Between processes ───────────────────────────────────────────────────────────────────────────────────────────── */

/* In the child: answers until it is told to stop. handles[0] is the endpoint. */
static void child_server(void)
{
    struct ipc_regs regs = {.target = child_start.handles[0], .deadline = DEADLINE_NEVER};
    status_t status = ipc_raw_receive(&regs);

    while (status_is_ok(status)) {
        if ((uint32_t)regs.info == LABEL_STOP)
            child_exit(3);
        if ((uint32_t)regs.info == LABEL_SAVE) {
            uint64_t token;

            status_ignore(sys_endpoint_reply_save(HANDLE_NONE, 0, &token));
            regs.target = child_start.handles[0];
            regs.deadline = DEADLINE_NEVER;
            status = ipc_raw_receive(&regs);
            continue;
        }
        regs.words[0] = regs.words[0] * 2 + (message_kind(regs.info) == IPC_KIND_CALL ? 1 : 0);
        regs.target = child_start.handles[0];
        regs.info = 0;
        regs.deadline = DEADLINE_NEVER;
        regs.queue = 0;
        status = ipc_raw_reply_receive(&regs);
    }
    child_exit(status_code(status));
}

static void test_ipc_between_processes(void)
{
    struct child child;
    struct child_start start = {0};
    struct ipc_regs regs;
    handle_t endpoint = endpoint_new();

    child_create(&child, 0, NULL);
    start.handles[0] = child_give(&child, endpoint);
    child_run(&child, &start, child_server);
    for (uint64_t i = 0; i < 300; i++) {
        regs = (struct ipc_regs){.target = endpoint,
                                 .info = LABEL_ADD,
                                 .words = {i},
                                 .deadline = in_ms(PATIENCE_MS)};
        OK(ipc_raw_call(&regs));
        CHECK(regs.words[0] == 2 * i + 1);
    }
    /* It dies in the middle of a call. */
    CHECK_STATUS(STATUS_PEER_DIED, call(endpoint, LABEL_STOP, &regs));
    CHECK(child_end(&child) == 3);
    close_handle(endpoint);
}

static void test_ipc_server_process_killed(void)
{
    struct child child;
    struct child_start start = {0};
    struct worker caller;
    handle_t endpoint = endpoint_new();

    child_create(&child, 0, NULL);
    start.handles[0] = child_give(&child, endpoint);
    child_run(&child, &start, child_server);
    worker_start(&caller, save_caller, &endpoint);
    sleep_ms(10);
    OK(sys_process_kill(child.process, 9));
    CHECK(worker_join(&caller) && status_from_code(caller.value) == STATUS_PEER_DIED);
    CHECK(child_end(&child) == 9);
    close_handle(endpoint);
}

/* In the child: calls and never gets an answer. */
static void child_caller(void)
{
    struct ipc_regs regs = {.target = child_start.handles[0],
                            .info = LABEL_SAVE,
                            .deadline = DEADLINE_NEVER};

    child_exit(status_code(ipc_raw_call(&regs)));
}

static void test_ipc_client_process_killed(void)
{
    struct server server;
    struct child child;
    struct child_start start = {0};
    struct ipc_regs regs;

    server_start(&server);
    child_create(&child, 0, NULL);
    start.handles[0] = child_give(&child, server.endpoint);
    child_run(&child, &start, child_caller);
    CHECK(EVENTUALLY(__atomic_load_n(&server.token, __ATOMIC_SEQ_CST) != 0));
    OK(sys_process_kill(child.process, 8));
    CHECK(child_end(&child) == 8);
    regs = (struct ipc_regs){.target = server.token};
    CHECK_STATUS(STATUS_GONE, ipc_raw_reply(&regs));
    OK(call(server.endpoint, LABEL_ADD, &regs));
    server_stop(&server);
}

/* ── The callers of saved replies go ─────────────────────────────────────────────────────────────────────────────── */

#define GONE_COOKIE (IPC_BADGE_SESSION | 0x1234567)

/* Take a call, and save its reply: who told of its end is @cookie. */
static uint64_t save_next(handle_t endpoint, uint64_t cookie)
{
    struct ipc_regs regs = {.target = endpoint, .deadline = in_ms(PATIENCE_MS)};
    uint64_t token = 0;

    OK(ipc_raw_receive(&regs));
    CHECK(message_kind(regs.info) == IPC_KIND_CALL);
    OK(sys_endpoint_reply_save(endpoint, cookie, &token));
    return token;
}

/* The next that @endpoint has is GONE with @cookie. */
static bool tells_gone(handle_t endpoint, uint64_t cookie)
{
    struct ipc_regs regs = {.target = endpoint, .deadline = in_ms(PATIENCE_MS)};

    return status_is_ok(ipc_raw_receive(&regs)) && message_kind(regs.info) == IPC_KIND_GONE &&
           regs.target == cookie;
}

static bool tells_nothing(handle_t endpoint)
{
    struct ipc_regs regs = {.target = endpoint, .deadline = in_ms(3)};

    return ipc_raw_receive(&regs) == STATUS_TIMED_OUT;
}

/* The caller of @token is gone, and the server was told, or will not be told any more. */
static void nobody_waits(handle_t endpoint, uint64_t token)
{
    struct ipc_regs regs = {.target = token};

    CHECK(tells_nothing(endpoint));
    CHECK_STATUS(STATUS_GONE, ipc_raw_reply(&regs));
    CHECK(tells_nothing(endpoint));
}

static void hasty_caller(struct worker *self)
{
    struct ipc_regs regs = {.target = *(handle_t *)self->context,
                            .info = LABEL_SAVE,
                            .deadline = in_ms(500)};

    self->value = (uint64_t)status_code(ipc_raw_call(&regs));
}

/* Interrupt @caller, whose reply is saved. */
static void caller_interrupt(struct worker *caller)
{
    uint64_t ignored;

    OK(sys_thread_interrupt(caller->thread, &ignored));
    CHECK(worker_join(caller) && status_from_code(caller->value) == STATUS_INTERRUPTED);
}

/* A killed process, a deadline, an interruption: each is told once, to who waits for it and to who comes later. */
static void test_ipc_gone_is_told(void)
{
    handle_t endpoint = endpoint_new();

    for (uint64_t cookie = 0; cookie < 2; cookie++) {
        bool late = cookie != 0;
        struct worker caller;

        worker_start(&caller, hasty_caller, &endpoint);
        uint64_t token = save_next(endpoint, cookie);

        if (!late)
            CHECK(tells_gone(endpoint, cookie));
        CHECK(worker_join(&caller) && status_from_code(caller.value) == STATUS_TIMED_OUT);
        if (late)
            CHECK(tells_gone(endpoint, cookie));
        nobody_waits(endpoint, token);

        worker_start(&caller, save_caller, &endpoint);
        token = save_next(endpoint, GONE_COOKIE + cookie);
        caller_interrupt(&caller);
        CHECK(tells_gone(endpoint, GONE_COOKIE + cookie));
        nobody_waits(endpoint, token);

        struct child child;
        struct child_start start = {0};

        child_create(&child, 0, NULL);
        start.handles[0] = child_give(&child, endpoint);
        child_run(&child, &start, child_caller);
        token = save_next(endpoint, ~cookie);
        OK(sys_process_kill(child.process, 8));
        if (!late)
            CHECK(tells_gone(endpoint, ~cookie));
        CHECK(child_end(&child) == 8);
        if (late)
            CHECK(tells_gone(endpoint, ~cookie));
        nobody_waits(endpoint, token);
    }
    close_handle(endpoint);
}

/* An answer that is taken is the end of it; and who saves without a notice is told nothing. */
static void test_ipc_gone_is_not_told_of_the_answered(void)
{
    handle_t endpoint = endpoint_new();
    struct worker caller;
    struct ipc_regs regs;

    for (uint64_t i = 0; i < 4; i++) {
        worker_start(&caller, save_caller, &endpoint);
        regs = (struct ipc_regs){.target = save_next(endpoint, GONE_COOKIE), .words = {i}};
        OK(ipc_raw_reply(&regs));
        CHECK(worker_join(&caller) && caller.value == i);
        CHECK(tells_nothing(endpoint));
    }
    uint64_t token = 0;

    worker_start(&caller, save_caller, &endpoint);
    regs = (struct ipc_regs){.target = endpoint, .deadline = in_ms(PATIENCE_MS)};
    OK(ipc_raw_receive(&regs));
    OK(sys_endpoint_reply_save(HANDLE_NONE, GONE_COOKIE, &token));
    caller_interrupt(&caller);
    nobody_waits(endpoint, token);
    close_handle(endpoint);
}

/* What a failed save leaves as it was: the reply can be saved, and answered. */
static void test_ipc_save_checks_the_endpoint(void)
{
    handle_t endpoint = endpoint_new(), weak = with_rights(endpoint, RIGHT_CALL);
    struct worker caller;
    uint64_t token = 0;

    CHECK_STATUS(STATUS_NOT_FOUND, sys_endpoint_reply_save(endpoint, 1, &token));
    worker_start(&caller, save_caller, &endpoint);
    struct ipc_regs regs = {.target = endpoint, .deadline = in_ms(PATIENCE_MS)};

    OK(ipc_raw_receive(&regs));
    CHECK_STATUS(STATUS_DENIED, sys_endpoint_reply_save(weak, 1, &token));
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_endpoint_reply_save(12345, 1, &token));
    CHECK_STATUS(STATUS_WRONG_TYPE, sys_endpoint_reply_save(info->budget, 1, &token));
    OK(sys_endpoint_reply_save(endpoint, 1, &token));
    regs = (struct ipc_regs){.target = token, .words = {17}};
    OK(ipc_raw_reply(&regs));
    CHECK(worker_join(&caller) && caller.value == 17);
    close_handle(weak);
    close_handle(endpoint);
}

/* It is told in its epoch or not at all, and an endpoint's end leaves nothing behind. */
static void test_ipc_gone_of_another_epoch(void)
{
    handle_t endpoint = endpoint_new();
    struct worker caller;

    worker_start(&caller, save_caller, &endpoint);
    uint64_t token = save_next(endpoint, 1);

    OK(sys_endpoint_new_epoch(endpoint)); /* before the caller goes */
    caller_interrupt(&caller);
    nobody_waits(endpoint, token);
    worker_start(&caller, save_caller, &endpoint);
    token = save_next(endpoint, 2);
    caller_interrupt(&caller);
    OK(sys_endpoint_new_epoch(endpoint)); /* when it is to be told */
    nobody_waits(endpoint, token);
    worker_start(&caller, save_caller, &endpoint);
    (void)save_next(endpoint, 3);
    caller_interrupt(&caller);
    close_handle(endpoint); /* with the notice */
    endpoint = endpoint_new();
    worker_start(&caller, save_caller, &endpoint);
    token = save_next(endpoint, 4);
    close_handle(endpoint); /* before the caller goes */
    caller_interrupt(&caller);
    struct ipc_regs regs = {.target = token};

    CHECK_STATUS(STATUS_GONE, ipc_raw_reply(&regs));
}

#define SERVER_PAGES 512u
#define SERVER_KMEM (1u << 20)

/* In the child: saves replies; those that it cannot save it answers with why. */
static void child_saver(void)
{
    handle_t endpoint = child_start.handles[0];
    uint64_t token = 0;

    for (;;) {
        struct ipc_regs regs = {.target = endpoint, .deadline = DEADLINE_NEVER};

        if (!status_is_ok(ipc_raw_receive(&regs)))
            child_exit(1);
        if (message_kind(regs.info) == IPC_KIND_GONE)
            continue;
        status_t status = STATUS_OK;

        if ((uint32_t)regs.info == LABEL_SAVE) {
            status = sys_endpoint_reply_save(endpoint, 5, &token);
            if (status_is_ok(status) || status == STATUS_NOT_FOUND)
                continue;
        }
        regs = (struct ipc_regs){.words = {(uint64_t)status_code(status)}};
        if (!status_is_ok(ipc_raw_reply(&regs)))
            child_exit(2);
    }
}

/* Leave the server, which is charged to @budget, nothing, and call it: was its reply not saved? What it has just given back it may take again. */
static bool is_refused(handle_t endpoint, handle_t budget)
{
    struct budget_info used = {0};
    struct ipc_regs regs = {.target = endpoint, .info = LABEL_SAVE, .deadline = in_ms(200)};

    return status_is_ok(sys_budget_info(budget, &used)) &&
           status_is_ok(sys_budget_set(budget, SERVER_PAGES, used.kmem_used, 0)) &&
           status_is_ok(ipc_raw_call(&regs)) && status_from_code(regs.words[0]) == STATUS_NO_MEMORY;
}

/* The server pays for the notice: without memory the reply stays where it is; and what it paid comes back at its end. */
static void test_ipc_gone_is_paid_by_the_server(void)
{
    handle_t endpoint = endpoint_new(), budget;
    struct child child;
    struct child_start start = {0};
    struct budget_info used = {0};
    struct worker caller;

    OK(sys_budget_create(info->budget, SERVER_PAGES, SERVER_KMEM, 16, &budget));
    child_create(&child, budget, NULL);
    start.handles[0] = child_give(&child, endpoint);
    child_run(&child, &start, child_saver);
    struct ipc_regs regs;

    OK(call(endpoint, LABEL_ADD, &regs)); /* it has what it takes to answer */
    CHECK(EVENTUALLY(is_refused(endpoint, budget)));
    OK(sys_budget_set(budget, SERVER_PAGES, SERVER_KMEM, 0));
    worker_start(&caller, save_caller, &endpoint);
    CHECK(EVENTUALLY(threads_in(SYS_ENDPOINT_CALL) == 1));
    sleep_ms(2);
    OK(sys_process_kill(child.process, 9)); /* with a reply saved */
    CHECK(worker_join(&caller) && status_from_code(caller.value) == STATUS_PEER_DIED);
    CHECK(child_end(&child) == 9);
    CHECK(EVENTUALLY((status_is_ok(sys_budget_info(budget, &used)) && used.kmem_used == 0)));
    CHECK(tells_nothing(endpoint));
    close_handle(budget);
    close_handle(endpoint);
}

enum { RACES = 400 };

/* Calls that say when they end, and are answered with their number then, or end. */
static void racing_caller(struct worker *self)
{
    handle_t endpoint = *(handle_t *)self->context;
    struct ipc_regs regs;

    for (uint64_t i = 0; i < RACES; i++) {
        uint64_t end = now_ns() + MS;

        regs = (struct ipc_regs){.target = endpoint,
                                 .info = LABEL_SAVE,
                                 .words = {i, end},
                                 .deadline = end};
        status_t status = ipc_raw_call(&regs);

        if (status_is_ok(status))
            self->value += regs.words[0] == i;
        else
            CHECK(status == STATUS_TIMED_OUT);
    }
    OK(call(endpoint, LABEL_STOP, &regs));
}

/* Answers and deadlines come at once: each call has one or the other, and GONE comes before the caller's next one. */
static void test_ipc_gone_or_answered(void)
{
    handle_t endpoint = endpoint_new();
    struct worker caller;
    struct ipc_regs regs;
    uint64_t answered = 0, told = 0, token;

    worker_start(&caller, racing_caller, &endpoint);
    for (;;) {
        regs = (struct ipc_regs){.target = endpoint, .deadline = in_ms(PATIENCE_MS)};
        status_t status = ipc_raw_receive(&regs);

        CHECK(status_is_ok(status) && message_kind(regs.info) == IPC_KIND_CALL);
        if (!status_is_ok(status) || (uint32_t)regs.info == LABEL_STOP)
            break;
        uint64_t number = regs.words[0];
        uint64_t end = regs.words[1] - 20000 + number * 97 % 40000;

        if (!status_is_ok(sys_endpoint_reply_save(endpoint, number, &token)))
            continue;
        while (now_ns() < end)
            ;
        regs = (struct ipc_regs){.target = token, .words = {number}};
        status = ipc_raw_reply(&regs);
        CHECK(status_is_ok(status) || status == STATUS_GONE);
        answered += status_is_ok(status);
        if (status == STATUS_GONE)
            told += tells_gone(endpoint, number);
    }
    regs = (struct ipc_regs){.info = 0};
    OK(ipc_raw_reply(&regs));
    CHECK(worker_join(&caller) && caller.value == answered);
    CHECK(answered != 0 && told != 0);
    say("%llu calls were answered, of %llu the end was told", (unsigned long long)answered,
        (unsigned long long)told);
    CHECK(tells_nothing(endpoint));
    close_handle(endpoint);
}

/* ── All replies saved ───────────────────────────────────────────────────────────────────────────────────────────── */

enum { SAVERS = 3, SAVED = 9 };

struct saves {
    handle_t endpoint;
    uint64_t tokens[SAVED];
    const struct worker *by[SAVED];
    uint32_t count; /* atomic: of entries taken */
    uint32_t ready; /* atomic: of entries filled */
};

static void save_one(struct saves *saves, const struct worker *self)
{
    uint32_t at = __atomic_fetch_add(&saves->count, 1, __ATOMIC_SEQ_CST);

    OK(sys_endpoint_reply_save(HANDLE_NONE, 0, &saves->tokens[at]));
    saves->by[at] = self;
    __atomic_fetch_add(&saves->ready, 1, __ATOMIC_SEQ_CST);
}

/* Answer those that another worker saved, or all: how many. */
static uint64_t answer_saved(struct saves *saves, const struct worker *but)
{
    uint64_t answered = 0;

    for (uint32_t i = 0; i < SAVED; i++) {
        struct ipc_regs regs = {.target = saves->tokens[i], .words = {i}};

        if (saves->tokens[i] == 0 || saves->by[i] == but)
            continue;
        OK(ipc_raw_reply(&regs));
        saves->tokens[i] = 0;
        answered++;
    }
    return answered;
}

/* One call, an answer to it or not; then the next. LABEL_SLOW: those that others saved are answered first, LABEL_STOP: all. */
static void save_all(struct worker *self)
{
    struct saves *saves = self->context;
    struct ipc_regs regs = {.target = saves->endpoint, .deadline = DEADLINE_NEVER};

    OK(ipc_raw_receive(&regs));
    for (;;) {
        uint32_t label = (uint32_t)regs.info;

        if (label == LABEL_SAVE) {
            save_one(saves, self);
        } else {
            uint64_t answered =
                label == LABEL_ADD ? 0 : answer_saved(saves, label == LABEL_SLOW ? self : NULL);

            regs = (struct ipc_regs){.words = {answered}};
            OK(ipc_raw_reply(&regs));
        }
        if (label == LABEL_STOP)
            return;
        regs = (struct ipc_regs){.target = saves->endpoint, .deadline = DEADLINE_NEVER};
        OK(ipc_raw_receive(&regs));
    }
}

/* Workers that owe many answers receive as before, and any of them gives the answers. */
static void test_ipc_every_reply_saved(void)
{
    struct saves saves = {.endpoint = endpoint_new()};
    struct worker savers[SAVERS], callers[SAVED];
    struct ipc_regs regs;
    uint64_t answered = 0;

    for (unsigned i = 0; i < SAVERS; i++)
        worker_start(&savers[i], save_all, &saves);
    for (unsigned i = 0; i < SAVED; i++)
        worker_start(&callers[i], save_caller, &saves.endpoint);
    CHECK(EVENTUALLY(__atomic_load_n(&saves.ready, __ATOMIC_SEQ_CST) == SAVED));
    for (unsigned i = 0; i < SAVERS; i++) {
        OK(call(saves.endpoint, LABEL_ADD, &regs));
        CHECK(callers[i].done == 0);
    }
    OK(call(saves.endpoint, LABEL_SLOW, &regs));
    answered += regs.words[0];
    for (unsigned i = 0; i < SAVERS; i++) {
        OK(call(saves.endpoint, LABEL_STOP, &regs));
        answered += regs.words[0];
    }
    CHECK(answered == SAVED);
    for (unsigned i = 0; i < SAVED; i++)
        CHECK(worker_join(&callers[i]) && callers[i].value < SAVED);
    for (unsigned i = 0; i < SAVERS; i++)
        CHECK(worker_join(&savers[i]));
    close_handle(saves.endpoint);
}

/* ── Restart ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* In the child, an instance of a server: answers with its number values[0] and the badge that the call came with. */
static void child_instance(void)
{
    struct ipc_regs regs = {.target = child_start.handles[0], .deadline = DEADLINE_NEVER};
    status_t status = ipc_raw_receive(&regs);

    while (status_is_ok(status)) {
        uint64_t badge = regs.target;

        regs = (struct ipc_regs){.target = child_start.handles[0],
                                 .words = {child_start.values[0], badge},
                                 .deadline = DEADLINE_NEVER};
        status = ipc_raw_reply_receive(&regs);
    }
    child_exit(status_code(status));
}

struct session {
    handle_t handle;
    uint64_t instance, badge;
    uint32_t answered; /* atomic */
    bool astray;       /* it reached somebody else */
};

/* Calls through the session until it is told that it is over. */
static void use_session(struct worker *self)
{
    struct session *session = self->context;
    status_t status = STATUS_OK;

    while (status_is_ok(status) || status == STATUS_PEER_DIED) {
        struct ipc_regs regs = {.target = session->handle, .deadline = DEADLINE_NEVER};

        status = ipc_raw_call(&regs);
        if (!status_is_ok(status))
            continue;
        session->astray |= regs.words[0] != session->instance || regs.words[1] != session->badge;
        __atomic_fetch_add(&session->answered, 1, __ATOMIC_SEQ_CST);
    }
    self->value = (uint64_t)status_code(status);
}

static void instance_start(struct child *child, handle_t endpoint, uint64_t instance)
{
    struct child_start start = {.values = {instance}};

    child_create(child, 0, NULL);
    start.handles[0] = child_give(child, endpoint);
    child_run(child, &start, child_instance);
}

/* Clients call all the time, while the server is killed, a new epoch begins, and the next instance receives at the same endpoint. */
static void test_ipc_old_sessions_reach_no_new_instance(void)
{
    enum { INSTANCES = 4, CLIENTS = 3 };
    handle_t endpoint = endpoint_new(), connect = with_rights(endpoint, RIGHT_CALL);
    struct ipc_regs regs;

    for (uint64_t instance = 1; instance <= INSTANCES; instance++) {
        struct session session = {.instance = instance, .badge = IPC_BADGE_SESSION | instance};
        struct worker clients[CLIENTS];
        struct child child;

        instance_start(&child, endpoint, instance);
        OK(sys_cap_derive(endpoint, RIGHT_CALL, session.badge, &session.handle));
        for (unsigned i = 0; i < CLIENTS; i++)
            worker_start(&clients[i], use_session, &session);
        CHECK(EVENTUALLY(__atomic_load_n(&session.answered, __ATOMIC_SEQ_CST) >= 20));
        OK(sys_process_kill(child.process, 9));
        CHECK(child_end(&child) == 9);
        OK(sys_endpoint_new_epoch(endpoint));
        instance_start(&child, endpoint, instance + 100);
        OK(call(connect, 1, &regs));
        CHECK(regs.words[0] == instance + 100 && regs.words[1] == 0);
        for (unsigned i = 0; i < CLIENTS; i++)
            CHECK(worker_join(&clients[i]) && status_from_code(clients[i].value) == STATUS_STALE);
        CHECK(!session.astray);
        CHECK_STATUS(STATUS_STALE, call(session.handle, 1, &regs));
        close_handle(session.handle);
        OK(sys_process_kill(child.process, 9));
        CHECK(child_end(&child) == 9);
    }
    close_handle(connect);
    close_handle(endpoint);
}

/* ── Capabilities on their way while they are revoked ────────────────────────────────────────────────────────────────── */

/* A message whose capability is being revoked is held up until that is over, and then sent by a call that starts again. The revoker has
 * the least priority on the one CPU that all use, and the others are of the real-time band: it is preempted in the middle, with everything
 * else to be run first. */
enum { HELD_CHILDREN = 2000, MAIN_BIT = 1, SERVER_BIT = 2, CALLER_BIT = 4, SENDER_BIT = 8 };

struct held {
    handle_t endpoint, revoked, bell;
    bool in_reply;     /* the answer has the capability, not the call */
    uint32_t answered; /* atomic */
    handle_t came;     /* the capability that arrived */
};

static void held_wait(const struct held *held, uint64_t bit)
{
    uint64_t bits;

    OK(sys_notification_wait(held->bell, bit, DEADLINE_NEVER, &bits));
}

/* When the revocation is under way. */
static void held_add(const struct held *held, struct worker *self, struct ipc_regs *regs)
{
    held_wait(held, SENDER_BIT);
    self->buffer->caps[0] = (struct cap_out){held->revoked, 0, RIGHT_CALL, CAP_TRANSFER_DERIVE};
    regs->info = message_info(LABEL_CAPS, 0, 1, 0);
}

static void held_serve(struct worker *self)
{
    struct held *held = self->context;
    struct ipc_regs regs = {.target = held->endpoint, .deadline = DEADLINE_NEVER};

    held_wait(held, SERVER_BIT);
    self->buffer->accept = 1;
    OK(ipc_raw_receive(&regs));
    CHECK((uint32_t)regs.info == LABEL_CAPS && regs.words[0] == 1 && regs.words[5] == 6);
    if (!held->in_reply)
        held->came = message_caps(regs.info) == 1 ? self->buffer->received[0] : 0;
    regs = (struct ipc_regs){.target = held->endpoint,
                             .info = LABEL_CAPS,
                             .words = {11, 12, 13, 14, 15, 16},
                             .deadline = DEADLINE_NEVER};
    if (held->in_reply)
        held_add(held, self, &regs);
    OK(ipc_raw_reply_receive(&regs));
    CHECK(message_kind(regs.info) == IPC_KIND_CALL && (uint32_t)regs.info == LABEL_STOP);
    regs = (struct ipc_regs){.info = 0};
    OK(ipc_raw_reply(&regs));
}

static void held_call(struct worker *self)
{
    struct held *held = self->context;
    struct ipc_regs regs = {.target = held->endpoint,
                            .info = LABEL_CAPS,
                            .words = {1, 2, 3, 4, 5, 6},
                            .deadline = DEADLINE_NEVER};

    held_wait(held, CALLER_BIT);
    self->buffer->accept = 1;
    if (!held->in_reply)
        held_add(held, self, &regs);
    OK(ipc_raw_call(&regs));
    __atomic_store_n(&held->answered, 1, __ATOMIC_SEQ_CST);
    CHECK((uint32_t)regs.info == LABEL_CAPS && regs.words[0] == 11 && regs.words[5] == 16);
    if (held->in_reply)
        held->came = message_caps(regs.info) == 1 ? self->buffer->received[0] : 0;
    OK(call(held->endpoint, LABEL_STOP, &regs));
}

static void held_revoke(struct worker *self)
{
    const struct held *held = self->context;

    held_wait(held, MAIN_BIT);
    OK(sys_cap_revoke(held->revoked));
}

/* True: the message was held up. */
static bool held_try(bool in_reply)
{
    static void (*const runs[])(struct worker *) = {held_serve, held_call, held_revoke};
    static const uint32_t priorities[] = {50, 50, 5};
    struct held held = {.endpoint = endpoint_new(), .in_reply = in_reply};
    struct worker workers[3];
    handle_t middle = 0; /* whose end tells that the revocation has begun and has not ended */
    uint64_t bits;

    OK(sys_notification_create(info->budget, &held.revoked));
    OK(sys_notification_create(info->budget, &held.bell));
    for (unsigned i = 0; i < HELD_CHILDREN; i++) {
        handle_t child = with_rights(held.revoked, RIGHT_CALL | RIGHT_RECEIVE);

        if (i == HELD_CHILDREN / 2)
            middle = child;
    }
    for (unsigned i = 0; i < 3; i++)
        worker_start(&workers[i], runs[i], &held);
    CHECK(EVENTUALLY(threads_in(SYS_NOTIFICATION_WAIT) == 3));
    for (unsigned i = 0; i < 3; i++) {
        OK(sys_thread_set_affinity(workers[i].thread, 0, 1));
        OK(sys_thread_set_priority(workers[i].thread, priorities[i]));
    }
    OK(sys_notification_signal(held.bell, SERVER_BIT));
    OK(sys_notification_signal(held.bell, CALLER_BIT));
    OK(sys_notification_signal(held.bell, MAIN_BIT));
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_notification_wait(middle, 1, DEADLINE_NEVER, &bits));
    OK(sys_notification_signal(held.bell, SENDER_BIT));
    bool was_held = __atomic_load_n(&held.answered, __ATOMIC_SEQ_CST) == 0;

    for (unsigned i = 0; i < 3; i++)
        CHECK(worker_join(&workers[i]));
    if (was_held) /* it was made after the revocation */
        OK(sys_notification_signal(held.came, 1));
    OK(sys_cap_revoke(held.revoked));
    close_handle(held.revoked);
    close_handle(held.bell);
    close_handle(held.endpoint);
    return was_held;
}

static void held_up(bool in_reply)
{
    OK(sys_thread_set_affinity(info->thread, 0, 1));
    OK(sys_thread_set_priority(info->thread, 40));
    CHECK(held_try(in_reply));
    OK(sys_thread_set_priority(info->thread, 16));
    OK(sys_thread_set_affinity(info->thread, 0, UINT64_MAX));
}

/* A thread that keeps the one CPU from the revoker until it is told, or for a while. */
struct hog {
    handle_t bell;
    uint32_t stop; /* atomic */
};

#define HOG_MS 3000u

static void hog_run(struct worker *self)
{
    struct hog *hog = self->context;
    uint64_t bits;

    OK(sys_notification_wait(hog->bell, SENDER_BIT, DEADLINE_NEVER, &bits));
    for (uint64_t end = in_ms(HOG_MS);
         __atomic_load_n(&hog->stop, __ATOMIC_SEQ_CST) == 0 && now_ns() < end;)
        continue;
}

static bool is_done(const struct worker *worker)
{
    return __atomic_load_n(&worker->done, __ATOMIC_SEQ_CST) != 0;
}

/* A call whose message has @moved and what is derived from @revoked. */
static status_t bounded_call(handle_t endpoint, handle_t revoked, handle_t moved, uint64_t flags,
                             uint64_t deadline_ns)
{
    struct ipc_regs regs = {.target = endpoint,
                            .info = message_info(LABEL_CAPS, 0, 2, 0) | flags,
                            .deadline = deadline_ns};

    my_buffer()->caps[0] = (struct cap_out){moved, 0, 0, CAP_TRANSFER_MOVE};
    my_buffer()->caps[1] = (struct cap_out){revoked, 0, RIGHT_CALL, CAP_TRANSFER_DERIVE};
    return ipc_raw_call(&regs);
}

/* The call's deadline and NOWAIT bound that wait, too, and nothing is moved then; no other wait is bounded by what they were. */
static void test_ipc_revocation_is_waited_for_as_long_as_told(void)
{
    struct held held = {.endpoint = endpoint_new()};
    struct hog hog = {0};
    struct worker revoker, spinner;
    handle_t middle = 0, moved;
    uint64_t bits;

    OK(sys_thread_set_affinity(info->thread, 0, 1));
    OK(sys_thread_set_priority(info->thread, 50));
    OK(sys_notification_create(info->budget, &held.revoked));
    OK(sys_notification_create(info->budget, &held.bell));
    OK(sys_notification_create(info->budget, &moved));
    hog.bell = held.bell;
    for (unsigned i = 0; i < HELD_CHILDREN; i++) {
        handle_t child = with_rights(held.revoked, RIGHT_CALL | RIGHT_RECEIVE);

        if (i == HELD_CHILDREN / 2)
            middle = child;
    }
    worker_start(&revoker, held_revoke, &held);
    worker_start(&spinner, hog_run, &hog);
    CHECK(EVENTUALLY(threads_in(SYS_NOTIFICATION_WAIT) == 2));
    OK(sys_thread_set_affinity(revoker.thread, 0, 1));
    OK(sys_thread_set_affinity(spinner.thread, 0, 1));
    OK(sys_thread_set_priority(revoker.thread, 5));
    OK(sys_thread_set_priority(spinner.thread, 40));
    OK(sys_notification_signal(held.bell, MAIN_BIT));
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_notification_wait(middle, 1, DEADLINE_NEVER, &bits));
    OK(sys_notification_signal(held.bell, SENDER_BIT));

    CHECK_STATUS(STATUS_BUSY, bounded_call(held.endpoint, held.revoked, moved,
                                           UINT64_C(1) << IPC_INFO_NOWAIT_SHIFT, DEADLINE_NEVER));
    CHECK(!is_done(&revoker));
    CHECK_STATUS(STATUS_TIMED_OUT, bounded_call(held.endpoint, held.revoked, moved, 0, now_ns()));
    CHECK(!is_done(&revoker));
    uint64_t deadline_ns = in_ms(20);

    CHECK_STATUS(STATUS_TIMED_OUT,
                 bounded_call(held.endpoint, held.revoked, moved, 0, deadline_ns));
    CHECK(!is_done(&revoker) && now_ns() >= deadline_ns);
    OK(sys_notification_signal(moved, 1));
    __atomic_store_n(&hog.stop, 1, __ATOMIC_SEQ_CST);
    handle_t derived = with_rights(held.revoked, RIGHT_CALL);

    OK(sys_notification_signal(derived, 1)); /* it was made after the revocation */
    CHECK(worker_join(&revoker) && worker_join(&spinner));
    OK(sys_thread_set_priority(info->thread, 16));
    OK(sys_thread_set_affinity(info->thread, 0, UINT64_MAX));
    close_handle(derived);
    close_handle(moved);
    close_handle(held.revoked);
    close_handle(held.bell);
    close_handle(held.endpoint);
}

static void test_ipc_call_waits_for_a_revocation(void)
{
    held_up(false);
}

static void test_ipc_reply_waits_for_a_revocation(void)
{
    held_up(true);
}

extern const struct test ipc_tests[];
const struct test ipc_tests[] = {
    TEST(test_ipc_words_and_data),
    TEST(test_ipc_carries_capabilities),
    TEST(test_ipc_grants_are_read_and_written),
    TEST(test_ipc_grants_are_read_and_written_by_memory),
    TEST(test_ipc_badges_and_closed),
    TEST(test_ipc_epochs_make_sessions_stale),
    TEST(test_ipc_deadline_and_nowait),
    TEST(test_ipc_saved_replies),
    TEST(test_ipc_endings_are_told),
    TEST(test_ipc_answer_of_another_kind),
    TEST(test_ipc_receives_events),
    TEST(test_ipc_many_callers),
    TEST(test_ipc_between_processes),
    TEST(test_ipc_server_process_killed),
    TEST(test_ipc_client_process_killed),
    TEST(test_ipc_gone_is_told),
    TEST(test_ipc_gone_is_not_told_of_the_answered),
    TEST(test_ipc_save_checks_the_endpoint),
    TEST(test_ipc_gone_of_another_epoch),
    TEST(test_ipc_gone_is_paid_by_the_server),
    TEST(test_ipc_gone_or_answered),
    TEST(test_ipc_every_reply_saved),
    TEST(test_ipc_old_sessions_reach_no_new_instance),
    TEST(test_ipc_call_waits_for_a_revocation),
    TEST(test_ipc_revocation_is_waited_for_as_long_as_told),
    TEST(test_ipc_reply_waits_for_a_revocation),
    {0},
};

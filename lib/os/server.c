/* The server loop. Each turn is one system call: it sends the answer of the last turn, if there is one, and waits
 * for the next call or event. A call is copied out of the message buffer before its handler runs. If an answer
 * cannot be sent (its capabilities did not go through, its caller is gone), the caller gets a plain NO_MEMORY, or
 * nothing if it is not there, and the loop goes on: no client can stop a server. */
#include <os/server.h>

#include <os/syscall.h>
#include <stdlib.h>
#include <string.h>

/** The most capabilities that a call of any service carries. */
static uint32_t caps_announced(const struct server *server)
{
    uint32_t caps = server->ops && server->ops->call ? IPC_CAPS_MAX : 0;
    for (size_t i = 0; i < server->service_count; i++) {
        if (server->services[i].protocol->caps > caps) {
            caps = server->services[i].protocol->caps;
        }
    }
    return caps;
}

/** Copy what was received out of registers and message buffer. */
static void take_call(const struct server *server, struct ipc_call *call,
                      const struct ipc_regs *regs)
{
    struct ipc_buffer *buffer = ipc_buffer();
    size_t bytes = ipc_info_data(regs->info);
    call->badge = regs->target;
    call->endpoint = server->ops && server->ops->gone ? server->endpoint : HANDLE_NONE;
    call->info = regs->info;
    memcpy(call->words, regs->words, sizeof(call->words));
    memcpy(call->received, buffer->received, sizeof(call->received));
    memcpy(call->grant_lengths, buffer->grant_lengths, sizeof(call->grant_lengths));
    memcpy(call->data, buffer->data, bytes <= IPC_DATA_MAX ? bytes : 0);
    call->token = IPC_CURRENT;
    call->pending = false;
    call->status = STATUS_UNSUPPORTED;
    call->reply.caps = 0;
    call->reply.data_bytes = 0;
    memset(call->reply.words, 0, sizeof(call->reply.words));
}

void server_dispatch(const struct server *server, struct ipc_call *call)
{
    uint32_t number = ipc_label_protocol(ipc_info_label(call->info));
    for (size_t i = 0; i < server->service_count; i++) {
        const struct server_service *service = &server->services[i];
        if (service->protocol->number == number) {
            service->protocol->dispatch(service->ops, service->instance, call);
            return;
        }
    }
    if (server->ops && server->ops->call) {
        server->ops->call(server->instance, call);
        ipc_call_close(call);
        return;
    }
    ipc_call_finish(call, STATUS_UNSUPPORTED, false);
}

/** True: the loop's next turn sends the answer. */
static bool serve_call(const struct server *server, struct ipc_call *call)
{
    server_dispatch(server, call);
    if (call->pending) {
        return false;
    }
    if (call->token == IPC_CURRENT) {
        return true;
    }
    // Saved, but answered at once: the current reply is no longer this call's.
    status_ignore(ipc_reply_send(call->token, call->status, &call->reply));
    return false;
}

/** True: an answer is in @call. */
static bool handle(const struct server *server, struct ipc_call *call, const struct ipc_regs *regs)
{
    const struct server_ops *ops = server->ops;
    switch (ipc_info_kind(regs->info)) {
    case IPC_KIND_CALL:
        take_call(server, call, regs);
        return serve_call(server, call);
    case IPC_KIND_EVENT:
        if (ops && ops->event) {
            ops->event(server->instance, regs->target, (uint32_t)regs->words[0], regs->words[1]);
        }
        return false;
    case IPC_KIND_CLOSED:
        if (ops && ops->closed) {
            ops->closed(server->instance, regs->target);
        }
        return false;
    case IPC_KIND_GONE:
        if (ops && ops->gone) {
            ops->gone(server->instance, regs->target);
        }
        return false;
    default:
        return false;
    }
}

/** Wait for the next message, sending the answer in @call first if @answer. */
static status_t turn(const struct server *server, struct ipc_call *call, bool answer, uint32_t caps,
                     struct ipc_regs *regs)
{
    struct ipc_buffer *buffer = ipc_buffer();
    *regs = (struct ipc_regs){.target = server->endpoint,
                              .queue = server->queue,
                              .deadline = DEADLINE_NEVER};
    if (answer) {
        regs->info = ipc_reply_place(call->status, &call->reply);
        memcpy(regs->words, call->reply.words, sizeof(regs->words));
    }
    buffer->accept = caps;
    memset(buffer->received, 0, sizeof(buffer->received));
    return answer ? ipc_raw_reply_receive(regs) : ipc_raw_receive(regs);
}

static status_t serve(struct server *server, struct ipc_call *call)
{
    uint32_t caps = caps_announced(server);
    bool answer = false;
    while (!__atomic_load_n(&server->stop, __ATOMIC_RELAXED)) {
        struct ipc_regs regs;
        status_t status = turn(server, call, answer, caps, &regs);
        if (status_is_ok(status)) {
            answer = handle(server, call, &regs);
        } else if (answer) {
            // The fault may be the answer's. An interrupted receive has answered: then there is no current reply,
            // and the handles that were moved are stale.
            if (status_is_ok(call->status)) {
                ipc_reply_drop(&call->reply);
            }
            status_ignore(ipc_reply_send(IPC_CURRENT, STATUS_NO_MEMORY, &call->reply));
            answer = false;
        } else if (status != STATUS_INTERRUPTED && status != STATUS_TIMED_OUT) {
            return status;
        }
    }
    if (answer) {
        status_ignore(ipc_reply_send(IPC_CURRENT, call->status, &call->reply));
    }
    return STATUS_OK;
}

status_t server_run(struct server *server)
{
    if (!ipc_buffer()) {
        return STATUS_INVALID;
    }
    struct ipc_call *call = calloc(1, sizeof(*call));
    if (!call) {
        return STATUS_NO_MEMORY;
    }
    status_t status = serve(server, call);
    free(call);
    return status;
}

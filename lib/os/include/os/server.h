#pragma once
/* The main loop of every server: answer, then wait for the next call or event, with one system call.
 *
 * A server fills a struct server and calls server_run(), on as many threads as it wants workers. Calls go to the
 * service whose protocol their label names; handlers that cannot answer at once save the reply. */
#include <os/ipc.h>

/** What else a server hears of; a NULL function means it does not care. Called on the worker's thread. */
struct server_ops {
    /** A call of no listed protocol; it must leave an answer (ipc_call_finish). NULL: UNSUPPORTED. */
    void (*call)(void *instance, struct ipc_call *call);
    /** An event of the queue: @kind is EVENT_*, @cookie what the source was bound with. */
    void (*event)(void *instance, uint64_t cookie, uint32_t kind, uint64_t data);
    /** The last capability with @badge is gone: the session ends. */
    void (*closed)(void *instance, uint64_t badge);
    /** The caller whose reply was saved with @cookie (ipc_reply_save) is gone: what is kept for it can go. With more than one worker this may
     *  come while another is about to answer it, and finds GONE. */
    void (*gone)(void *instance, uint64_t cookie);
};

/** One protocol spoken at the endpoint, and who implements it. */
struct server_service {
    const struct ipc_protocol *protocol;
    const void *ops; /**< struct <protocol>_ops */
    void *instance;
};

struct server {
    handle_t endpoint;
    handle_t queue; /**< whose events are received too, or HANDLE_NONE */
    const struct server_ops *ops;
    void *instance;
    const struct server_service *services;
    size_t service_count;
    bool stop; /**< set by a handler: server_run() answers what is to be answered and returns OK */
};

/** Serve until `stop` is set. Any other return is a fault of the endpoint or queue (BAD_HANDLE, DENIED …), or
 *  NO_MEMORY. The thread needs a message buffer. */
MUST_CHECK status_t server_run(struct server *server);

/** Give @call to the service of @server whose protocol it names. */
void server_dispatch(const struct server *server, struct ipc_call *call);

#pragma once
/* The service manager's parts: the table of services (service.c), how one is started (launch.c), the drivers that others supervise
 * (adopted.c), what tools may ask (calls.c), its own lines in the log (journal.c). One thread runs it all. */
#include <idl/keeper.h>
#include <idl/svc.h>
#include <os/catalogue.h>
#include <os/process.h>
#include <stdbool.h>
#include <stdint.h>

#define SERVICES_MAX 64u
#define ADOPTED_MAX 32u

/** What a server holds of its endpoint. */
#define SERVER_RIGHTS (RIGHT_RECEIVE | RIGHT_CALL | RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE)

/** A service, or a driver: of drivers only the endpoint is kept here, devmgr starts them. */
struct service {
    struct catalogue_entry manifest;
    uint32_t index;      /**< in the catalogue */
    uint32_t state;      /**< enum svc_state */
    handle_t endpoint;   /**< HANDLE_NONE: it provides nothing */
    handle_t process;    /**< HANDLE_NONE: none */
    uint32_t generation; /**< of its processes; part of the cookie of their ends */
    uint32_t restarts;
    uint64_t started_ns;
    int64_t exit_status;
    bool was_killed;      /**< on request */
    uint64_t delay_ns;    /**< before the next start after a death */
    uint64_t start_at_ns; /**< BACKOFF: when */
};

struct adopted {
    char name[SVC_NAME_BYTES];
    handle_t process; /**< HANDLE_NONE: a free entry */
    uint64_t parent;  /**< badge of who supervises it */
    uint32_t restarts;
    uint32_t
        state; /**< enum svc_state, while the process is dead or ends; RUNNING: nobody has said yet */
    uint32_t order; /**< enum svc_order that the parent has not taken yet; 0: none */
};

struct manager {
    handle_t keeper;
    handle_t endpoint; /**< calls to us; our clients' capabilities come from it */
    handle_t queue;
    handle_t timer;
    handle_t archive;
    const void *archive_data;
    uint64_t archive_bytes;
    struct catalogue catalogue;
    struct service services[SERVICES_MAX];
    size_t service_count;
    struct adopted adopted[ADOPTED_MAX];
};

extern struct manager manager;

/* service.c */
/** Find what runs already, then start the rest. */
void services_begin(void);
struct service *service_find(const char *name);
struct service *driver_find(const char *name);
/** The service that provides @name, or NULL. */
struct service *service_providing(const char *name);
/** Start @service now, whatever its state but RUNNING. */
MUST_CHECK status_t service_start(struct service *service);
/** End its process; it stays ended. */
void service_stop(struct service *service);
/** End its process if it has one, and start it without delay. */
MUST_CHECK status_t service_restart(struct service *service);
/** The end of a process, or the time of a start. */
void service_event(void *instance, uint64_t cookie, uint32_t kind, uint64_t data);

/* launch.c */
/** A new process for @service, with what its manifest names. */
MUST_CHECK status_t launch(const struct service *service, handle_t *process);
/** A capability by which the program that @badge names may connect to @service. */
MUST_CHECK status_t launch_connect(const struct service *service, uint64_t badge,
                                   handle_t *connect);

/* adopted.c */
/** Go on with those that an earlier service manager had. */
void adopted_begin(void);
MUST_CHECK status_t adopted_add(const char *name, handle_t process, uint64_t parent,
                                uint32_t restarts);
/** @parent says what is with its child @name. */
MUST_CHECK status_t adopted_report(const char *name, uint64_t parent, uint32_t state);
/** Have its parent do @order. */
void adopted_order(struct adopted *adopted, uint32_t order);
/** The next order for @call's program: now, or, PENDING, when there is one. */
MUST_CHECK status_t adopted_await(struct ipc_call *call, char *name, uint32_t *order);
/** Server hook: who asked for an order, with call @number of that kind, has gone. */
void adopted_gone(void *instance, uint64_t number);
struct adopted *adopted_find(const char *name);
/** Entry @index of those in use, or NULL. */
struct adopted *adopted_at(size_t index);
void adopted_describe(const struct adopted *adopted, struct svc_info *info);
/** End all children of @parent, which has ended: they are in @state until its next life has them adopted anew. */
void adopted_end(uint64_t parent, uint32_t state);

/* calls.c */
extern const struct svc_ops svc_ops;

/* journal.c */
/** Add a line to the system's log, now or when there is a log service. */
void journal(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** Give the log service what waits. */
void journal_flush(void);
/** A new log service was started. */
void journal_retry(void);

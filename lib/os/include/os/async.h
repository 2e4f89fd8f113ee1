#pragma once
/* Calls that do not keep their caller waiting: for servers, which must not wait for others.
 *
 * A thread has one call outstanding, so a pool of threads makes the calls: <protocol>_<method>_start() hands a
 * request to the pool, a worker makes the call, and the pool signals a notification; bound to the server's
 * queue, it becomes an event, upon which the server takes the finished requests with async_next(). Requests
 * start in the order given; how many run at once is the number of workers. */
#include <pthread.h>
#include <stdbool.h>
#include <veridian/abi.h>

/** The head of every request. Request, and memory that it points to, stay with the pool until async_next()
 *  gives the request back. */
struct async_call {
    struct async_call *next;
    void (*run)(struct async_call *call); /**< set by _start() */
    status_t status;                      /**< of the finished call; results count if it is OK */
    uint64_t cookie;                      /**< the caller's */
};

struct async_list {
    struct async_call *first;
    struct async_call *last;
};

struct async_pool {
    pthread_mutex_t mutex;
    pthread_cond_t work; /**< waiting has become longer, or closing is set */
    struct async_list waiting;
    struct async_list finished;
    bool closing;
    handle_t notification;
    uint64_t bits;
    size_t worker_count;
    pthread_t *workers;
};

/** Start @workers threads that signal @bits of @notification (HANDLE_NONE: nothing) for finished requests.
 *  NO_MEMORY: not all of them could be started, none is left. */
MUST_CHECK status_t async_pool_create(struct async_pool *pool, size_t workers,
                                      handle_t notification, uint64_t bits);
/** Wait until all requests are finished, and end the threads. async_next() still gives what is finished. */
void async_pool_close(struct async_pool *pool);
/** Give @call, whose run is set, to the pool. */
void async_submit(struct async_pool *pool, struct async_call *call);
/** A finished request, in the order in which they finished; NULL: none. Never waits. */
struct async_call *async_next(struct async_pool *pool);

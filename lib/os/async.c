/* A pool of threads that make calls for those who must not wait. Both lists are guarded by the pool's mutex; a
 * request is in one of them, or belongs to one worker. */
#include <os/async.h>

#include <stdlib.h>
#include <veridian/syscalls.h>

/* A stub needs little stack; the run time of the C library the most of it. */
#define WORKER_STACK_BYTES ((size_t)64 * 1024)

static void list_append(struct async_list *list, struct async_call *call)
{
    call->next = NULL;
    if (list->last) {
        list->last->next = call;
    } else {
        list->first = call;
    }
    list->last = call;
}

static struct async_call *list_take(struct async_list *list)
{
    struct async_call *call = list->first;
    if (call) {
        list->first = call->next;
        if (!list->first) {
            list->last = NULL;
        }
        call->next = NULL;
    }
    return call;
}

static void finish(struct async_pool *pool, struct async_call *call)
{
    pthread_mutex_lock(&pool->mutex);
    list_append(&pool->finished, call);
    pthread_mutex_unlock(&pool->mutex);
    if (pool->notification != HANDLE_NONE) {
        status_ignore(sys_notification_signal(pool->notification, pool->bits));
    }
}

/** The next request; NULL: the pool is closing and there is none left. */
static struct async_call *wait_for_work(struct async_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    while (!pool->waiting.first && !pool->closing) {
        pthread_cond_wait(&pool->work, &pool->mutex);
    }
    struct async_call *call = list_take(&pool->waiting);
    pthread_mutex_unlock(&pool->mutex);
    return call;
}

static void *worker(void *argument)
{
    struct async_pool *pool = argument;
    for (;;) {
        struct async_call *call = wait_for_work(pool);
        if (!call) {
            return NULL;
        }
        call->run(call);
        finish(pool, call);
    }
}

static bool start_workers(struct async_pool *pool, size_t count)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) {
        return false;
    }
    bool ok = pthread_attr_setstacksize(&attributes, WORKER_STACK_BYTES) == 0;
    while (ok && pool->worker_count < count) {
        ok = pthread_create(&pool->workers[pool->worker_count], &attributes, worker, pool) == 0;
        pool->worker_count += ok;
    }
    pthread_attr_destroy(&attributes);
    return ok;
}

status_t async_pool_create(struct async_pool *pool, size_t workers, handle_t notification,
                           uint64_t bits)
{
    *pool = (struct async_pool){.notification = notification, .bits = bits};
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    pool->workers = calloc(workers, sizeof(*pool->workers));
    if (!pool->workers || !start_workers(pool, workers)) {
        async_pool_close(pool);
        return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

void async_pool_close(struct async_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    pool->closing = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
    for (size_t i = 0; i < pool->worker_count; i++) {
        pthread_join(pool->workers[i], NULL);
    }
    pool->worker_count = 0;
    free(pool->workers);
    pool->workers = NULL;
}

void async_submit(struct async_pool *pool, struct async_call *call)
{
    pthread_mutex_lock(&pool->mutex);
    list_append(&pool->waiting, call);
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
}

struct async_call *async_next(struct async_pool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    struct async_call *call = list_take(&pool->finished);
    pthread_mutex_unlock(&pool->mutex);
    return call;
}

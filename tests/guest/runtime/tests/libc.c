#include "tests.h"

#include <os/clock.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <veridian/syscalls.h>

#define THREADS 8
#define ROUNDS 2000

static void test_libc_allocates_and_frees(void)
{
    static void *blocks[500];
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        seed = seed * 1103515245u + 12345u;
        size_t slot = seed >> 8 & 255, bytes = (seed >> 16) % 3000 + 1;
        free(blocks[slot]);
        blocks[slot] = malloc(bytes);
        CHECK(blocks[slot] != NULL);
        memset(blocks[slot], (int)slot, bytes);
    }
    for (size_t i = 0; i < 500; i++) {
        free(blocks[i]);
        blocks[i] = NULL;
    }
    char *big = malloc(3 << 20);
    CHECK(big != NULL);
    big[0] = big[(3 << 20) - 1] = 'x';
    big = realloc(big, 5 << 20);
    CHECK(big && big[0] == 'x' && big[(3 << 20) - 1] == 'x');
    free(big);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static long counter;
static _Thread_local long own;
static atomic_int detached_done;

static void *count(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        own++;
        pthread_mutex_unlock(&mutex);
    }
    return own == ROUNDS ? argument : NULL;
}

static void test_libc_threads_share_a_mutex(void)
{
    pthread_t threads[THREADS];
    void *result = NULL;
    counter = 0;
    for (size_t i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, count, &threads[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], &result) == 0 && result == &threads[i]);
    }
    CHECK(counter == THREADS * ROUNDS);
}

static void *detached(void *argument)
{
    (void)argument;
    free(malloc(100));
    atomic_fetch_add(&detached_done, 1);
    return NULL;
}

static void test_libc_detached_threads_give_all_back(void)
{
    uint64_t pages_before, kmem_before;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    usage(&pages_before, &kmem_before);
    for (int i = 0; i < 200; i++) {
        pthread_t thread;
        CHECK(pthread_create(&thread, &attributes, detached, NULL) == 0);
        while (atomic_load(&detached_done) != i + 1) {
            clock_sleep(50 * NS_PER_US);
        }
    }
    CHECK(usage_returns(pages_before, kmem_before));
}

static void *wait_for_counter(void *argument)
{
    pthread_mutex_lock(&mutex);
    while (counter != -1) {
        pthread_cond_wait(&condition, &mutex);
    }
    pthread_mutex_unlock(&mutex);
    return argument;
}

static void test_libc_condition_wakes_all(void)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, wait_for_counter, NULL) == 0);
    }
    clock_sleep(5 * NS_PER_MS);
    pthread_mutex_lock(&mutex);
    counter = -1;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
    for (size_t i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
}

static void test_libc_clock_runs_and_sleep_sleeps(void)
{
    struct timespec before, after, pause = {.tv_nsec = 20000000};
    CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
    CHECK(nanosleep(&pause, NULL) == 0);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    CHECK((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec >= 20000000);
}

/* --- the clock ------------------------------------------------------------------------------------------ */

#define CLOCK_THREADS 4
#define CLOCK_READS 20000

static _Atomic uint64_t latest_ns; /* that any thread was told */
static atomic_uint clock_faults, clock_waiting;

/** The clock in one of the three ways that there are. */
static uint64_t clock_by(unsigned way)
{
    uint64_t now_ns = 0;
    struct timespec time = {0};
    switch (way % 3) {
    case 0:
        return clock_now_ns();
    case 1:
        status_ignore(sys_system_clock(&now_ns));
        return now_ns;
    default:
        clock_gettime(CLOCK_MONOTONIC, &time);
        return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
    }
}

/** Each time is not before what any thread was told before this one asked. */
static void *compare_clocks(void *argument)
{
    unsigned number = (unsigned)(uintptr_t)argument;
    atomic_fetch_sub(&clock_waiting, 1);
    while (atomic_load(&clock_waiting) != 0) {
        sched_yield();
    }
    for (unsigned i = 0; i < CLOCK_READS; i++) {
        uint64_t before_ns = atomic_load_explicit(&latest_ns, memory_order_acquire);
        uint64_t now_ns = clock_by(i + number);
        if (now_ns < before_ns) {
            atomic_fetch_add(&clock_faults, 1);
        }
        while (before_ns < now_ns &&
               !atomic_compare_exchange_weak(&latest_ns, &before_ns, now_ns)) {
        }
    }
    return NULL;
}

static void test_libc_clock_never_goes_back(void)
{
    pthread_t threads[CLOCK_THREADS];
    uint64_t start_ns = clock_now_ns();
    atomic_store(&clock_waiting, CLOCK_THREADS);
    for (uintptr_t i = 0; i < CLOCK_THREADS; i++) {
        CHECK(pthread_create(&threads[i], NULL, compare_clocks, (void *)i) == 0);
    }
    for (size_t i = 0; i < CLOCK_THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
    }
    CHECK(atomic_load(&clock_faults) == 0);
    CHECK(atomic_load(&latest_ns) > start_ns && atomic_load(&latest_ns) <= clock_now_ns());
}

const struct test libc_tests[] = {
    TEST(test_libc_allocates_and_frees),
    TEST(test_libc_threads_share_a_mutex),
    TEST(test_libc_detached_threads_give_all_back),
    TEST(test_libc_condition_wakes_all),
    TEST(test_libc_clock_runs_and_sleep_sleeps),
    TEST(test_libc_clock_never_goes_back),
    {NULL, NULL},
};

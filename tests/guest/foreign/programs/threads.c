/* Threads: shared memory, TLS of their own, a futex that the end of one wakes. */
#include "linux.h"

#define THREADS 4
#define ROUNDS 200

static uint32_t alive[THREADS], counter, lock;
static _Alignas(16) char stacks[THREADS][4096];
static uint64_t blocks[THREADS][64];
static uint64_t wrong;

static void lock_take(void)
{
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE) != 0)
        (void)CALL4(futex, &lock, FUTEX_WAIT, 1, 0);
}

static void lock_drop(void)
{
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
    (void)CALL3(futex, &lock, FUTEX_WAKE, 1);
}

static void count(void *argument)
{
    uint64_t number = (uint64_t)argument;
    for (int i = 0; i < ROUNDS; i++) {
        lock_take();
        counter++;
        lock_drop();
        if (linux_tls_word() != number)
            __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
    }
}

int main(int letter)
{
    (void)letter;
    for (uint64_t i = 0; i < THREADS; i++) {
        alive[i] = 1;
        blocks[i][0] = i;
        EXPECT(linux_thread(CLONE_VM | CLONE_THREAD | CLONE_SETTLS | CLONE_CHILD_CLEARTID,
                            stacks[i] + sizeof(stacks[i]), count, (void *)i, &alive[i],
                            blocks[i]) > 0);
    }
    for (int i = 0; i < THREADS; i++)
        while (__atomic_load_n(&alive[i], __ATOMIC_ACQUIRE) != 0)
            (void)CALL4(futex, &alive[i], FUTEX_WAIT, 1, 0);
    EXPECT(counter == THREADS * ROUNDS && wrong == 0);
    return 0;
}

/* Threads for the C library: what clone() and the last moments of a thread are there.
 *
 * pthread_create() brings a stack and a thread pointer; a thread of ours is added, and its message buffer, which is a page of its own
 * so that it can be pinned and go with the thread. A started thread keeps itself alive, so its handle is not kept. The end is in
 * assembly: with the word that is cleared, whoever joins may take the stack away, so nothing touches it from there on.
 * Nothing here may use the stack protector: a detached thread's thread pointer goes away under it. */
#pragma clang attribute push(__attribute__((no_stack_protector)), apply_to = function)

#include "thread.h"

#include <errno.h>
#include <os/ipc.h>
#include <os/memory.h>
#include <os/start.h>
#include <stdint.h>
#include <veridian/syscalls.h>

/** At the top of a new thread's stack; read by os_thread_begin(). */
struct thread_begin {
    int (*run)(void *argument);
    void *argument;
    struct ipc_buffer *ipc_buffer;
    volatile int *clear_at_exit;
    int number;
};

long os_clone(int (*run)(void *), void *stack, void *argument, int *tid, void *tls,
              volatile int *clear_at_exit);
void os_thread_entry(void);
_Noreturn void os_thread_begin(const struct thread_begin *begin);
/** Unmap @bytes at @base of @aspace (if @bytes is not 0), clear and wake @word, end the thread: without a stack. */
_Noreturn void os_thread_finish(volatile int *word, uint64_t aspace, void *base, size_t bytes);
_Noreturn void __unmapself(void *base, size_t bytes);

static int last_number = 1;
static _Thread_local volatile int *clear_word;
static _Thread_local int thread_number = 1;

/** A message buffer for @thread, mapped here. */
static status_t buffer_attach(handle_t thread, struct ipc_buffer **buffer)
{
    handle_t memory;
    void *address = NULL;
    status_t status = memory_map_new(PAGE_SIZE, 0, &memory, &address);
    if (!status_is_ok(status)) {
        return status;
    }
    status = sys_thread_set_buffer(thread, memory, 0);
    status_ignore(sys_cap_close(memory));
    if (status_is_ok(status)) {
        *buffer = address;
    } else {
        memory_unmap(address, PAGE_SIZE);
    }
    return status;
}

static struct thread_begin *begin_at(void *stack)
{
    uintptr_t top = (uintptr_t)stack - sizeof(struct thread_begin);
    return (struct thread_begin *)(top & ~(uintptr_t)15);
}

long os_clone(int (*run)(void *), void *stack, void *argument, int *tid, void *tls,
              volatile int *clear_at_exit)
{
    handle_t thread;
    struct ipc_buffer *buffer = NULL;
    if (!status_is_ok(sys_thread_create(os_self.process, os_self.budget, &thread))) {
        return -EAGAIN;
    }
    status_t status = buffer_attach(thread, &buffer);
    if (status_is_ok(status)) {
        struct thread_begin *begin = begin_at(stack);
        int number = __atomic_add_fetch(&last_number, 1, __ATOMIC_RELAXED);
        *begin = (struct thread_begin){run, argument, buffer, clear_at_exit, number};
        *tid = number;
        status = sys_thread_start(thread, (uintptr_t)os_thread_entry, (uintptr_t)begin,
                                  (uintptr_t)begin, (uintptr_t)tls);
        if (!status_is_ok(status)) {
            memory_unmap(buffer, PAGE_SIZE);
        }
    }
    status_ignore(sys_cap_close(thread));
    return status_is_ok(status) ? *tid : -EAGAIN;
}

void os_thread_begin(const struct thread_begin *begin)
{
    os_ipc_buffer = begin->ipc_buffer;
    clear_word = begin->clear_at_exit;
    thread_number = begin->number;
    begin->run(begin->argument);
    os_thread_leave();
}

long os_thread_clear_at_exit(volatile int *word)
{
    clear_word = word;
    return thread_number;
}

long os_thread_number(void)
{
    return thread_number;
}

/** The kernel's view of the message buffer stays until the thread ends. */
static void buffer_drop(void)
{
    struct ipc_buffer *buffer = os_ipc_buffer;
    os_ipc_buffer = NULL;
    memory_unmap(buffer, PAGE_SIZE);
}

void os_thread_leave(void)
{
    buffer_drop();
    os_thread_finish(clear_word, os_self.aspace, NULL, 0);
}

/* In place of the C library's: a detached thread frees its own stack, and its thread-local variables with it. */
void __unmapself(void *base, size_t bytes)
{
    buffer_drop();
    os_thread_finish(clear_word, os_self.aspace, base, bytes);
}

#pragma clang attribute pop

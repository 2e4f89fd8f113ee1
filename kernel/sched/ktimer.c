/* Kernel timers: one pairing heap per CPU.
 *
 * A timer is armed on the CPU that asks and fires there. Any CPU may cancel it, or arm it anew: timer.armed says in one word in whose heap
 * it is, and changes from none to a heap, and back, under that heap's lock alone. So whoever holds the lock of a heap knows whether the
 * timer is there, and of two that arm it one finds it taken, and cancels first. The hardware is programmed for the heap's first deadline and
 * only when that moves earlier; a cancelled first timer costs one early interrupt at most. */
#include "ktimer.h"

#include "arch.h"
#include "arch_cpu.h"

static struct ktimer *heap_meld(struct ktimer *a, struct ktimer *b)
{
    if (a == NULL)
        return b;
    if (b == NULL)
        return a;
    if (b->deadline_ns < a->deadline_ns) {
        struct ktimer *swap = a;
        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->child;
    if (a->child != NULL)
        a->child->prev = b;
    a->child = b;
    return a;
}

/* Meld a list of siblings pairwise, then together: two passes, no recursion. */
static struct ktimer *heap_merge_children(struct ktimer *first)
{
    struct ktimer *pairs = NULL;
    while (first != NULL) {
        struct ktimer *a = first;
        struct ktimer *b = a->next;
        first = b == NULL ? NULL : b->next;
        a->next = a->prev = NULL;
        if (b != NULL)
            b->next = b->prev = NULL;
        struct ktimer *pair = heap_meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    struct ktimer *root = NULL;
    while (pairs != NULL) {
        struct ktimer *rest = pairs->next;
        pairs->next = NULL;
        root = heap_meld(root, pairs);
        pairs = rest;
    }
    return root;
}

static void heap_remove(struct timer_heap *heap, struct ktimer *timer) REQUIRES(timer_lock)
{
    struct ktimer *children = heap_merge_children(timer->child);
    timer->child = NULL;
    if (heap->root == timer) {
        heap->root = children;
    } else {
        if (timer->prev->child == timer)
            timer->prev->child = timer->next;
        else
            timer->prev->next = timer->next;
        if (timer->next != NULL)
            timer->next->prev = timer->prev;
        heap->root = heap_meld(heap->root, children);
    }
    timer->next = timer->prev = NULL;
    __atomic_store_n(&timer->armed, 0, __ATOMIC_RELEASE);
}

static void program_hardware(struct timer_heap *heap) REQUIRES(timer_lock)
{
    uint64_t first_ns = heap->root == NULL ? DEADLINE_NEVER : heap->root->deadline_ns;
    if (first_ns != heap->armed_ns) {
        heap->armed_ns = first_ns;
        arch_timer_arm(first_ns);
    }
}

/* Put @timer into this CPU's heap, unless it is in one. */
static bool heap_insert(struct cpu *cpu, struct ktimer *timer, uint64_t deadline_ns,
                        void (*fire)(struct ktimer *, uint64_t))
{
    struct timer_heap *heap = &cpu->timers;
    uint32_t none = 0;
    timer_lock_acquire(&heap->lock);
    bool ours = __atomic_compare_exchange_n(&timer->armed, &none, cpu->id + 1, false,
                                            __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    if (ours) {
        __atomic_store_n(&timer->deadline_ns, deadline_ns, __ATOMIC_RELAXED);
        timer->fire = fire;
        heap->root = heap_meld(heap->root, timer);
        if (heap->root->deadline_ns < heap->armed_ns)
            program_hardware(heap);
    }
    timer_lock_release(&heap->lock);
    return ours;
}

void ktimer_arm(struct ktimer *timer, uint64_t deadline_ns, void (*fire)(struct ktimer *, uint64_t))
{
    do {
        ktimer_cancel(timer);
    } while (!heap_insert(arch_cpu_local(), timer, deadline_ns, fire));
}

bool ktimer_cancel(struct ktimer *timer)
{
    uint32_t armed = __atomic_load_n(&timer->armed, __ATOMIC_ACQUIRE);
    if (armed == 0)
        return false;
    struct timer_heap *heap = &cpus[armed - 1]->timers;
    timer_lock_acquire(&heap->lock);
    bool ours = __atomic_load_n(&timer->armed, __ATOMIC_RELAXED) == armed;
    if (ours)
        heap_remove(heap, timer);
    timer_lock_release(&heap->lock);
    return ours;
}

void ktimer_interrupt(void)
{
    struct timer_heap *heap = &arch_cpu_local()->timers;
    uint64_t now_ns = arch_time_now_ns();
    timer_lock_acquire(&heap->lock);
    heap->armed_ns = DEADLINE_NEVER;
    while (heap->root != NULL && heap->root->deadline_ns <= now_ns) {
        struct ktimer *timer = heap->root;
        void (*fire)(struct ktimer *, uint64_t) = timer->fire; /* once removed, others may arm it */
        heap_remove(heap, timer);
        timer_lock_release(&heap->lock);
        fire(timer, now_ns);
        timer_lock_acquire(&heap->lock);
    }
    program_hardware(heap);
    timer_lock_release(&heap->lock);
}

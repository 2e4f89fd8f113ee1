/* Kernel timers: one leftist heap per CPU. Below no node the way by right children is longer than that by left ones, so to the right it is
 * never longer than the logarithm of their number: no order in which users arm and cancel makes any step long.
 *
 * A timer is armed on the CPU that asks and fires there. Any CPU may cancel it, or arm it anew: timer.armed says in one word in whose heap
 * it is, and changes from none to a heap, and back, under that heap's lock alone. So whoever holds the lock of a heap knows whether the
 * timer is there, and of two that arm it one finds it taken, and cancels first. The hardware is programmed for the heap's first deadline and
 * only when that moves earlier; a cancelled first timer costs one early interrupt at most. */
#include "ktimer.h"

#include "arch.h"
#include "arch_cpu.h"

/* How many fire in one interrupt. */
#define TIMER_BATCH 16u

static uint32_t rank_of(const struct ktimer *timer)
{
    return timer == NULL ? 0 : timer->rank;
}

/* The children of @timer have changed: true if that changes its rank. */
static bool heap_settle(struct ktimer *timer)
{
    uint32_t before = timer->rank;
    struct ktimer *left = timer->child[0], *right = timer->child[1];
    if (rank_of(left) < rank_of(right)) {
        timer->child[0] = right;
        timer->child[1] = left;
    }
    timer->rank = rank_of(timer->child[1]) + 1;
    return timer->rank != before;
}

/* Put the heaps @a and @b, which may be empty, together at *@link of @parent: the ways down by right children become one, in order. */
static void heap_meld(struct ktimer *a, struct ktimer *b, struct ktimer *parent,
                      struct ktimer **link)
{
    struct ktimer *top = parent;
    while (a != NULL && b != NULL) {
        bool other = b->deadline_ns < a->deadline_ns;
        struct ktimer *first = other ? b : a;
        b = other ? a : b;
        *link = first;
        first->parent = parent;
        parent = first;
        link = &first->child[1];
        a = first->child[1];
    }
    *link = a == NULL ? b : a;
    if (*link != NULL)
        (*link)->parent = parent;
    for (; parent != top; parent = parent->parent)
        (void)heap_settle(parent);
}

static void heap_remove(struct timer_heap *heap, struct ktimer *timer) REQUIRES(timer_lock)
{
    struct ktimer *parent = timer->parent;
    struct ktimer **link = parent == NULL ? &heap->root : &parent->child[parent->child[1] == timer];
    heap_meld(timer->child[0], timer->child[1], parent, link);
    while (parent != NULL && heap_settle(parent))
        parent = parent->parent;
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
        timer->child[0] = timer->child[1] = NULL;
        timer->rank = 1;
        heap_meld(heap->root, timer, NULL, &heap->root);
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

/* Some of those that are due: where users set many to one moment, the hardware interrupts again at once. */
void ktimer_interrupt(void)
{
    struct timer_heap *heap = &arch_cpu_local()->timers;
    uint64_t now_ns = arch_time_now_ns();
    timer_lock_acquire(&heap->lock);
    heap->armed_ns = DEADLINE_NEVER;
    for (uint32_t i = 0; i < TIMER_BATCH && heap->root != NULL && heap->root->deadline_ns <= now_ns;
         i++) {
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

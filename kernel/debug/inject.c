/* Kills at preemption points, in debug builds. Wherever long work looks whether it shall stop, a kill may come. A test arms its own thread, does
 * something long, and ends at the first of its points, then at the second, and so on until it survives; after each the balance of what is charged
 * must be even. What does not kill it makes it give way, so all restarts are run through as well. */
#include <inject.h>
#include <sched.h>

#ifdef CONFIG_DEBUG
/* One thread at a time. The others just compare. */
static const struct thread *armed; /* atomic */
static uint32_t points, kill_point;

bool inject_here(struct thread *current)
{
    if (likely(current == NULL || __atomic_load_n(&armed, __ATOMIC_RELAXED) != current))
        return false;
    if (++points == kill_point) {
        inject_arm(current, 0);
        thread_set_attention(current, ATTENTION_KILL);
    }
    return true;
}

void inject_arm(struct thread *self, uint32_t kill_at)
{
    if (kill_at != 0) {
        points = 0;
        kill_point = kill_at;
    }
    __atomic_store_n(&armed, kill_at != 0 ? self : NULL, __ATOMIC_RELAXED);
}

uint32_t inject_points(void)
{
    return points;
}
#endif

/* gate: clang-kernel; says: requires holding */
#include <spinlock.h>

struct guarded {
    struct spinlock lock;
    int depth GUARDED_BY(queue_lock);
};

int rule(struct guarded *guarded);

int rule(struct guarded *guarded)
{
#ifdef OBEYED
    queue_lock_acquire(&guarded->lock);
    int depth = guarded->depth;
    queue_lock_release(&guarded->lock);
    return depth;
#else
    return guarded->depth;
#endif
}

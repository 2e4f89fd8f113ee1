/* Handles: a capability is given to a process (cap.c, cap_transfer) while that process is torn down, the source is closed, the gift is
 * revoked, and somebody lists the table. One slot, one node made from one source, one object.
 *
 * code: kernel/cap/cap.c derive | tree_attach(self, source->object, source, cap, out->mode == CAP_TRANSFER_DERIVE, holder);
 * code: kernel/cap/cap.c cap_transfer | status = cap_slot_take(to, cap, handle); if (status != STATUS_OK) cap_end(cap, badge);
 * code: kernel/cap/cap.c cap_slot_take | cspace_lock_acquire(&process->cspace); if (process->table_closed) status = STATUS_GONE; else if (cap_is_dead(cap)) status = STATUS_BAD_HANDLE;
 * code: kernel/cap/cap.c cap_table_destroy_step | cspace_lock_acquire(&process->cspace); process->table_closed = true; cspace_lock_release(&process->cspace);
 * code: kernel/cap/cap.c cap_table_destroy_step | cap_close(process, cap);
 * code: kernel/cap/cap.c cap_leave | bool ours = !cap_is_dead(cap) && cap->kind == CAP_SLOT; bool last = ours && tree_remove(object, cap);
 * code: kernel/cap/revoke.c sys_cap_revoke | source->held += 2; object_ref(object);
 * code: kernel/cap/revoke.c revoke_finish | object_unref(object);
 * code: kernel/cap/revoke.c revoke_step | undo(&removed); if (last) object_end(object);
 * code: kernel/cap/revoke.c undo_slot | cap_slot_release(cap->holder, cap);
 *
 * fault SLOT_FIRST: the node is in its slot, dead, before it is in the tree (as it was)
 * fault CLOSE_UNLOCKED: the table is closed without its lock (as it was)
 * fault NO_DEAD_CHECK: a slot takes a node that was revoked meanwhile
 * fault NO_REFERENCE: a revocation holds no reference on the object
 * fault NO_GRACE: a node is freed at once */

/* A section under a lock is one step, but for the one whose steps somebody looks at without the lock. */
bool table_lock;
bool closed, slot;                        /* the slot holds the node */
bool source_dead, attached, dead = true; /* of the node */
byte live = 1;                            /* nodes of the object: the source */
bool revoking;                            /* the revocation holds a reference on the object */
bool ended, object_freed;
byte retired;
bool node_freed;
bool given, walked, revoked;

/* Who is in the kernel, and in which of its stays. The others hold nothing that they look at afterwards. */
#define GIVER 0
#define TEARDOWN 1
#define LISTER 2
bool inside[3];
bool before_object[3], before_node[3]; /* was inside when the grace period began, and has not left since */

#define enter(cpu) inside[cpu] = true
#define leave(cpu) d_step { inside[cpu] = false; before_object[cpu] = false; before_node[cpu] = false }

/* If the last node and the last reference are gone the object ends: its grace period begins. */
inline object_end()
{
    if
#ifdef NO_REFERENCE
    :: live == 0 && !ended ->
#else
    :: live == 0 && !revoking && !ended ->
#endif
        ended = true;
        before_object[0] = inside[0]; before_object[1] = inside[1]; before_object[2] = inside[2]
    :: else
    fi
}

inline retire()
{
    retired++;
    before_node[0] = inside[0]; before_node[1] = inside[1]; before_node[2] = inside[2]
}

inline out_of_tree()
{
    dead = true;
    live--;
    object_end()
}

/* cap_leave, cap_end: the node has lost its slot, or got none. */
inline cap_end()
{
    d_step {
        if
        :: attached && !dead -> out_of_tree(); retire()
        :: else
        fi
    }
}

inline slot_take(taken)
{
    atomic { !table_lock -> table_lock = true };
    if
    :: closed -> taken = false
#ifdef NO_DEAD_CHECK
    :: !closed -> slot = true; taken = true
#else
    :: !closed && attached && dead -> taken = false
    :: !closed && !(attached && dead) -> slot = true; taken = true
#endif
    fi;
    table_lock = false
}

inline slot_release(held)
{
    atomic { !table_lock -> held = slot; slot = false }
}

inline tree_attach(good)
{
    d_step {
        if
        :: source_dead -> good = false
        :: else -> attached = true; dead = false; live++; good = true
        fi
    }
}

proctype giver()
{
    bool good, held;
    enter(GIVER);
    if
    :: source_dead -> goto out /* the lookup finds nothing */
    :: else
    fi;
#ifdef SLOT_FIRST
    slot_take(good);
    if
    :: good ->
        tree_attach(good);
        if
        :: !good -> slot_release(held); d_step { retire() }
        :: else
        fi
    :: else -> d_step { retire() }
    fi;
#else
    tree_attach(good);
    if
    :: !good -> d_step { retire() }
    :: else ->
        slot_take(good);
        if
        :: !good -> cap_end()
        :: else
        fi
    fi;
#endif
out:
    given = true;
    leave(GIVER)
}

proctype closer()
{
    d_step {
        source_dead = true;
        live--;
        object_end()
    }
}

proctype teardown()
{
    bool held;
    enter(TEARDOWN);
#ifdef CLOSE_UNLOCKED
    closed = true;
#else
    atomic { !table_lock -> closed = true };
#endif
    if
    :: slot ->
        slot_release(held);
        if
        :: held -> assert(!node_freed && !object_freed); cap_end()
        :: else
        fi
    :: else
    fi;
    walked = true;
    leave(TEARDOWN)
}

proctype revoker()
{
    bool held, found;
    d_step {
        found = attached && !dead && !ended;
        if
        :: found -> revoking = true; out_of_tree()
        :: else
        fi
    };
    if
    :: found -> slot_release(held); d_step { retire() }; d_step { revoking = false; object_end() }
    :: else
    fi;
    revoked = true
}

/* sys_cap_list: what it finds it may look at, and at its object, until it leaves the kernel. */
proctype lister()
{
    enter(LISTER);
    if
    :: slot -> assert(!node_freed && !object_freed); assert(!node_freed && !object_freed)
    :: else
    fi;
    leave(LISTER)
}

/* The ends of the grace periods: everybody who was inside when they began has left. */
#ifdef NO_GRACE
#define passed(before) true
#else
#define passed(before) (!before[0] && !before[1] && !before[2])
#endif

proctype grace_of_object()
{
end:
    atomic { ended && passed(before_object) -> object_freed = true }
}

proctype grace_of_node()
{
end:
    atomic { retired > 0 && passed(before_node) -> node_freed = true }
}

proctype judge()
{
    atomic {
        given && walked && revoked;
        assert(!slot);                /* nothing came into the table behind the walk */
        assert(!(attached && !dead)); /* no node lives without a slot */
        assert(retired <= 1 && (!attached || retired == 1))
    }
}

init {
    atomic {
        run giver(); run closer(); run teardown(); run revoker(); run lister(); run grace_of_object(); run grace_of_node(); run judge()
    }
}

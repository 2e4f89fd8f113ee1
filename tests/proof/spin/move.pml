/* Handles: two threads of one process move the same capability (cap.c, move_out) to different processes.
 *
 * code: kernel/cap/cap.c cap_transfer | status_t status = move_out(self->process, source); return status == STATUS_OK ? cap_from_message(source, to, handle) : status;
 * code: kernel/cap/cap.c move_out | if (!cap_slot_release(from, source)) return STATUS_BAD_HANDLE;
 * code: kernel/cap/cap.c move_out | source->kind = CAP_MESSAGE; source->holder = NULL;
 * code: kernel/cap/cap.c cap_from_message | message->kind = CAP_SLOT; message->holder = to; &&& kernel/cap/cap.c cap_from_message | status = cap_slot_take(to, message, handle);
 *
 * fault FROM_HOLDER: the table it is taken from is the one that the node names (as it was) */

#define NOBODY 0
#define SENDER 1 /* the process of both threads */

byte table = SENDER; /* whose slot holds the node; NOBODY: none */
byte holder = SENDER;
byte moved;
byte done;

proctype mover(byte to)
{
    byte from = SENDER;
    bool held;
    /* Both have looked it up before either began. */
#ifdef FROM_HOLDER
    from = holder;
#endif
    assert(from == SENDER); /* not somebody else's table, and not none */
    atomic { held = (table == from); if :: held -> table = NOBODY :: else fi }; /* cap_slot_release, under the table's lock */
    if
    :: held ->
        holder = NOBODY;
        holder = to;
        table = to;
        moved++
    :: else
    fi;
    done++
}

init {
    atomic { run mover(2); run mover(3) };
    done == 2;
    assert(moved == 1);
    assert(table == holder && table != SENDER)
}

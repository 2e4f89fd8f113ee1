/* The capabilities of a message, whatever carries it: made together or not at all, installed where the receiver has announced room. */
#include "cap.h"
#include "thread.h"

void cap_messages_drop(struct cap *const *messages, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (messages[i] != NULL)
            cap_message_drop(messages[i]);
}

void cap_messages_drop_all(struct thread *from)
{
    uint32_t count = from->message_cap_count;
    from->message_cap_count = 0;
    cap_messages_drop(from->message_caps, count);
}

/* Those that are moved come last: copies and derivations may have to wait for a revocation, and then the call starts again. */
status_t cap_messages_make(struct thread *self, const struct cap_out *out, uint32_t count,
                           uint64_t deadline_ns, struct cap **messages)
{
    status_t status = STATUS_OK;
    self->derive_deadline_ns = deadline_ns;
    for (uint32_t i = 0; i < count; i++)
        messages[i] = NULL;
    for (unsigned moves = 0; moves < 2; moves++)
        for (uint32_t i = 0; i < count && status_is_ok(status); i++)
            if ((out[i].mode == CAP_TRANSFER_MOVE) == moves)
                status = cap_to_message(self, &out[i], &messages[i]);
    if (status != KERNEL_BLOCKED) /* else it may be gone */
        self->derive_deadline_ns = DEADLINE_NEVER;
    if (!status_is_ok(status))
        cap_messages_drop(messages, count);
    return status;
}

uint32_t cap_messages_install(struct thread *to, struct cap *const *messages, uint32_t count)
{
    struct ipc_buffer *buffer = to->buffer;
    uint32_t accept =
        buffer == NULL ? 0 : MIN(__atomic_load_n(&buffer->accept, __ATOMIC_RELAXED), count);
    for (uint32_t i = 0; i < accept; i++) {
        handle_t handle;
        bool arrived = status_is_ok(cap_from_message(messages[i], to->process, &handle));
        buffer->received[i] = arrived ? handle : HANDLE_NONE;
    }
    cap_messages_drop(messages + accept, count - accept);
    return accept;
}

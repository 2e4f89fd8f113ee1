/* One mutex, one condition, at most one call on its way; a saved reply moves aside under a token. */
#include "transport.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { HANDLES_MAX = 4096, FIRST_HANDLE = 1000 };

enum state { IDLE, POSTED, ACCEPTED, SAVED, REPLIED };

struct evil_reply evil;
bool transport_drops_caps;
uint64_t transport_deadline;
int transport_signals;
uint64_t transport_cookie;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool live[HANDLES_MAX];
static int handles_made;

static struct {
    enum state state;
    uint64_t token;
    struct ipc_regs regs;
    struct ipc_buffer *client;
    struct ipc_buffer message; /* received, grant_lengths and data as the receiver shall see them */
    uint32_t accept;
} current;

static struct {
    bool posted;
    struct ipc_regs regs;
} event;

/** Threads get a message buffer, as on the real system. */
struct start {
    void *(*run)(void *);
    void *argument;
};

static void *run_with_buffer(void *argument)
{
    struct start start = *(struct start *)argument;
    free(argument);
    os_ipc_buffer = calloc(1, sizeof(*os_ipc_buffer));
    void *result = start.run(start.argument);
    free(os_ipc_buffer);
    return result;
}

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument)
{
    struct start *start = malloc(sizeof(*start));
    *start = (struct start){run, argument};
    return __real_pthread_create(thread, attributes, run_with_buffer, start);
}

handle_t transport_handle(void)
{
    live[handles_made] = true;
    return (handle_t)(FIRST_HANDLE + handles_made++);
}

int transport_live_handles(void)
{
    int count = 0;
    for (int i = 0; i < handles_made; i++) {
        count += live[i];
    }
    return count;
}

static bool is_live(handle_t handle)
{
    return handle >= FIRST_HANDLE && handle < (handle_t)(FIRST_HANDLE + handles_made) &&
           live[handle - FIRST_HANDLE];
}

/** Move @count capabilities from the sender's buffer @from into @to, of which @accept were announced. */
static status_t carry_caps(struct ipc_buffer *to, const struct ipc_buffer *from, uint32_t count,
                           uint32_t accept)
{
    for (uint32_t i = 0; i < count && i < IPC_CAPS_MAX; i++) {
        if (!is_live(from->caps[i].handle)) {
            return STATUS_BAD_HANDLE;
        }
    }
    for (uint32_t i = 0; i < count && i < IPC_CAPS_MAX; i++) {
        if (from->caps[i].mode == CAP_TRANSFER_MOVE) {
            live[from->caps[i].handle - FIRST_HANDLE] = false;
        }
        to->received[i] = i < accept ? transport_handle() : HANDLE_NONE;
    }
    return STATUS_OK;
}

static void carry_data(struct ipc_buffer *to, const struct ipc_buffer *from, uint64_t info)
{
    size_t bytes = ipc_info_data(info);
    memcpy(to->data, from->data, bytes > IPC_DATA_MAX ? IPC_DATA_MAX : bytes);
}

static status_t evil_call(struct ipc_regs *regs)
{
    struct ipc_buffer *buffer = ipc_buffer();
    regs->info = evil.info;
    memcpy(regs->words, evil.words, sizeof(regs->words));
    memcpy(buffer->data, evil.data, sizeof(evil.data));
    for (uint32_t i = 0; i < evil.caps && i < buffer->accept; i++) {
        buffer->received[i] = transport_handle();
    }
    return evil.transport;
}

status_t ipc_raw_call(struct ipc_regs *regs)
{
    transport_deadline = regs->deadline;
    if (regs->target == EVIL_HANDLE) {
        return evil_call(regs);
    }
    if (regs->target != SERVER_HANDLE) {
        return STATUS_BAD_HANDLE;
    }
    pthread_mutex_lock(&mutex);
    while (current.state != IDLE) {
        pthread_cond_wait(&changed, &mutex);
    }
    struct ipc_buffer *buffer = ipc_buffer();
    memset(&current.message, 0, sizeof(current.message));
    uint32_t accept = transport_drops_caps ? 0 : IPC_CAPS_MAX;
    status_t status = carry_caps(&current.message, buffer, ipc_info_caps(regs->info), accept);
    if (status_is_ok(status)) {
        carry_data(&current.message, buffer, regs->info);
        for (size_t i = 0; i < IPC_GRANTS_MAX; i++) {
            current.message.grant_lengths[i] = buffer->grants[i].length;
        }
        current.regs = *regs;
        current.client = buffer;
        current.state = POSTED;
        pthread_cond_broadcast(&changed);
        while (current.state != REPLIED) {
            pthread_cond_wait(&changed, &mutex);
        }
        regs->info = current.regs.info;
        memcpy(regs->words, current.regs.words, sizeof(regs->words));
        memcpy(buffer->received, current.message.received, sizeof(buffer->received));
        memcpy(buffer->data, current.message.data, sizeof(buffer->data));
        current.state = IDLE;
        pthread_cond_broadcast(&changed);
    }
    pthread_mutex_unlock(&mutex);
    return status;
}

void transport_post(uint64_t badge, uint32_t kind, uint64_t word0, uint64_t word1)
{
    pthread_mutex_lock(&mutex);
    while (event.posted) {
        pthread_cond_wait(&changed, &mutex);
    }
    event.posted = true;
    event.regs = (struct ipc_regs){.target = badge, .info = (uint64_t)kind << IPC_INFO_KIND_SHIFT};
    event.regs.words[0] = word0;
    event.regs.words[1] = word1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

static status_t receive_locked(struct ipc_regs *regs)
{
    struct ipc_buffer *buffer = ipc_buffer();
    while (current.state != POSTED && !event.posted) {
        pthread_cond_wait(&changed, &mutex);
    }
    if (event.posted) {
        *regs = event.regs;
        event.posted = false;
        pthread_cond_broadcast(&changed);
        return STATUS_OK;
    }
    *regs = current.regs;
    regs->target = 0xbad6e;
    memcpy(buffer->received, current.message.received, sizeof(buffer->received));
    memcpy(buffer->grant_lengths, current.message.grant_lengths, sizeof(buffer->grant_lengths));
    memcpy(buffer->data, current.message.data, sizeof(buffer->data));
    current.state = ACCEPTED;
    current.token = IPC_CURRENT;
    return STATUS_OK;
}

static status_t reply_locked(uint64_t token, const struct ipc_regs *regs)
{
    enum state needed = token == IPC_CURRENT ? ACCEPTED : SAVED;
    if (current.state != needed || current.token != token) {
        return STATUS_NOT_FOUND;
    }
    struct ipc_buffer *buffer = ipc_buffer();
    memset(&current.message, 0, sizeof(current.message));
    status_t status =
        carry_caps(&current.message, buffer, ipc_info_caps(regs->info), current.client->accept);
    if (status_is_ok(status)) {
        carry_data(&current.message, buffer, regs->info);
        current.regs = *regs;
        current.state = REPLIED;
        pthread_cond_broadcast(&changed);
    }
    return status;
}

status_t ipc_raw_receive(struct ipc_regs *regs)
{
    pthread_mutex_lock(&mutex);
    status_t status = receive_locked(regs);
    pthread_mutex_unlock(&mutex);
    return status;
}

status_t ipc_raw_reply_receive(struct ipc_regs *regs)
{
    pthread_mutex_lock(&mutex);
    status_t status = reply_locked(IPC_CURRENT, regs);
    if (status_is_ok(status)) {
        status = receive_locked(regs);
    }
    pthread_mutex_unlock(&mutex);
    return status;
}

status_t ipc_raw_reply(struct ipc_regs *regs)
{
    pthread_mutex_lock(&mutex);
    status_t status = reply_locked(regs->target, regs);
    pthread_mutex_unlock(&mutex);
    return status;
}

/** Copy at most 3 bytes: the caller has to go on. */
static status_t copy_grant(const uint64_t arguments[8], bool to_grant, uint64_t *done)
{
    const struct grant *grant = &current.client->grants[arguments[1]];
    uint64_t offset = arguments[2];
    size_t bytes = arguments[4] < 3 ? (size_t)arguments[4] : 3;
    if (grant->access != (to_grant ? RIGHT_WRITE : RIGHT_READ)) {
        return STATUS_DENIED;
    }
    if (offset > grant->length || bytes > grant->length - offset) {
        return STATUS_RANGE;
    }
    void *theirs = (uint8_t *)(uintptr_t)grant->address + offset;
    void *ours = (void *)(uintptr_t)arguments[3];
    memcpy(to_grant ? theirs : ours, to_grant ? ours : theirs, bytes);
    *done = bytes;
    return STATUS_OK;
}

static status_t close_handle(handle_t handle)
{
    if (!is_live(handle)) {
        return STATUS_BAD_HANDLE;
    }
    live[handle - FIRST_HANDLE] = false;
    return STATUS_OK;
}

status_t syscall_raw(uint64_t number, const uint64_t *given, unsigned count, uint64_t results[4])
{
    uint64_t arguments[8] = {0};
    for (unsigned i = 0; i < count; i++) {
        arguments[i] = given[i];
    }
    status_t status = STATUS_UNSUPPORTED;
    pthread_mutex_lock(&mutex);
    switch (number) {
    case SYS_CAP_CLOSE:
        status = close_handle(arguments[0]);
        break;
    case SYS_ENDPOINT_REPLY_SAVE:
        current.state = SAVED;
        current.token = results[0] = 4711;
        transport_cookie = arguments[0] == SERVER_HANDLE ? arguments[1] : 0;
        status = STATUS_OK;
        break;
    case SYS_ENDPOINT_REPLY_READ:
        status = copy_grant(arguments, false, &results[0]);
        break;
    case SYS_ENDPOINT_REPLY_WRITE:
        status = copy_grant(arguments, true, &results[0]);
        break;
    case SYS_NOTIFICATION_SIGNAL:
        transport_signals += arguments[0] == NOTIFICATION_HANDLE && arguments[1] == 4;
        status = STATUS_OK;
        break;
    default:
        break;
    }
    pthread_mutex_unlock(&mutex);
    return status;
}

/* One message after the other: a right one from the description, which in some cases is broken then; where it goes; what the answer teaches. */
#include "fuzzer.h"

#include <idl/svc.h>
#include <os/clock.h>
#include <os/start.h>
#include <os/syscall.h>
#include <string.h>
#include <veridian/syscalls.h>

/* Who waits for a key waits for ever. */
#define PATIENCE_CONSOLE_NS (NS_PER_MS / 2)
#define PATIENCE_NS (200 * NS_PER_MS)
#define BROKEN_PERCENT 25
/* For the console, whose line is slow. */
#define CONSOLE_BYTES 64u
#define LABEL_BITS 8u

struct request_counts counts[REQUEST_COUNT];

handle_t protocol_connect(uint32_t protocol)
{
    switch (protocol) {
    case PROTOCOL_BLOCK:
        return os_cap("block");
    case PROTOCOL_BYTESTREAM:
        return os_cap("console");
    case PROTOCOL_FILES:
        return os_cap("vfs");
    case PROTOCOL_FS:
        return os_cap("ext4");
    case PROTOCOL_LOG:
        return os_cap("log");
    case PROTOCOL_POWER:
        return os_cap("power");
    case PROTOCOL_SVC:
        return os_cap("svc");
    case PROTOCOL_KEEPER:
        return os_cap("keeper");
    default:
        return HANDLE_NONE;
    }
}

/* --- a right message ---------------------------------------------------------------------------------------- */

/* A capability like @gift with all its rights, to be given away for good. */
static handle_t copy_of(handle_t gift)
{
    uint32_t type, rights;
    uint64_t badge, id;
    handle_t copy = HANDLE_NONE;
    if (status_is_ok(sys_cap_info(gift, &type, &rights, &badge, &id))) {
        status_ignore(sys_cap_copy(gift, rights, &copy));
    }
    return copy;
}

static void add_cap(struct fuzzer *f, struct message *m, const struct request_part *part)
{
    if (part->move && m->moved == HANDLE_NONE) {
        m->moved = copy_of(gift_for(f, part));
        m->cap[m->caps++] = ipc_cap(m->moved, 0, true);
        return;
    }
    m->cap[m->caps++] = ipc_cap(gift_for(f, part), part->rights, false);
}

static void add_grant(struct fuzzer *f, struct message *m, enum request_kind kind)
{
    uint32_t protocol = ipc_label_protocol(m->label);
    size_t most = protocol == PROTOCOL_BYTESTREAM ? CONSOLE_BYTES
                  : chance(f, 80)                 ? PAGE_SIZE
                                                  : SCRATCH_BYTES;
    size_t bytes = (size_t)below(f, most + 1);
    uint8_t *at = f->scratch + below(f, SCRATCH_BYTES - bytes + 1);
    m->grant[m->grants++] =
        kind == REQUEST_READABLE ? ipc_grant_in(at, bytes) : ipc_grant_out(at, bytes);
}

static void add_struct(struct fuzzer *f, struct message *m, const struct request_part *part)
{
    uint8_t bytes[IPC_DATA_MAX / 2] = {0};
    for (uint32_t i = 0; i < part->field_count; i++) {
        const struct request_field *field = &part->fields[i];
        const struct request_part as_part = {.name = field->name, .bytes = field->bytes};
        uint64_t value = integer_for(f, &as_part);
        memcpy(bytes + field->offset, &value, field->bytes);
    }
    ipc_write_struct(&m->data, bytes, part->bytes);
}

static void add(struct fuzzer *f, struct message *m, const struct request_part *part,
                uint32_t *word)
{
    char text[IPC_DATA_MAX];
    switch (part->kind) {
    case REQUEST_WORD:
        m->words[(*word)++] = integer_for(f, part);
        break;
    case REQUEST_CAP:
        add_cap(f, m, part);
        break;
    case REQUEST_STRING:
        text_for(f, m->request, part, text);
        ipc_write_string(&m->data, text, part->bytes);
        if (m->path[0] == '\0' && strlen(text) < PATH_BYTES) {
            strcpy(m->path, text);
        }
        break;
    case REQUEST_BYTES:
        ipc_write_bytes(&m->data, f->scratch, (size_t)below(f, part->bytes + 1), part->bytes);
        break;
    case REQUEST_STRUCT:
        add_struct(f, m, part);
        break;
    default:
        add_grant(f, m, part->kind);
    }
}

static void make(struct fuzzer *f, struct message *m, const struct request *request, uint8_t *data)
{
    uint32_t word = 0;
    *m = (struct message){.request = request, .label = request->label, .data = {.data = data}};
    f->slot = (uint32_t)below(f, SLOTS);
    for (uint32_t i = 0; i < request->argument_count; i++) {
        add(f, m, &request->arguments[i], &word);
    }
}

/* --- a broken one ------------------------------------------------------------------------------------------- */

static void break_data(struct fuzzer *f, struct message *m)
{
    struct ipc_writer *data = &m->data;
    switch (below(f, 4)) {
    case 0:
        data->used = (size_t)below(f, data->used + 1);
        break;
    case 1:
        data->used = (size_t)below(f, IPC_DATA_MAX + 1);
        break;
    case 2: {
        uint64_t length = number(f);
        memcpy(data->data + 8 * below(f, data->used / 8 + 1), &length, sizeof(length));
        break;
    }
    default:
        data->data[below(f, data->used + 1)] ^= (uint8_t)(1 + below(f, 255));
    }
}

/* A message that asks for nothing that the power service would do. */
static void break_for_power(struct fuzzer *f, struct message *m)
{
    switch (below(f, 3)) {
    case 0:
        m->label = PROTOCOL_POWER << LABEL_BITS | (2 + (uint32_t)below(f, 200));
        break;
    case 1:
        m->data.used = 1 + (size_t)below(f, IPC_DATA_MAX);
        break;
    default:
        add_grant(f, m, REQUEST_READABLE);
    }
}

static void break_counts(struct fuzzer *f, struct message *m)
{
    static const struct request_part any = {.object_type = OBJECT_NONE};
    switch (below(f, 4)) {
    case 0:
        m->caps = m->caps ? m->caps - 1 : 0;
        break;
    case 1:
        m->grants = m->grants ? m->grants - 1 : 0;
        break;
    case 2:
        while (m->caps < IPC_CAPS_MAX) {
            add_cap(f, m, &any);
        }
        break;
    default:
        while (m->grants < IPC_GRANTS_MAX) {
            add_grant(f, m, chance(f, 50) ? REQUEST_READABLE : REQUEST_WRITABLE);
        }
    }
}

static void break_message(struct fuzzer *f, struct message *m)
{
    m->broken = true;
    if (ipc_label_protocol(m->label) == PROTOCOL_POWER) {
        break_for_power(f, m);
        return;
    }
    switch (below(f, 5)) {
    case 0:
        m->words[below(f, IPC_WORDS)] = number(f);
        break;
    case 1:
        m->label = (m->label & ~UINT32_C(0xff)) | (uint32_t)below(f, 256);
        break;
    case 2:
        m->label = (uint32_t)number(f);
        break;
    case 3:
        break_counts(f, m);
        break;
    default:
        break_data(f, m);
    }
}

/* --- sending it --------------------------------------------------------------------------------------------- */

/* A session of @target; mostly one made as that through which the request succeeded before. */
static const struct session *session_of(struct fuzzer *f, const struct target *target,
                                        uint32_t like)
{
    uint32_t start = (uint32_t)(below(f, MAKERS) * SESSIONS_EACH + below(f, SESSIONS_EACH) + 1);
    bool choosy = chance(f, 80);
    const struct session *any = &target->sessions[0];
    for (uint32_t i = SESSIONS; i-- > 0;) {
        const struct session *session = &target->sessions[(start + i) % SESSIONS];
        bool is_there = session->handle != HANDLE_NONE;
        if (is_there && choosy && session->maker == like) {
            return session;
        }
        any = is_there ? session : any;
    }
    return any;
}

/* Whom the message goes to: rarely somebody who speaks another protocol, but not who ends the machine. */
static void address(struct fuzzer *f, struct message *m)
{
    uint32_t protocol = ipc_label_protocol(m->request->label),
             other = (uint32_t)below(f, PROTOCOLS_MAX);
    if (protocol != PROTOCOL_POWER && other != PROTOCOL_POWER && chance(f, 2)) {
        protocol = other;
        m->broken = true;
    }
    m->session = session_of(f, &f->targets[protocol], f->likes[m->request - requests]);
}

static uint32_t maker_of(const struct message *m)
{
    uint32_t word = 0;
    for (uint32_t i = 0; i < m->request->argument_count; i++) {
        const struct request_part *part = &m->request->arguments[i];
        if (part->is_flags) {
            return m->label << LABEL_BITS | (uint8_t)m->words[word];
        }
        word += part->kind == REQUEST_WORD;
    }
    return m->label << LABEL_BITS;
}

/* In place of one that was made in the same way, else of one by the same call: what is rare must not go for what is not. */
static struct session *place_for(struct fuzzer *f, struct target *target, uint32_t maker)
{
    uint32_t method = maker >> LABEL_BITS & 0xff;
    for (uint32_t i = 1; i < SESSIONS; i++) {
        if (target->sessions[i].maker == maker) {
            return &target->sessions[i];
        }
    }
    return &target->sessions[1 + method % MAKERS * SESSIONS_EACH + below(f, SESSIONS_EACH)];
}

static void keep(struct fuzzer *f, const struct message *m, const struct request_part *part,
                 handle_t handle)
{
    struct target *target = &f->targets[ipc_label_protocol(m->label)];
    /* What init keeps, or the service manager connects to, speaks another protocol. */
    bool speaks = strcmp(part->name, "session") == 0 || strcmp(part->name, "file") == 0;
    if (part->object_type != OBJECT_ENDPOINT || !speaks) {
        status_ignore(sys_cap_close(handle));
        return;
    }
    struct session *place = place_for(f, target, maker_of(m));
    if (place->handle != HANDLE_NONE) {
        status_ignore(sys_cap_close(place->handle));
    }
    *place = (struct session){.handle = handle, .maker = maker_of(m)};
}

static void learn_struct(struct fuzzer *f, const struct request_part *part, const uint8_t *bytes)
{
    for (uint32_t i = 0; bytes && i < part->field_count; i++) {
        const struct request_field *field = &part->fields[i];
        uint64_t value = 0;
        memcpy(&value, bytes + field->offset, field->bytes);
        learn(f, field->name, value);
    }
}

/* The answer to a right message: false, it is malformed. */
static bool take_results(struct fuzzer *f, const struct message *m, const struct ipc_regs *regs)
{
    struct ipc_buffer *buffer = ipc_buffer();
    struct ipc_reader reader = {buffer->data, ipc_info_data(regs->info), false};
    uint32_t word = 0, cap = 0;
    size_t bytes;
    f->slot = (uint32_t)below(f, SLOTS);
    f->likes[m->request - requests] = m->session->maker;
    /* What can be written is no directory. */
    bool is_file = m->label == LABEL_FILES_LINK ||
                   (m->label == LABEL_FILES_OPEN && (m->words[0] & FILE_OPEN_WRITE) != 0);
    if (is_file && strncmp(m->path, "/tmp/", 5) == 0) {
        memcpy(f->paths[f->slot], m->path, PATH_BYTES);
    }
    for (uint32_t i = 0; i < m->request->result_count; i++) {
        const struct request_part *part = &m->request->results[i];
        if (part->kind == REQUEST_WORD) {
            learn(f, part->name, regs->words[word++]);
        } else if (part->kind == REQUEST_STRUCT) {
            learn_struct(f, part, ipc_read_struct(&reader, part->bytes));
        } else if (part->kind == REQUEST_STRING) {
            (void)ipc_read_string(&reader, part->bytes);
        } else if (part->kind == REQUEST_BYTES) {
            (void)ipc_read_bytes(&reader, part->bytes, &bytes);
        } else {
            keep(f, m, part, buffer->received[cap]);
            buffer->received[cap++] = HANDLE_NONE;
        }
    }
    return ipc_read_end(&reader) && ipc_info_caps(regs->info) == cap;
}

static void close_received(void)
{
    for (uint32_t i = 0; i < IPC_CAPS_MAX; i++) {
        if (ipc_buffer()->received[i] != HANDLE_NONE) {
            status_ignore(sys_cap_close(ipc_buffer()->received[i]));
        }
    }
}

static void note(const struct message *m, status_t status)
{
    struct request_counts *c = &counts[m->request - requests];
    if (m->broken) {
        __atomic_fetch_add(&c->broken, 1, __ATOMIC_RELAXED);
        return;
    }
    __atomic_fetch_add(&c->right, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&c->successes, status_is_ok(status), __ATOMIC_RELAXED);
    __atomic_fetch_or(&c->statuses, UINT32_C(1) << -status_code(status), __ATOMIC_RELAXED);
}

static void send(struct fuzzer *f, const struct message *m)
{
    struct ipc_buffer *buffer = ipc_buffer();
    uint32_t protocol = ipc_label_protocol(m->request->label);
    struct ipc_regs regs = {
        .target = m->session->handle,
        .info = ipc_info(m->label, m->data.used, m->caps, m->grants),
        .deadline =
            clock_deadline(protocol == PROTOCOL_BYTESTREAM ? PATIENCE_CONSOLE_NS : PATIENCE_NS),
    };
    memcpy(regs.words, m->words, sizeof(regs.words));
    memcpy(buffer->data, m->data.data, m->data.used);
    memcpy(buffer->caps, m->cap, sizeof(m->cap));
    memcpy(buffer->grants, m->grant, sizeof(m->grant));
    buffer->accept = IPC_CAPS_MAX;
    memset(buffer->received, 0, sizeof(buffer->received));
    status_t status = ipc_raw_call(&regs);
    buffer->accept = 0;
    if (status_is_ok(status)) {
        status = status_from_code(ipc_info_label(regs.info));
        if (status_is_ok(status) && !m->broken && !take_results(f, m, &regs)) {
            status = STATUS_CORRUPT;
        }
        close_received();
    }
    if (m->moved != HANDLE_NONE) {
        /* It is still ours if the message did not get there. */
        status_ignore(sys_cap_close(m->moved));
    }
    note(m, status);
}

/* How often of a hundred times @request is made when its turn comes: those that take long, destroy, or are denied while something else holds, less often. */
static uint32_t weight(const struct request *request)
{
    uint32_t protocol = ipc_label_protocol(request->label);
    bool removes = request->label == LABEL_FILES_UNLINK || request->label == LABEL_FILES_RMDIR;
    bool denied = request->label >= LABEL_FS_CREATE && request->label <= LABEL_FS_SETATTR;
    return protocol == PROTOCOL_BYTESTREAM || protocol == PROTOCOL_SVC || denied ? 20
           : removes                                                             ? 40
                                                                                 : 100;
}

/* A request of any protocol that is reached. */
static const struct request *choose(struct fuzzer *f)
{
    for (;;) {
        const struct request *request = &requests[below(f, REQUEST_COUNT)];
        uint32_t protocol = ipc_label_protocol(request->label);
        if (f->targets[protocol].sessions[0].handle != HANDLE_NONE && chance(f, weight(request))) {
            return request;
        }
    }
}

static void close_sessions(struct fuzzer *f)
{
    for (uint32_t i = 0; i < PROTOCOLS_MAX; i++) {
        for (uint32_t k = 1; k < SESSIONS; k++) {
            if (f->targets[i].sessions[k].handle != HANDLE_NONE) {
                status_ignore(sys_cap_close(f->targets[i].sessions[k].handle));
            }
        }
    }
}

void *fuzz(void *fuzzer)
{
    struct fuzzer *f = fuzzer;
    uint8_t data[IPC_DATA_MAX + 8];
    for (uint32_t i = 0; i < PROTOCOLS_MAX; i++) {
        f->targets[i] = (struct target){.sessions[0].handle = protocol_connect(i)};
    }
    for (uint64_t i = 0; i < f->requests; i++) {
        struct message message;
        memset(data, 0, sizeof(data));
        make(f, &message, choose(f), data);
        if (ipc_label_protocol(message.label) == PROTOCOL_POWER || chance(f, BROKEN_PERCENT)) {
            break_message(f, &message);
        }
        address(f, &message);
        send(f, &message);
    }
    close_sessions(f);
    return NULL;
}

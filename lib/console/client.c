/* Clients: reads that wait for keys, writes that wait for room.
 *
 * Clients have no session, so nothing is lost for them when this process dies: their calls answer PEER_DIED and are made again. The latest
 * reader gets what is typed: a program that a shell has started asked after the shell did. But first the one whose badge is least: the shell
 * itself comes before what it has connected. What runs in the background reads nothing, and sets no mode (DENIED). Writers are served in the
 * order in which they came, a piece each. A client whose buffer is not in memory just now (FAULT) is tried again for a while; writers behind it
 * go on. Who gives up or dies is forgotten. The tables are bounded: if one is full the client (by its badge) that has most places in it
 * loses one to who has less, and is told NO_MEMORY; who has most is told so himself. */
#include "internal.h"

#include <os/catalogue.h>
#include <string.h>
#include <veridian/syscalls.h>

#define READ_BYTES 2048u
#define PIECE_BYTES 1024u
/** The most that a display gets at once. */
#define FOLLOW_BYTES 16384u
/** Bytes that one write may move before others have their turn. */
#define TURN_BYTES 16384u
#define TRIES_MAX 1000u

struct waiting {
    uint64_t number;
    uint64_t token;
    uint64_t badge;
    struct ipc_grant buffer;
    uint32_t tries;    /* not 0: its buffer was not there */
    uint64_t position; /* a follower's */
};

struct waiting_list {
    struct waiting entries[WAITING_MAX];
    size_t count;
};

static struct tty client_tty;
static struct waiting_list readers, writers;
static struct waiting_list watchers; /* for Ctrl-C */
static struct waiting_list flushers;
static struct waiting_list followers; /* displays */
static bool interrupted; /* Ctrl-C came when nobody read or watched: who reads next is told */
static bool unwatched;   /* it came when nobody watched: who watches next is told */

void client_start(void)
{
    tty_init(&client_tty, output_echo, NULL);
}

/* --- lists ------------------------------------------------------------------------------------------------ */

static void list_remove(struct waiting_list *list, size_t index)
{
    list->count--;
    memmove(&list->entries[index], &list->entries[index + 1],
            (list->count - index) * sizeof(list->entries[0]));
}

static size_t places_of(const struct waiting_list *list, uint64_t badge)
{
    size_t places = 0;
    for (size_t i = 0; i < list->count; i++)
        places += list->entries[i].badge == badge;
    return places;
}

/* Who must give up its place for one more of @badge, in a full table: an index; the count if nobody has more than @badge would have. */
static size_t choose_loser(const struct waiting_list *list, uint64_t badge)
{
    size_t most = 0, latest = 0;
    for (size_t i = 0; i < list->count; i++) {
        size_t places = places_of(list, list->entries[i].badge);
        latest = places >= most ? i : latest;
        most = places >= most ? places : most;
    }
    return most > places_of(list, badge) + 1 ? latest : list->count;
}

/* Put the current call aside. */
static status_t list_add(struct waiting_list *list, struct ipc_call *call, struct ipc_grant buffer,
                         bool faulted)
{
    static uint64_t number;
    uint64_t token;
    bool full = list->count == WAITING_MAX;
    size_t loser = full ? choose_loser(list, call->badge) : 0;
    if (loser == WAITING_MAX)
        return STATUS_NO_MEMORY;
    status_t status = ipc_reply_save(call, ++number, &token);
    if (!status_is_ok(status))
        return status;
    if (full) {
        status_ignore(ipc_reply_send(list->entries[loser].token, STATUS_NO_MEMORY, NULL));
        list_remove(list, loser);
    }
    list->entries[list->count++] = (struct waiting){
        .number = number, .token = token, .badge = call->badge, .buffer = buffer, .tries = faulted};
    return STATUS_PENDING;
}

void client_gone(void *instance, uint64_t number)
{
    (void)instance;
    struct waiting_list *const lists[] = {&readers, &writers, &watchers, &flushers, &followers};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        for (size_t at = lists[i]->count; at-- > 0;)
            if (lists[i]->entries[at].number == number)
                list_remove(lists[i], at);
}

static bool is_absent(status_t status)
{
    return status == STATUS_FAULT || status == STATUS_BUSY;
}

/* True: @status is final. A buffer that is not there is waited for, but not for ever. */
static bool is_answer(struct waiting *waiting, status_t status)
{
    return status != STATUS_PENDING && !(is_absent(status) && ++waiting->tries <= TRIES_MAX);
}

static bool has_faulted(const struct waiting_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->entries[i].tries != 0)
            return true;
    return false;
}

bool client_must_retry(void)
{
    return has_faulted(&readers) || has_faulted(&writers) || flushers.count > 0;
}

/* --- reading ---------------------------------------------------------------------------------------------- */

/* Give what there is to the call of @token. PENDING: nothing is there. */
static status_t read_some(uint64_t token, struct ipc_grant buffer, uint64_t *done)
{
    static uint8_t data[READ_BYTES];
    size_t bytes, moved = 0;
    if (!tty_peek(&client_tty, data,
                  buffer.length < READ_BYTES ? (size_t)buffer.length : READ_BYTES, &bytes))
        return STATUS_PENDING;
    status_t status =
        bytes == 0 ? STATUS_OK : ipc_grant_write(token, buffer, 0, data, bytes, &moved);
    if (!status_is_ok(status) && moved == 0)
        return status;
    tty_consume(&client_tty, moved);
    *done = moved;
    return STATUS_OK;
}

/* The reader that came last takes its place: before those whose badge is greater or the same. */
static void order_readers(void)
{
    size_t at = readers.count - 1;
    struct waiting latest = readers.entries[at];
    for (; at > 0 && readers.entries[at - 1].badge < latest.badge; at--)
        readers.entries[at] = readers.entries[at - 1];
    readers.entries[at] = latest;
}

static void answer_readers(void)
{
    while (readers.count > 0) {
        struct waiting *reader = &readers.entries[readers.count - 1];
        uint64_t token = reader->token, done = 0;
        status_t status = read_some(token, reader->buffer, &done);
        if (!is_answer(reader, status))
            return;
        readers.count--;
        status_ignore(bytestream_read_reply(token, status, done));
    }
}

static void interrupt_readers(void)
{
    unwatched = watchers.count == 0;
    interrupted = unwatched && readers.count == 0;
    while (watchers.count > 0)
        status_ignore(
            bytestream_interrupted_reply(watchers.entries[--watchers.count].token, STATUS_OK));
    while (readers.count > 0)
        status_ignore(
            bytestream_read_reply(readers.entries[--readers.count].token, STATUS_INTERRUPTED, 0));
}

bool console_has_room(void)
{
    return tty_has_room(&client_tty);
}

void console_key(uint8_t key)
{
    if (tty_input(&client_tty, key) == TTY_INTERRUPT)
        interrupt_readers();
}

/* A job of a shell in the background calls. */
static bool is_behind(const struct ipc_call *call)
{
    return catalogue_part(call->badge) > CATALOGUE_PART_FRONT;
}

static status_t op_read(void *instance, struct ipc_call *call, struct ipc_grant buffer,
                        uint64_t *done)
{
    (void)instance;
    if (is_behind(call))
        return STATUS_DENIED;
    if (buffer.length == 0)
        return STATUS_OK;
    if (interrupted) {
        interrupted = unwatched = false;
        return STATUS_INTERRUPTED;
    }
    status_t status = read_some(IPC_CURRENT, buffer, done);
    if (status == STATUS_PENDING || is_absent(status))
        status = list_add(&readers, call, buffer, is_absent(status));
    if (status == STATUS_PENDING)
        order_readers();
    // The discipline may have room again, and bytes wait in the chip.
    (void)console_service();
    return status;
}

/* --- writing ---------------------------------------------------------------------------------------------- */

/* Queue what fits of the buffer of @token. PENDING: nothing fits. */
static status_t write_some(uint64_t token, struct ipc_grant buffer, uint64_t *done)
{
    static char data[PIECE_BYTES];
    status_t status = STATUS_OK;
    uint64_t end = buffer.length < TURN_BYTES ? buffer.length : TURN_BYTES;
    *done = 0;
    while (status_is_ok(status) && *done < end && output_room() > 0) {
        size_t moved = 0, bytes = output_room() < PIECE_BYTES ? output_room() : PIECE_BYTES;
        bytes = end - *done < bytes ? (size_t)(end - *done) : bytes;
        status = ipc_grant_read(token, buffer, *done, data, bytes, &moved);
        output_put(data, moved);
        *done += moved;
    }
    if (*done > 0)
        return STATUS_OK;
    return status_is_ok(status) ? STATUS_PENDING : status;
}

static void answer_writers(void)
{
    for (size_t i = 0; i < writers.count && output_room() > 0;) {
        struct waiting *writer = &writers.entries[i];
        uint64_t token = writer->token, done = 0;
        status_t status = write_some(token, writer->buffer, &done);
        if (!is_answer(writer, status)) {
            i++;
            continue;
        }
        list_remove(&writers, i);
        status_ignore(bytestream_write_reply(token, status, done));
    }
}

static status_t op_write(void *instance, struct ipc_call *call, struct ipc_grant buffer,
                         uint64_t *done)
{
    (void)instance;
    if (buffer.length == 0)
        return STATUS_OK;
    status_t status = writers.count > 0 ? STATUS_PENDING : write_some(IPC_CURRENT, buffer, done);
    if (status == STATUS_PENDING || is_absent(status))
        status = list_add(&writers, call, buffer, is_absent(status));
    (void)console_service();
    return status;
}

static bool all_has_left(void)
{
    return console_is_silent() && writers.count == 0 && console_port->is_idle();
}

static void answer_flushers(void)
{
    while (flushers.count > 0 && all_has_left())
        status_ignore(bytestream_flush_reply(flushers.entries[--flushers.count].token, STATUS_OK));
}

static status_t op_flush(void *instance, struct ipc_call *call)
{
    (void)instance;
    (void)console_service();
    status_t status =
        all_has_left() ? STATUS_OK : list_add(&flushers, call, (struct ipc_grant){0, 0}, false);
    console_watch();
    return status;
}

/* --- displays --------------------------------------------------------------------------------------------- */

/* Give what came after *@position to the call of @token. PENDING: nothing came. */
static status_t follow_some(uint64_t token, struct ipc_grant buffer, uint64_t *position,
                            uint64_t *done)
{
    static uint8_t data[FOLLOW_BYTES];
    uint64_t start = *position;
    size_t moved = 0, bytes = transcript_read(position, data,
                                              buffer.length < FOLLOW_BYTES ? (size_t)buffer.length
                                                                           : FOLLOW_BYTES);
    if (bytes == 0)
        return STATUS_PENDING;
    status_t status = ipc_grant_write(token, buffer, 0, data, bytes, &moved);
    *position = status_is_ok(status) ? *position : start;
    *done = moved;
    return status;
}

static status_t op_follow(void *instance, struct ipc_call *call, uint64_t position,
                          struct ipc_grant buffer, uint64_t *next, uint64_t *done)
{
    (void)instance;
    *next = position;
    if (is_behind(call))
        return STATUS_DENIED;
    if (buffer.length == 0)
        return STATUS_OK;
    status_t status = follow_some(IPC_CURRENT, buffer, next, done);
    if (status != STATUS_PENDING)
        return status;
    status = list_add(&followers, call, buffer, false);
    if (status == STATUS_PENDING)
        followers.entries[followers.count - 1].position = *next;
    return status;
}

/* All of them: what is pending waits for the same thing. A buffer that is not there is the display's own affair. */
static void answer_followers(void)
{
    for (size_t i = 0; i < followers.count;) {
        struct waiting *follower = &followers.entries[i];
        uint64_t token = follower->token, next = follower->position, done = 0;
        status_t status = follow_some(token, follower->buffer, &next, &done);
        if (status == STATUS_PENDING) {
            i++;
            continue;
        }
        list_remove(&followers, i);
        status_ignore(bytestream_follow_reply(token, status, next, done));
    }
}

void console_pump(void)
{
    answer_readers();
    answer_writers();
    answer_followers();
    answer_flushers();
}

/* --- the terminal ----------------------------------------------------------------------------------------- */

static status_t op_info(void *instance, struct ipc_call *call, struct stream_info *info)
{
    (void)instance;
    (void)call;
    *info =
        (struct stream_info){.kind = STREAM_TERMINAL, .mode = client_tty.raw ? STREAM_MODE_RAW : 0};
    return STATUS_OK;
}

static status_t op_set_mode(void *instance, struct ipc_call *call, uint32_t mode)
{
    (void)instance;
    if (is_behind(call))
        return STATUS_DENIED;
    if (tty_set_raw(&client_tty, (mode & STREAM_MODE_RAW) != 0) == TTY_READY)
        answer_readers();
    return STATUS_OK;
}

static status_t op_interrupted(void *instance, struct ipc_call *call)
{
    (void)instance;
    if (unwatched) {
        interrupted = unwatched = false;
        return STATUS_OK;
    }
    return list_add(&watchers, call, (struct ipc_grant){0, 0}, false);
}

const struct bytestream_ops client_ops = {
    .read = op_read,
    .write = op_write,
    .info = op_info,
    .set_mode = op_set_mode,
    .flush = op_flush,
    .interrupted = op_interrupted,
    .follow = op_follow,
};

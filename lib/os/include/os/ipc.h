#pragma once
/* Messages: what the generated stubs are made of.
 *
 * A message is a label, six words, up to IPC_DATA_MAX bytes in the thread's message buffer, up to four
 * capabilities and two granted buffers. A client's stub fills words and buffer and calls ipc_exchange(). A
 * server receives into a struct ipc_call, which holds a copy of everything: the message buffer belongs to the
 * thread and the next call that a handler makes overwrites it. A reply carries its status as label.
 *
 * In the data, each argument begins at a multiple of eight bytes. A string or byte array is a 64-bit length
 * and then the bytes (a string's NUL follows and is not counted); a structure is just itself. Both sides
 * check everything: a fault in a request is answered INVALID, a fault in a reply makes the stub answer
 * CORRUPT. (architecture: 3.4 IPC) */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <veridian/abi.h>

/** The current reply, where a token is asked for. */
#define IPC_CURRENT UINT64_C(0)

/** This thread's message buffer; set before the thread runs any stub (by the start code, or by who makes
 *  the thread), together with sys_thread_set_buffer(). */
extern _Thread_local struct ipc_buffer *os_ipc_buffer;

static inline struct ipc_buffer *ipc_buffer(void)
{
    return os_ipc_buffer;
}

/* --- the info word -------------------------------------------------------------------------------------- */

/** Label, bytes of data, number of capabilities and of grants; none may exceed its maximum. */
static inline uint64_t ipc_info(uint32_t label, size_t data_bytes, uint32_t caps, uint32_t grants)
{
    return label | (uint64_t)data_bytes << IPC_INFO_DATA_SHIFT |
           (uint64_t)caps << IPC_INFO_CAPS_SHIFT | (uint64_t)grants << IPC_INFO_GRANTS_SHIFT;
}

static inline uint32_t ipc_info_label(uint64_t info)
{
    return (uint32_t)info;
}

static inline size_t ipc_info_data(uint64_t info)
{
    return (size_t)(info >> IPC_INFO_DATA_SHIFT & IPC_INFO_DATA_MASK);
}

static inline uint32_t ipc_info_caps(uint64_t info)
{
    return (uint32_t)(info >> IPC_INFO_CAPS_SHIFT & IPC_INFO_CAPS_MASK);
}

static inline uint32_t ipc_info_grants(uint64_t info)
{
    return (uint32_t)(info >> IPC_INFO_GRANTS_SHIFT & IPC_INFO_GRANTS_MASK);
}

/** IPC_KIND_*: what a receive delivered. */
static inline uint32_t ipc_info_kind(uint64_t info)
{
    return (uint32_t)(info >> IPC_INFO_KIND_SHIFT & IPC_INFO_KIND_MASK);
}

/** The protocol that a label belongs to. */
static inline uint32_t ipc_label_protocol(uint32_t label)
{
    return label >> 8;
}

/* --- clients -------------------------------------------------------------------------------------------- */

struct ipc_regs;

/** Call @regs->target with the message in @regs and the thread's buffer, ready for @caps capabilities
 *  in the reply: the status of the call, or the one that the server replied. OK means exactly @caps
 *  arrived (CORRUPT: the server sent another number; NO_MEMORY: no room for them here); after any
 *  other status none are left behind. INVALID: the thread has no buffer. */
MUST_CHECK status_t ipc_exchange(struct ipc_regs *regs, uint32_t caps);

/** For a reply that is malformed: close the capabilities that came with it; CORRUPT. */
MUST_CHECK status_t ipc_corrupt(void);

/** A capability on its way out: derived with @rights; a copy with all rights if @rights is 0; or moved. */
struct cap_out ipc_cap(handle_t handle, uint32_t rights, bool move);
struct grant ipc_grant_in(const void *buffer, size_t bytes);
struct grant ipc_grant_out(void *buffer, size_t bytes);

/* --- reading and writing message data ------------------------------------------------------------------- */

/** Appends to at most IPC_DATA_MAX bytes of data; `failed` once something did not fit. */
struct ipc_writer {
    uint8_t *data;
    size_t used;
    bool failed;
};

/** Takes data apart; `failed` once something was malformed, after which every read gives nothing. */
struct ipc_reader {
    const uint8_t *data;
    size_t left;
    bool failed;
};

/** Fails if @text, up to its NUL, is longer than @limit. */
void ipc_write_string(struct ipc_writer *writer, const char *text, size_t limit);
/** Fails if @bytes is more than @limit. */
void ipc_write_bytes(struct ipc_writer *writer, const void *from, size_t bytes, size_t limit);
void ipc_write_struct(struct ipc_writer *writer, const void *from, size_t bytes);

/** A string of at most @limit bytes, terminated and without a NUL inside, in the data; NULL: malformed. */
const char *ipc_read_string(struct ipc_reader *reader, size_t limit);
/** At most @limit bytes in the data; NULL: malformed. */
const void *ipc_read_bytes(struct ipc_reader *reader, size_t limit, size_t *bytes);
/** @bytes in the data, at a multiple of eight; NULL: malformed. */
const void *ipc_read_struct(struct ipc_reader *reader, size_t bytes);
/** Nothing was malformed and nothing is left. */
bool ipc_read_end(const struct ipc_reader *reader);

/* --- servers -------------------------------------------------------------------------------------------- */

/** An answer in the making; capabilities in it are moved to the caller. */
struct ipc_reply {
    uint64_t words[IPC_WORDS];
    size_t data_bytes;
    uint32_t caps;
    handle_t handles[IPC_CAPS_MAX];
    uint64_t data[IPC_DATA_MAX / 8];
};

/** A call that was received, and its answer. */
struct ipc_call {
    uint64_t badge; /**< whose session: the badge of the capability called */
    handle_t
        endpoint; /**< where the server wants to hear that a caller is gone; HANDLE_NONE: nowhere */
    uint64_t info;
    uint64_t words[IPC_WORDS];
    handle_t received[IPC_CAPS_MAX]; /**< capabilities that came; HANDLE_NONE once taken */
    uint64_t grant_lengths[IPC_GRANTS_MAX];
    uint64_t token;  /**< IPC_CURRENT, or what ipc_reply_save() gave */
    bool pending;    /**< the answer comes later, under the token */
    status_t status; /**< the answer's status */
    struct ipc_reply reply;
    uint64_t data[IPC_DATA_MAX / 8];
};

/** A range of the caller's memory, granted for this call. */
struct ipc_grant {
    uint32_t index;
    uint64_t length;
};

/** Exactly @caps capabilities and @grants granted buffers came with @call. */
bool ipc_call_has(const struct ipc_call *call, uint32_t caps, uint32_t grants);
/** What a call's data holds. */
struct ipc_reader ipc_call_reader(const struct ipc_call *call);
/** Keep capability @handle that came with @call: without this it is closed when the handler returns. */
handle_t ipc_cap_take(struct ipc_call *call, handle_t handle);
/** Put the current reply aside; the handler then returns STATUS_PENDING and the server answers later, from
 *  any of its threads, by <protocol>_<method>_reply(@token, …). If the caller dies or gives up before that, the answer would find GONE, and the
 *  server's `gone` hook, if it has one, is called with @cookie: once, and, with one worker, before a later call of that thread. NOT_FOUND: the caller is gone
 *  already. NO_MEMORY: for the notice; the reply is where it was. */
MUST_CHECK status_t ipc_reply_save(struct ipc_call *call, uint64_t cookie, uint64_t *token);
/** Whether the caller of the saved reply @token waits for it still: for a thread that is about to work for it, and not the one that is told. */
bool ipc_reply_waits(uint64_t token);
/** Close the capabilities that were not taken. */
void ipc_call_close(struct ipc_call *call);
/** The end of every dispatch: note @status (@may_pend: PENDING is allowed) and close what was not taken. */
void ipc_call_finish(struct ipc_call *call, status_t status, bool may_pend);
/** Answer the call of @token with @status, and with @reply if that is OK. GONE: nobody waits any more. The
 *  capabilities of @reply are closed if they could not be sent. @reply is not looked at unless @status is OK. */
MUST_CHECK status_t ipc_reply_send(uint64_t token, status_t status, const struct ipc_reply *reply);
/** Copy @reply into the thread's buffer: the info word to send. */
uint64_t ipc_reply_place(status_t status, const struct ipc_reply *reply);
/** Close the capabilities of @reply: they were not sent. */
void ipc_reply_drop(const struct ipc_reply *reply);

/** Copy @bytes at @offset of a granted buffer into @buffer; never waits. *@done is what was copied, less than
 *  @bytes only if the status is not OK. FAULT: the page is not there; it has been asked for in the caller's
 *  name. GONE: the caller is. RANGE: outside the grant. DENIED: it is granted for writing only. */
MUST_CHECK status_t ipc_grant_read(uint64_t token, struct ipc_grant grant, uint64_t offset,
                                   void *buffer, size_t bytes, size_t *done);
/** The same, from @buffer into the granted one. */
MUST_CHECK status_t ipc_grant_write(uint64_t token, struct ipc_grant grant, uint64_t offset,
                                    const void *buffer, size_t bytes, size_t *done);

/** A service protocol, as server_run() needs it; generated as <protocol>_protocol. */
struct ipc_protocol {
    const char *name;
    uint32_t number;
    /** The most capabilities that one of its calls carries. */
    uint32_t caps;
    /** <protocol>_dispatch() with its ops untyped. */
    void (*dispatch)(const void *ops, void *instance, struct ipc_call *call);
};

#pragma once
/* What the parts of the service fuzzer share. */
#include <fuzz/requests.h>
#include <os/ipc.h>

#define THREADS 3u
/** Calls of one protocol that make sessions, and how many sessions of each are kept. */
#define MAKERS 3u
#define SESSIONS_EACH 4u
#define SESSIONS (1u + MAKERS * SESSIONS_EACH)
#define SLOTS 16u
#define PATH_BYTES 24u
#define SCRATCH_BYTES 65536u
#define PROTOCOLS_MAX 32u

/** What was sent and answered, by request; atomic. Broken messages are counted by themselves. */
struct request_counts {
    uint64_t right;
    uint64_t successes;
    uint64_t broken;
    uint32_t statuses; /**< bit n: a right message was answered -n */
};
extern struct request_counts counts[REQUEST_COUNT];

/** A capability through which requests are made: a connect capability, or a session or open file that a call answered. */
struct session {
    handle_t handle;
    uint32_t
        maker; /**< that call's label, and the flags that it had; 0: none, it is a connect capability */
};

/** Where messages of one protocol go; the first is the connect capability. */
struct target {
    struct session sessions[SESSIONS];
};

/** Values that calls answered, by name; those of one answer have one slot. */
struct learned {
    const char *name;
    uint64_t values[SLOTS];
};
#define LEARNED 4u

/** Capabilities to be given away. */
struct gifts {
    handle_t memory, paged, notification, process;
};

/** A thread that sends; nothing of it is shared. */
struct fuzzer {
    uint64_t state;
    uint64_t requests;
    struct target targets[PROTOCOLS_MAX];
    uint32_t
        likes[REQUEST_COUNT]; /**< the maker of the session through which a request succeeded */
    struct learned learned[LEARNED];
    const struct gifts *gifts;
    char paths[SLOTS][PATH_BYTES]; /**< of files below /tmp that were there; "": none yet */
    char fresh[8];                 /**< "/tmp/" and two letters */
    uint32_t slot;                 /**< of the values that the message at hand takes */
    uint8_t *scratch;
};

struct message {
    const struct request *request;
    uint32_t label;
    uint32_t caps, grants;
    uint64_t words[IPC_WORDS];
    struct cap_out cap[IPC_CAPS_MAX];
    struct grant grant[IPC_GRANTS_MAX];
    handle_t moved; /**< one of the capabilities, which is given away */
    struct ipc_writer data;
    bool broken;
    char path[PATH_BYTES]; /**< its first path, if that is short */
    const struct session *session;
};

/* --- choices ------------------------------------------------------------------------------------------------ */

uint64_t below(struct fuzzer *f, uint64_t bound);
bool chance(struct fuzzer *f, uint32_t percent);
/** A number of the kind that breaks things. */
uint64_t number(struct fuzzer *f);

/* --- values ------------------------------------------------------------------------------------------------- */

/** The value of integer argument @part of @request. */
uint64_t integer_for(struct fuzzer *f, const struct request_part *part);
/** Text for argument @part in @text, of at most @part->bytes. */
void text_for(struct fuzzer *f, const struct request *request, const struct request_part *part,
              char *text);
/** Remember @value as what a call answered as @name. */
void learn(struct fuzzer *f, const char *name, uint64_t value);
/** A capability of the type of @part; any if it has none. */
handle_t gift_for(struct fuzzer *f, const struct request_part *part);
status_t gifts_make(struct gifts *gifts);

/* --- sending ------------------------------------------------------------------------------------------------ */

/** Send f->requests messages, then close all that was answered. */
void *fuzz(void *fuzzer);
/** The capability through which @protocol is reached; HANDLE_NONE: it is not fuzzed. */
handle_t protocol_connect(uint32_t protocol);

/* A child of the stress test: two threads serve the endpoint that all children share, two call it, one works on memory, one on capabilities,
 * and the last moves, suspends and interrupts the others. It never ends by itself. */
#include "stress.h"

#include <kstring.h>

enum { LABEL_SUM = 1, LABEL_TURN, LABEL_SIGNAL };
enum { FREE, TAKEN, GONE_DUE }; /* saved.taken */
enum { SERVER_A, SERVER_B, CLIENT_A, CLIENT_B, MEMORY, TREE, MOVER, ACTORS };

#define STACK_BYTES 8192u
#define MARK UINT64_C(0x5bd1e995cafe4321)
#define AREA_PAGES 3u

struct actor {
    handle_t thread;
    struct ipc_buffer *buffer;
    uint64_t random;
};

static struct actor actors[ACTORS];
static uint8_t stacks[ACTORS][STACK_BYTES] __attribute__((aligned(16)));
static uint8_t areas[2][2][AREA_PAGES * PAGE_SIZE] __attribute__((aligned(4096)));
/** Replies put aside, by whichever server, for whichever server. */
static struct saved {
    uint32_t taken; /* atomic; GONE_DUE: until some child is told that the caller is gone */
    uint64_t token; /* atomic: 0 until the answer is beside it */
    uint64_t cookie;
    uint64_t answer;
} saved[TOKENS];
static uint32_t gate; /* futex */
static struct stress_board *board;

/* ── Checks and chance ───────────────────────────────────────────────────────────────────────────────────────────── */

static void failed(uint32_t line, int64_t detail)
{
    if (__atomic_fetch_add(&board->failures, 1, __ATOMIC_RELAXED) == 0) {
        board->line = line;
        board->detail = detail;
    }
}

#define EXPECT(condition, detail) ((condition) ? (void)0 : failed(__LINE__, (int64_t)(detail)))

/* What a child may be told when its budget is full for the moment. */
static bool is_done(status_t status, uint32_t line)
{
    if (!status_is_ok(status) && status != STATUS_NO_MEMORY)
        failed(line, status_code(status));
    return status_is_ok(status);
}
#define DONE(call) is_done(call, __LINE__)

static void count(enum stress_work work)
{
    __atomic_fetch_add(&board->done[work], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&board->progress[child_start.values[VALUE_INDEX]], 1, __ATOMIC_RELAXED);
}

static uint64_t below(struct actor *self, uint64_t bound)
{
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return self->random % bound;
}

static void close_own(handle_t handle)
{
    EXPECT(status_is_ok(sys_cap_close(handle)), handle);
}

/* ── Serving ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t sum_of(const struct ipc_regs *regs)
{
    uint64_t sum = MARK;
    for (unsigned i = 0; i < IPC_WORDS; i++)
        sum = sum * 31 + regs->words[i];
    return sum;
}

/* Turns the bits of granted buffer 0 over into granted buffer 1. A caller that is killed or gives up meanwhile ends it. */
static uint64_t turn_grants(void)
{
    uint8_t piece[512];
    uint64_t done = 0, part;
    while (status_is_ok(sys_endpoint_reply_read(0, 0, done, piece, sizeof(piece), &part)) &&
           part != 0) {
        for (uint64_t i = 0; i < part; i++)
            piece[i] = (uint8_t)~piece[i];
        if (!status_is_ok(sys_endpoint_reply_write(0, 1, done, piece, part, &part)) || part == 0)
            break;
        done += part;
    }
    return done;
}

/* The capability that came is told, and dropped. */
static uint64_t signal_received(struct actor *self, const struct ipc_regs *regs)
{
    if (message_caps(regs->info) == 0 || self->buffer->received[0] == 0)
        return 0;
    handle_t handle = self->buffer->received[0];
    status_t status = sys_notification_signal(handle, regs->words[0]);
    status_t closed = sys_cap_close(handle);
    /* Its maker may have been killed or have given up waiting, and all that it derived has gone with that. */
    EXPECT(status_is_ok(status) || status == STATUS_BAD_HANDLE, status_code(status));
    EXPECT(status_is_ok(closed) || closed == STATUS_BAD_HANDLE, status_code(closed));
    return status_is_ok(status);
}

/* Where GONE of @place is awaited: by all children, since all receive at the same endpoint. */
static uint64_t *cookie_of(const struct saved *place)
{
    return &board->cookies[child_start.values[VALUE_INDEX]][place - saved];
}

/* Which of all births, of which child, of which place. */
static uint64_t cookie_new(const struct saved *place)
{
    uint64_t index = child_start.values[VALUE_INDEX];
    uint64_t birth = __atomic_fetch_add(&board->births, 1, __ATOMIC_SEQ_CST);
    return birth << 16 | index << 8 | (uint64_t)(place - saved);
}

/* The caller of a reply that some child has put aside is gone. It is told once, and not if the answer was taken; who receives it may be killed with it,
 * and what a child left that was killed may be told yet. */
static void caller_gone(uint64_t cookie)
{
    uint64_t index = cookie >> 8 & 0xff, place = cookie & 0xff, expected = cookie;
    if (index >= CHILDREN || place >= TOKENS) {
        EXPECT(false, cookie);
    } else if (__atomic_compare_exchange_n(&board->cookies[index][place], &expected, 0, false,
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        count(WORK_GONE);
    } else {
        EXPECT(cookie >> 16 < __atomic_load_n(&board->born[index], __ATOMIC_SEQ_CST), cookie);
    }
}

/* Take @place if nobody has it, or it waited for GONE and that has come. */
static bool place_take(struct saved *place)
{
    uint32_t was = FREE;
    if (__atomic_compare_exchange_n(&place->taken, &was, TAKEN, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
        return true;
    if (was != GONE_DUE || !__atomic_compare_exchange_n(&place->taken, &was, TAKEN, false,
                                                        __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return false;
    if (__atomic_load_n(cookie_of(place), __ATOMIC_SEQ_CST) == 0)
        return true;
    __atomic_store_n(&place->taken, GONE_DUE, __ATOMIC_RELEASE);
    return false;
}

/* True: the caller waits for @answer under a token now. */
static bool put_aside(struct actor *self, uint64_t answer)
{
    uint64_t token = 0;
    struct saved *place = &saved[below(self, TOKENS)];
    if (below(self, 3) != 0 || !place_take(place))
        return false;
    place->cookie = cookie_new(place);
    __atomic_store_n(cookie_of(place), place->cookie, __ATOMIC_SEQ_CST);
    status_t status =
        sys_endpoint_reply_save(child_start.handles[HANDLE_ENDPOINT], place->cookie, &token);
    if (!status_is_ok(status)) { /* the caller has gone */
        EXPECT(status == STATUS_NOT_FOUND || status == STATUS_NO_MEMORY, status_code(status));
        __atomic_store_n(cookie_of(place), 0, __ATOMIC_SEQ_CST);
        __atomic_store_n(&place->taken, FREE, __ATOMIC_RELEASE);
        return false;
    }
    place->answer = answer;
    __atomic_store_n(&place->token, token, __ATOMIC_RELEASE);
    return true;
}

static void answer_saved(struct actor *self)
{
    struct saved *place = &saved[below(self, TOKENS)];
    uint64_t token = __atomic_exchange_n(&place->token, 0, __ATOMIC_ACQUIRE);
    if (token == 0)
        return;
    struct ipc_regs regs = {.target = token, .words = {place->answer}};
    status_t status = ipc_raw_reply(&regs);
    EXPECT(status_is_ok(status) || status == STATUS_GONE, status_code(status));
    if (status_is_ok(status)) /* then nobody was told otherwise */
        EXPECT(__atomic_exchange_n(cookie_of(place), 0, __ATOMIC_SEQ_CST) == place->cookie, token);
    __atomic_store_n(&place->taken, status_is_ok(status) ? FREE : GONE_DUE, __ATOMIC_RELEASE);
}

/* What one call gets; true: answer with @regs. */
static bool serve_call(struct actor *self, struct ipc_regs *regs)
{
    uint64_t answer = sum_of(regs);
    uint32_t label = (uint32_t)regs->info;
    if (label == LABEL_TURN)
        answer = turn_grants();
    else if (label == LABEL_SIGNAL)
        answer = signal_received(self, regs);
    else if (put_aside(self, answer))
        return false;
    regs->info = 0;
    regs->words[0] = answer;
    return below(self, 100) != 0; /* sometimes forgotten: the caller is told PEER_DIED */
}

static void server_main(struct actor *self)
{
    bool answer = false;
    struct ipc_regs regs = {0};
    self->buffer->accept = 1;
    for (;;) {
        regs.target = child_start.handles[HANDLE_ENDPOINT];
        regs.deadline = now_ns() + 200000;
        regs.queue = HANDLE_NONE;
        status_t status = answer ? ipc_raw_reply_receive(&regs) : ipc_raw_receive(&regs);
        uint32_t kind = message_kind(regs.info);
        if (status_is_ok(status) && kind == IPC_KIND_GONE)
            caller_gone(regs.target);
        answer = status_is_ok(status) && kind == IPC_KIND_CALL && serve_call(self, &regs);
        EXPECT(status_is_ok(status) || status == STATUS_TIMED_OUT || status == STATUS_INTERRUPTED,
               status_code(status));
        answer_saved(self);
    }
}

/* ── Calling ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* Calls end well, or for a reason that this test gives. */
static bool call(struct actor *self, struct ipc_regs *regs)
{
    regs->target = child_start.handles[HANDLE_ENDPOINT];
    regs->deadline = below(self, 4) == 0 ? now_ns() + below(self, 300000) : now_ns() + 500 * MS;
    status_t status = ipc_raw_call(regs);
    EXPECT(status_is_ok(status) || status == STATUS_TIMED_OUT || status == STATUS_INTERRUPTED ||
               status == STATUS_PEER_DIED,
           status_code(status));
    return status_is_ok(status);
}

static void call_sum(struct actor *self)
{
    struct ipc_regs regs = {.info = LABEL_SUM};
    for (unsigned i = 0; i < IPC_WORDS; i++)
        regs.words[i] = below(self, UINT64_MAX);
    uint64_t wanted = sum_of(&regs);
    if (call(self, &regs)) {
        EXPECT(regs.words[0] == wanted, regs.words[0] ^ wanted);
        count(WORK_CALL);
    }
}

static void call_turn(struct actor *self, uint8_t *from, uint8_t *to)
{
    uint64_t bytes = 1 + below(self, AREA_PAGES * PAGE_SIZE);
    uint8_t seed = (uint8_t)self->random;
    for (uint64_t i = 0; i < bytes; i++) {
        from[i] = (uint8_t)(seed + i * 7);
        to[i] = from[i];
    }
    self->buffer->grants[0] = (struct grant){(uint64_t)from, bytes, RIGHT_READ, 0};
    self->buffer->grants[1] = (struct grant){(uint64_t)to, bytes, RIGHT_WRITE, 0};
    struct ipc_regs regs = {.info = message_info(LABEL_TURN, 0, 0, 2)};
    if (!call(self, &regs))
        return;
    EXPECT(regs.words[0] == bytes, regs.words[0]);
    for (uint64_t i = 0; i < bytes; i++)
        EXPECT(to[i] == (uint8_t)~(uint8_t)(seed + i * 7), i);
    count(WORK_GRANT);
}

static void call_signal(struct actor *self)
{
    handle_t notification;
    uint64_t bits = 0, wanted = UINT64_C(1) << below(self, 64);
    if (!DONE(sys_notification_create(child_start.handles[HANDLE_BUDGET], &notification)))
        return;
    self->buffer->caps[0] = (struct cap_out){notification, 0, RIGHT_CALL, CAP_TRANSFER_DERIVE};
    struct ipc_regs regs = {.info = message_info(LABEL_SIGNAL, 0, 1, 0), .words = {wanted}};
    regs.target = child_start.handles[HANDLE_ENDPOINT];
    regs.deadline = now_ns() + 500 * MS;
    status_t status = ipc_raw_call(&regs);
    EXPECT(status_is_ok(status) || status == STATUS_TIMED_OUT || status == STATUS_INTERRUPTED ||
               status == STATUS_PEER_DIED || status == STATUS_NO_MEMORY,
           status_code(status));
    EXPECT(status_is_ok(sys_notification_poll(notification, UINT64_MAX, &bits)), 0);
    if (status_is_ok(status) && regs.words[0] == 1) {
        EXPECT(bits == wanted, bits);
        count(WORK_CAP);
    }
    EXPECT(status_is_ok(sys_cap_revoke(notification)), 0);
    close_own(notification);
}

static void client_main(struct actor *self)
{
    unsigned which = self == &actors[CLIENT_B];
    for (;;) {
        switch (below(self, 4)) {
        case 0:
            call_turn(self, areas[which][0], areas[which][1]);
            break;
        case 1:
            call_signal(self);
            break;
        default:
            call_sum(self);
        }
    }
}

/* ── Memory ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t *area_map(handle_t memory, uint64_t bytes, uint32_t prot)
{
    uint64_t mapped = 0;
    return DONE(sys_aspace_map(child_start.handles[HANDLE_ASPACE], memory, 0, 0, bytes, prot, 0,
                               &mapped))
               ? (uint64_t *)mapped
               : NULL;
}

static void area_unmap(void *address, uint64_t bytes)
{
    /* Splitting a mapping takes memory; what is whole needs none. */
    if (address != NULL)
        EXPECT(status_is_ok(
                   sys_aspace_unmap(child_start.handles[HANDLE_ASPACE], (uint64_t)address, bytes)),
               bytes);
}

static uint64_t *page_of(uint64_t *area, uint64_t page)
{
    return area + page * (PAGE_SIZE / sizeof(*area));
}

/* The clone keeps what the original had when it was made, whatever is written to either. */
static void compare_clone(struct actor *self, uint64_t *area, handle_t memory, uint64_t pages,
                          uint64_t mark)
{
    handle_t clone;
    uint64_t bytes = pages * PAGE_SIZE;
    if (!DONE(sys_memory_clone(memory, child_start.handles[HANDLE_BUDGET], 0, bytes, &clone)))
        return;
    uint64_t *copy = area_map(clone, bytes, MAP_READ | MAP_WRITE);
    for (uint64_t i = 0; copy != NULL && i < pages; i++) {
        if (below(self, 2) == 0)
            *page_of(area, i) = mark + 1000 + i;
        EXPECT(*page_of(copy, i) == mark + i, i);
        *page_of(copy, i) = mark + 2000 + i;
        EXPECT(*page_of(area, i) == mark + i || *page_of(area, i) == mark + 1000 + i, i);
    }
    area_unmap(copy, bytes);
    close_own(clone);
}

static void discard_some(struct actor *self, uint64_t *area, handle_t memory, uint64_t pages)
{
    uint64_t page = below(self, pages);
    EXPECT(status_is_ok(sys_memory_discard(memory, page * PAGE_SIZE, PAGE_SIZE)), page);
    EXPECT(*page_of(area, page) == 0, page);
}

static void memory_work(struct actor *self)
{
    handle_t memory;
    uint64_t pages = 1 + below(self, 24), bytes = pages * PAGE_SIZE, mark = self->random;
    if (!DONE(sys_memory_create(child_start.handles[HANDLE_BUDGET], bytes, 0, &memory)))
        return;
    uint64_t *area = area_map(memory, bytes, MAP_READ | MAP_WRITE);
    for (uint64_t i = 0; area != NULL && i < pages; i++)
        *page_of(area, i) = mark + i;
    if (area != NULL) {
        compare_clone(self, area, memory, pages, mark);
        discard_some(self, area, memory, pages);
        status_ignore(sys_aspace_protect(child_start.handles[HANDLE_ASPACE], (uint64_t)area, bytes,
                                         MAP_READ));
        count(WORK_MEMORY);
    }
    close_own(memory); /* the mapping keeps it */
    area_unmap(area, bytes);
}

/* One word of the shared Memory is this child's: what it writes there, all ways of reading tell. */
static void shared_work(struct actor *self)
{
    volatile uint64_t *word =
        (volatile uint64_t *)child_start.values[VALUE_SHARED] + child_start.values[VALUE_INDEX];
    uint64_t offset = child_start.values[VALUE_INDEX] * sizeof(*word), wanted = self->random,
             got = 0, done = 0;
    *word = wanted;
    EXPECT(status_is_ok(
               sys_memory_read(child_start.handles[HANDLE_SHARED], offset, &got, sizeof(got))) &&
               got == wanted,
           got);
    EXPECT(status_is_ok(sys_aspace_read(child_start.handles[HANDLE_ASPACE], (uint64_t)word, &got,
                                        sizeof(got), &done)) &&
               done == sizeof(got) && got == wanted,
           got);
}

static void memory_main(struct actor *self)
{
    for (;;) {
        memory_work(self);
        shared_work(self);
    }
}

/* ── Capabilities, channels, waits ───────────────────────────────────────────────────────────────────────────────── */

/* A tree of capabilities; when its root is revoked none of them works, and the root does. */
static void tree_work(struct actor *self)
{
    enum { NODES = 12 };
    handle_t nodes[NODES], root;
    uint32_t made = 1;
    if (!DONE(sys_notification_create(child_start.handles[HANDLE_BUDGET], &root)))
        return;
    nodes[0] = root;
    while (made < NODES) {
        handle_t from = nodes[below(self, made)];
        bool copies = below(self, 3) == 0 && from != root;
        if (!DONE(copies ? sys_cap_copy(from, RIGHT_CALL | RIGHT_COPY | RIGHT_REVOKE, &nodes[made])
                         : sys_cap_derive(from, RIGHT_CALL | RIGHT_COPY | RIGHT_REVOKE, 0,
                                          &nodes[made])))
            break;
        made++;
    }
    EXPECT(status_is_ok(sys_cap_revoke(root)), made);
    for (uint32_t i = 1; i < made; i++)
        EXPECT(sys_notification_signal(nodes[i], 1) == STATUS_BAD_HANDLE, i);
    EXPECT(status_is_ok(sys_notification_signal(root, 1)), 0);
    close_own(root);
    count(WORK_TREE);
}

/* A capability sent to whoever takes it, and one taken from whoever sent it. */
static void channel_work(struct actor *self)
{
    handle_t end = child_start.handles[below(self, 2) == 0 ? HANDLE_LEFT : HANDLE_RIGHT],
             notification;
    uint64_t message[2] = {self->random, self->random * MARK}, bytes;
    uint32_t caps;
    if (DONE(sys_notification_create(child_start.handles[HANDLE_BUDGET], &notification))) {
        self->buffer->caps[0] = (struct cap_out){notification, 0, RIGHT_CALL, CAP_TRANSFER_DERIVE};
        status_t status = sys_channel_send(end, message, sizeof(message), 1);
        EXPECT(status_is_ok(status) || status == STATUS_BUSY || status == STATUS_NO_MEMORY,
               status_code(status));
        close_own(notification);
    }
    self->buffer->accept = 1;
    self->buffer->received[0] = 0;
    status_t status = sys_channel_receive(end, message, sizeof(message), &bytes, &caps);
    EXPECT(status_is_ok(status) || status == STATUS_BUSY || status == STATUS_NO_MEMORY,
           status_code(status));
    if (!status_is_ok(status))
        return;
    EXPECT(bytes == sizeof(message) && message[1] == message[0] * MARK, bytes);
    if (caps != 0 && self->buffer->received[0] != 0) {
        status_ignore(sys_notification_signal(self->buffer->received[0], 1));
        status_ignore(sys_cap_close(
            self->buffer->received[0])); /* dead, or its sender's child took it along */
    }
    count(WORK_CHANNEL);
}

/* A timer that tells a queue, and a futex whose waker is another thread. */
static void wait_work(struct actor *self)
{
    handle_t queue, timer;
    struct event event = {0};
    uint32_t woken;
    handle_t budget = child_start.handles[HANDLE_BUDGET];
    if (!DONE(sys_queue_create(budget, &queue)))
        return;
    if (DONE(sys_timer_create(budget, &timer))) {
        uint64_t cookie = self->random, from_ns = now_ns(), wait_ns = below(self, 300000);
        EXPECT(status_is_ok(sys_timer_bind(timer, queue, cookie)), 0);
        EXPECT(status_is_ok(sys_timer_set(timer, from_ns + wait_ns, 0)), 0);
        status_t status = sys_queue_wait(queue, DEADLINE_NEVER, &event);
        EXPECT(status_is_ok(status) || status == STATUS_INTERRUPTED, status_code(status));
        if (status_is_ok(status)) {
            EXPECT(event.cookie == cookie && event.kind == EVENT_TIMER &&
                       now_ns() >= from_ns + wait_ns,
                   event.kind);
            count(WORK_WAIT);
        }
        close_own(timer);
    }
    close_own(queue);
    __atomic_fetch_add(&gate, 1, __ATOMIC_SEQ_CST);
    EXPECT(status_is_ok(sys_thread_futex_wake((uint64_t)&gate, 8, &woken)), woken);
}

static void tree_main(struct actor *self)
{
    for (;;) {
        tree_work(self);
        channel_work(self);
        wait_work(self);
    }
}

/* ── Moving ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void disturb(struct actor *self, handle_t thread)
{
    uint64_t call;

    switch (below(self, 4)) {
    case 0:
        EXPECT(status_is_ok(sys_thread_set_priority(thread, 1 + (uint32_t)below(self, 20))), 0);
        break;
    case 1:
        EXPECT(status_is_ok(sys_thread_interrupt(thread, &call)), 0);
        break;
    case 2:
        EXPECT(status_is_ok(sys_thread_suspend(thread)), 0);
        EXPECT(status_is_ok(sys_thread_resume(thread)), 0);
        break;
    default: {
        /* CPU 0 is always there. */
        status_t status = sys_thread_set_affinity(thread, 0, 1 | below(self, 256));
        EXPECT(status_is_ok(status), status_code(status));
    }
    }
}

/* A capability that changes its place in the table: the old name is dead, the new one works. */
static void rename_one(void)
{
    handle_t old, new;
    handle_t process = child_start.handles[HANDLE_PROCESS];
    if (!DONE(sys_notification_create(child_start.handles[HANDLE_BUDGET], &old)))
        return;
    if (!DONE(sys_process_give(process, old, 0, 0, CAP_TRANSFER_MOVE, &new))) {
        status_ignore(sys_cap_close(old));
        return;
    }
    EXPECT(sys_notification_signal(old, 1) == STATUS_BAD_HANDLE, 0);
    EXPECT(status_is_ok(sys_notification_signal(new, 1)), 0);
    close_own(new);
}

static void mover_main(struct actor *self)
{
    for (;;) {
        uint32_t seen = __atomic_load_n(&gate, __ATOMIC_SEQ_CST);
        status_t status = sys_thread_futex_wait((uint64_t)&gate, seen, now_ns() + 1 * MS);
        EXPECT(status_is_ok(status) || status == STATUS_BUSY || status == STATUS_TIMED_OUT,
               status_code(status));
        disturb(self, actors[below(self, MOVER)].thread);
        rename_one();
        count(WORK_MOVE);
    }
}

/* ── Beginning ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void actor_main(uint64_t index)
{
    static void (*const mains[ACTORS])(struct actor *) = {server_main, server_main, client_main,
                                                          client_main, memory_main, tree_main,
                                                          mover_main};
    mains[index](&actors[index]);
    child_exit(1);
}

static bool actor_create(uint32_t index)
{
    struct actor *actor = &actors[index];
    handle_t budget = child_start.handles[HANDLE_BUDGET], memory;
    actor->random = child_start.values[VALUE_SEED] * (2 * index + 1) | 1;
    status_t status =
        sys_thread_create(child_start.handles[HANDLE_PROCESS], budget, &actor->thread);
    if (status == STATUS_GONE) /* this process is being killed: it may run for a moment yet */
        return false;
    if (!DONE(status) || !DONE(sys_memory_create(budget, PAGE_SIZE, MEMORY_COMMIT, &memory)) ||
        !DONE(sys_thread_set_buffer(actor->thread, memory, 0)))
        return false;
    actor->buffer = (struct ipc_buffer *)area_map(memory, PAGE_SIZE, MAP_READ | MAP_WRITE);
    return actor->buffer != NULL;
}

void stress_child(void)
{
    board = (struct stress_board *)child_start.values[VALUE_BOARD];
    __atomic_store_n(&board->born[child_start.values[VALUE_INDEX]],
                     __atomic_fetch_add(&board->births, 1, __ATOMIC_SEQ_CST), __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < TOKENS; i++)
        __atomic_store_n(cookie_of(&saved[i]), 0, __ATOMIC_SEQ_CST);
    for (uint32_t i = 0; i < ACTORS; i++)
        if (!actor_create(i))
            child_exit(1);
    for (uint32_t i = 0; i < ACTORS; i++)
        EXPECT(status_is_ok(sys_thread_start(actors[i].thread, (uint64_t)actor_main,
                                             (uint64_t)&stacks[i][STACK_BYTES - 8], i, 0)),
               i);
    for (;;)
        status_ignore(sys_thread_sleep(DEADLINE_NEVER));
}

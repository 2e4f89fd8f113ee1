/* Queues, channels, notifications, timers, interrupts, ports, the clock. */
#include "guest.h"

#include <kstring.h>
#include <os/clock.h>

static handle_t queue_new(void)
{
    handle_t handle = 0;

    OK(sys_queue_create(info->budget, &handle));
    return handle;
}

static handle_t notification_new(void)
{
    handle_t handle = 0;

    OK(sys_notification_create(info->budget, &handle));
    return handle;
}

static void test_queue_coalesces_and_keeps_order(void)
{
    handle_t queue = queue_new(), a = notification_new(), b = notification_new();
    struct event event;

    OK(sys_notification_bind(a, queue, 10));
    OK(sys_notification_bind(b, queue, 20));
    CHECK_STATUS(STATUS_BUSY, sys_notification_bind(a, queue, 11));
    CHECK_STATUS(STATUS_TIMED_OUT, sys_queue_wait(queue, 0, &event));
    OK(sys_notification_signal(b, 1));
    OK(sys_notification_signal(a, 2));
    OK(sys_notification_signal(b, 4));
    OK(sys_queue_wait(queue, DEADLINE_NEVER, &event));
    CHECK(event.cookie == 20 && event.kind == EVENT_NOTIFICATION && event.data == 5);
    OK(sys_queue_wait(queue, DEADLINE_NEVER, &event));
    CHECK(event.cookie == 10 && event.data == 2);
    uint64_t begin = now_ns();

    CHECK_STATUS(STATUS_TIMED_OUT, sys_queue_wait(queue, begin + 5 * MS, &event));
    CHECK(now_ns() >= begin + 5 * MS);
    /* A source whose queue is gone may be bound again. */
    OK(sys_notification_signal(a, 1));
    close_handle(queue);
    queue = queue_new();
    OK(sys_notification_bind(a, queue, 30));
    OK(sys_notification_signal(a, 8));
    OK(sys_queue_wait(queue, DEADLINE_NEVER, &event));
    CHECK(event.cookie == 30 && event.data == 8);
    close_handle(a);
    close_handle(b);
    close_handle(queue);
}

struct take {
    handle_t queue;
    uint32_t taken; /* atomic */
};

static void take_events(struct worker *self)
{
    struct take *take = self->context;
    struct event event;

    while (status_is_ok(sys_queue_wait(take->queue, in_ms(PATIENCE_MS), &event))) {
        if (event.data == 0x80)
            return;
        __atomic_fetch_add(&take->taken, 1, __ATOMIC_SEQ_CST);
    }
}

/* Many sources, several threads that wait: every event is taken once. */
static void test_queue_serves_many_waiters(void)
{
    enum { SOURCES = 12, THREADS = 4, ROUNDS = 20 };
    struct take take = {queue_new(), 0};
    struct worker workers[THREADS];
    handle_t sources[SOURCES];

    for (unsigned i = 0; i < SOURCES; i++) {
        sources[i] = notification_new();
        OK(sys_notification_bind(sources[i], take.queue, i));
    }
    for (unsigned i = 0; i < THREADS; i++)
        worker_start(&workers[i], take_events, &take);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < SOURCES; i++)
            OK(sys_notification_signal(sources[i], 1));
        CHECK(EVENTUALLY(__atomic_load_n(&take.taken, __ATOMIC_SEQ_CST) == (round + 1) * SOURCES));
    }
    for (unsigned i = 0; i < THREADS; i++)
        OK(sys_notification_signal(sources[i], 0x80));
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(worker_join(&workers[i]));
    for (unsigned i = 0; i < SOURCES; i++)
        close_handle(sources[i]);
    close_handle(take.queue);
}

/* ── Channels ────────────────────────────────────────────────────────────────────────────────────────────────────── */

struct ends {
    handle_t left, right;
};

static struct ends channel_new(uint32_t slots, uint32_t bytes)
{
    struct ends ends = {0};

    OK(sys_channel_create(info->budget, slots, bytes, &ends.left, &ends.right));
    return ends;
}

static bool receives(handle_t end, const char *text)
{
    char buffer[64];
    uint64_t bytes;
    uint32_t caps;

    return status_is_ok(sys_channel_receive(end, buffer, sizeof(buffer), &bytes, &caps)) &&
           bytes == strlen(text) && memcmp(buffer, text, bytes) == 0;
}

static void test_channel_carries_messages(void)
{
    struct ends ends = channel_new(3, 16);
    char buffer[16];
    uint64_t bytes;
    uint32_t caps;

    for (unsigned round = 0; round < 5; round++) {
        OK(sys_channel_send(ends.left, "one", 3, 0));
        OK(sys_channel_send(ends.left, "", 0, 0));
        OK(sys_channel_send(ends.left, "three", 5, 0));
        CHECK_STATUS(STATUS_BUSY, sys_channel_send(ends.left, "four", 4, 0));
        OK(sys_channel_send(ends.right, "back", 4, 0));
        CHECK_STATUS(STATUS_RANGE, sys_channel_receive(ends.right, buffer, 2, &bytes, &caps));
        CHECK_STATUS(STATUS_FAULT, sys_channel_receive(ends.right, (void *)8, 16, &bytes, &caps));
        CHECK(receives(ends.right, "one") && receives(ends.right, "") &&
              receives(ends.right, "three"));
        CHECK_STATUS(STATUS_BUSY, sys_channel_receive(ends.right, buffer, 16, &bytes, &caps));
        CHECK(receives(ends.left, "back"));
    }
    CHECK_STATUS(STATUS_RANGE, sys_channel_send(ends.left, "seventeen charact", 17, 0));
    CHECK_STATUS(STATUS_FAULT, sys_channel_send(ends.left, (void *)8, 8, 0));
    CHECK_STATUS(STATUS_RANGE, sys_channel_send(ends.left, "x", 1, 5));
    CHECK_STATUS(STATUS_INVALID, sys_channel_create(info->budget, 0, 1, &ends.left, &ends.right));
    CHECK_STATUS(STATUS_INVALID, sys_channel_create(info->budget, 1, CHANNEL_MESSAGE_BYTES_MAX + 1,
                                                    &ends.left, &ends.right));
    CHECK_STATUS(STATUS_INVALID, sys_channel_create(info->budget, 3, CHANNEL_MESSAGE_BYTES_MAX,
                                                    &ends.left, &ends.right));
    CHECK_STATUS(STATUS_INVALID, sys_channel_create(info->budget, CHANNEL_BYTES_MAX / 96, 0,
                                                    &ends.left, &ends.right));
    OK(sys_channel_send(ends.left, "last", 4, 0));
    close_handle(ends.left);
    CHECK_STATUS(STATUS_PEER_DIED, sys_channel_send(ends.right, "x", 1, 0));
    CHECK(receives(ends.right, "last"));
    CHECK_STATUS(STATUS_PEER_DIED, sys_channel_receive(ends.right, buffer, 16, &bytes, &caps));
    close_handle(ends.right);
}

/* Large channels are made, filled and ended on one CPU, and read on another which never leaves this address space meanwhile. They have addresses
 * that others had before, and other memory there: what was put in must come out. */
#define LARGE 8u
#define LARGE_ROUNDS 250u
static struct {
    struct ends ends[LARGE];
    uint32_t made, read; /* rounds; atomic */
    uint64_t wrong;
} large;

static uint64_t large_word(unsigned round, unsigned index)
{
    return 0x5eed000000000000ull + round * LARGE + index;
}

static uint32_t large_bytes(unsigned index)
{
    return 3000 + index * 1720;
}

static void large_read(struct worker *self)
{
    static uint64_t words[CHANNEL_MESSAGE_BYTES_MAX / 8];
    uint64_t bytes;
    uint32_t caps;

    status_ignore(
        sys_thread_set_affinity(self->thread, 0, 2)); /* where there is one CPU it stays there */
    for (unsigned round = 1; round <= LARGE_ROUNDS; round++) {
        while (__atomic_load_n(&large.made, __ATOMIC_ACQUIRE) < round)
            OK(sys_thread_yield());
        for (unsigned i = 0; i < LARGE; i++) {
            status_t status =
                sys_channel_receive(large.ends[i].right, words, sizeof(words), &bytes, &caps);

            large.wrong += status != STATUS_OK || bytes != large_bytes(i) / 8 * 8 ||
                           words[0] != large_word(round, i) ||
                           words[bytes / 8 - 1] != large_word(round, i);
        }
        __atomic_store_n(&large.read, round, __ATOMIC_RELEASE);
    }
}

static void test_channel_has_its_own_memory(void)
{
    static uint64_t words[CHANNEL_MESSAGE_BYTES_MAX / 8];
    struct worker reader;

    large.made = large.read = 0;
    worker_start(&reader, large_read, NULL);
    OK(sys_thread_set_affinity(info->thread, 0, 1));
    for (unsigned round = 1; round <= LARGE_ROUNDS; round++) {
        for (unsigned i = 0; i < LARGE; i++) {
            large.ends[i] = channel_new(2, large_bytes(i));
            for (unsigned w = 0; w < CHANNEL_MESSAGE_BYTES_MAX / 8; w++)
                words[w] = large_word(round, i);
            OK(sys_channel_send(large.ends[i].left, words, large_bytes(i) / 8 * 8, 0));
        }
        __atomic_store_n(&large.made, round, __ATOMIC_RELEASE);
        while (__atomic_load_n(&large.read, __ATOMIC_ACQUIRE) < round)
            OK(sys_thread_yield());
        for (unsigned i = 0; i < LARGE; i++) {
            struct ends *ends = &large.ends[i ^ (round & (LARGE - 1))];

            close_handle(ends->left);
            close_handle(ends->right);
        }
    }
    CHECK(worker_join(&reader));
    CHECK(large.wrong == 0);
    OK(sys_thread_set_affinity(info->thread, 0, UINT64_MAX));
}

static void test_channel_carries_capabilities(void)
{
    struct ends ends = channel_new(2, 8);
    handle_t a = notification_new(), b = notification_new(), got[3];
    struct ipc_buffer *buffer = my_buffer();
    char data[8];
    uint64_t bytes, bits, badge, id;
    uint32_t caps, type, rights;

    buffer->caps[0] = (struct cap_out){a, 0, RIGHT_CALL, CAP_TRANSFER_DERIVE};
    buffer->caps[1] = (struct cap_out){b, 0, 0, CAP_TRANSFER_MOVE};
    buffer->caps[2] = (struct cap_out){a, 0, RIGHT_CALL | RIGHT_RECEIVE, CAP_TRANSFER_COPY};
    OK(sys_channel_send(ends.left, "caps", 4, 3));
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_notification_signal(b, 1));
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_channel_send(ends.left, "caps", 4, 3));
    buffer->accept = 3;
    OK(sys_channel_receive(ends.right, data, sizeof(data), &bytes, &caps));
    buffer->accept = 0;
    CHECK(caps == 3 && bytes == 4);
    memcpy(got, buffer->received, sizeof(got));
    OK(sys_notification_signal(got[0], 1));
    CHECK_STATUS(STATUS_DENIED, sys_notification_poll(got[0], 1, &bits));
    OK(sys_notification_poll(got[2], 1, &bits));
    CHECK(bits == 1);
    OK(sys_notification_signal(got[1], 2));
    OK(sys_cap_info(got[1], &type, &rights, &badge, &id));
    CHECK((rights & RIGHT_RECEIVE) != 0);
    /* More rights than held; a capability that was revoked on its way; one for which no slot is announced; the channel itself. */
    buffer->caps[0] = (struct cap_out){got[0], 0, RIGHT_RECEIVE, CAP_TRANSFER_COPY};
    CHECK_STATUS(STATUS_DENIED, sys_channel_send(ends.left, "", 0, 1));
    buffer->caps[0] = (struct cap_out){a, 0, RIGHT_CALL, CAP_TRANSFER_DERIVE};
    OK(sys_channel_send(ends.left, "", 0, 1));
    OK(sys_cap_revoke(a));
    buffer->accept = 1;
    OK(sys_channel_receive(ends.right, data, sizeof(data), &bytes, &caps));
    CHECK(caps == 0 || buffer->received[0] == 0);
    buffer->accept = 0;
    OK(sys_channel_send(ends.left, "", 0, 1));
    OK(sys_channel_receive(ends.right, data, sizeof(data), &bytes, &caps));
    CHECK(caps == 0);
    buffer->caps[0] = (struct cap_out){ends.right, 0, 0, CAP_TRANSFER_MOVE};
    CHECK_STATUS(STATUS_INVALID, sys_channel_send(ends.left, "", 0, 1));
    /* Capabilities that nobody takes go with the channel. */
    buffer->caps[0] = (struct cap_out){got[1], 0, 0, CAP_TRANSFER_MOVE};
    OK(sys_channel_send(ends.left, "", 0, 1));
    close_handle(ends.right);
    close_handle(ends.left);
    close_handle(got[2]);
    close_handle(a);
}

struct talk {
    handle_t end;
    unsigned count;
};

static void channel_writer(struct worker *self)
{
    struct talk *talk = self->context;

    for (unsigned i = 0; i < talk->count;) {
        status_t status = sys_channel_send(talk->end, &i, sizeof(i), 0);

        if (status_is_ok(status))
            i++;
        else if (status == STATUS_BUSY)
            status_ignore(sys_thread_yield());
        else
            return;
        self->value = i;
    }
}

/* A writer on another CPU, a reader driven by events that drains until BUSY. */
static void test_channel_events_drive_a_reader(void)
{
    struct ends ends = channel_new(8, 8);
    struct talk talk = {ends.left, 2000};
    struct worker writer;
    handle_t queue = queue_new();
    struct event event;
    unsigned wanted = 0, got;
    uint64_t bytes;
    uint32_t caps;

    OK(sys_channel_bind(ends.right, queue, 3));
    worker_start(&writer, channel_writer, &talk);
    while (wanted < talk.count && status_is_ok(sys_queue_wait(queue, in_ms(PATIENCE_MS), &event))) {
        CHECK(event.cookie == 3 && event.kind == EVENT_CHANNEL && (event.data & 1) != 0);
        while (status_is_ok(sys_channel_receive(ends.right, &got, sizeof(got), &bytes, &caps))) {
            if (got != wanted)
                break;
            wanted++;
        }
    }
    CHECK(wanted == talk.count);
    CHECK(worker_join(&writer) && writer.value == talk.count);
    close_handle(ends.left);
    OK(sys_queue_wait(queue, in_ms(PATIENCE_MS), &event));
    CHECK((event.data & 2) != 0);
    close_handle(ends.right);
    close_handle(queue);
}

/* ── Notifications, timers ───────────────────────────────────────────────────────────────────────────────────────── */

struct wait {
    handle_t notification;
    uint64_t mask;
};

static void wait_for_mask(struct worker *self)
{
    struct wait *wait = self->context;
    uint64_t bits = 0;

    if (status_is_ok(
            sys_notification_wait(wait->notification, wait->mask, in_ms(PATIENCE_MS), &bits)))
        self->value = bits;
}

static void test_notification_wakes_by_mask(void)
{
    handle_t notification = notification_new();
    struct wait waits[3] = {{notification, 1}, {notification, 2}, {notification, 12}};
    struct worker workers[3];
    uint64_t bits;

    CHECK_STATUS(STATUS_INVALID, sys_notification_wait(notification, 0, 0, &bits));
    CHECK_STATUS(STATUS_TIMED_OUT, sys_notification_wait(notification, 1, in_ms(2), &bits));
    for (unsigned i = 0; i < 3; i++)
        worker_start(&workers[i], wait_for_mask, &waits[i]);
    CHECK(EVENTUALLY(threads_in(SYS_NOTIFICATION_WAIT) == 3));
    OK(sys_notification_signal(notification, 4 | 64));
    CHECK(worker_join(&workers[2]) && workers[2].value == 4);
    OK(sys_notification_signal(notification, 3));
    CHECK(worker_join(&workers[0]) && workers[0].value == 1);
    CHECK(worker_join(&workers[1]) && workers[1].value == 2);
    OK(sys_notification_poll(notification, UINT64_MAX, &bits));
    CHECK(bits == 64);
    OK(sys_notification_poll(notification, UINT64_MAX, &bits));
    CHECK(bits == 0);
    close_handle(notification);
}

static void test_timer_fires_once_and_periodically(void)
{
    handle_t queue = queue_new(), timer;
    struct event event;

    OK(sys_timer_create(info->budget, &timer));
    OK(sys_timer_bind(timer, queue, 4));
    CHECK_STATUS(STATUS_INVALID, sys_timer_set(timer, 0, 1000));
    uint64_t begin = now_ns();

    OK(sys_timer_set(timer, begin + 3 * MS, 0));
    OK(sys_queue_wait(queue, DEADLINE_NEVER, &event));
    CHECK(event.kind == EVENT_TIMER && event.cookie == 4 && event.data == 1 &&
          now_ns() >= begin + 3 * MS);
    CHECK_STATUS(STATUS_TIMED_OUT, sys_queue_wait(queue, in_ms(4), &event));
    begin = now_ns();
    OK(sys_timer_set(timer, begin + MS, MS));
    for (uint64_t fired = 0; fired < 5;) {
        OK(sys_queue_wait(queue, in_ms(PATIENCE_MS), &event));
        fired += event.data;
    }
    CHECK(now_ns() >= begin + 5 * MS);
    OK(sys_timer_cancel(timer));
    status_ignore(sys_queue_wait(queue, 0, &event));
    CHECK_STATUS(STATUS_TIMED_OUT, sys_queue_wait(queue, in_ms(4), &event));
    OK(sys_timer_set(timer, in_ms(500), 0));
    close_handle(timer); /* while it is set */
    close_handle(queue);
}

static void test_timer_in_the_past_fires_now(void)
{
    handle_t queue = queue_new(), timer;
    struct event event;

    OK(sys_timer_create(info->budget, &timer));
    OK(sys_timer_set(timer, 1, 0)); /* fires before it is bound: not lost */
    sleep_ms(2);
    OK(sys_timer_bind(timer, queue, 1));
    OK(sys_queue_wait(queue, in_ms(PATIENCE_MS), &event));
    OK(sys_timer_set(timer, UINT64_MAX, 0));
    OK(sys_timer_set(timer, UINT64_MAX - 1, UINT64_MAX));
    uint64_t begin = now_ns();

    OK(sys_timer_set(timer, 1, 100 * MS));
    OK(sys_queue_wait(queue, in_ms(PATIENCE_MS), &event));
    CHECK(event.data >= 1 && event.data <= 1 + (now_ns() - begin) / (100 * MS)); /* not since 1 */
    close_handle(timer);
    close_handle(queue);
}

/* ── Futexes ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint32_t futex_word;
static uint32_t counter_lock, counter;

static void wait_on_futex(struct worker *self)
{
    self->value =
        (uint64_t)status_code(sys_thread_futex_wait((uint64_t)&futex_word, 0, in_ms(PATIENCE_MS)));
}

static void test_futex_waits_and_wakes(void)
{
    struct worker workers[4];
    uint32_t woken;

    futex_word = 0;
    CHECK_STATUS(STATUS_BUSY, sys_thread_futex_wait((uint64_t)&futex_word, 1, 0));
    CHECK_STATUS(STATUS_TIMED_OUT, sys_thread_futex_wait((uint64_t)&futex_word, 0, in_ms(2)));
    CHECK_STATUS(STATUS_INVALID, sys_thread_futex_wait((uint64_t)&futex_word + 1, 0, 0));
    CHECK_STATUS(STATUS_INVALID, sys_thread_futex_wait(0xffff800000000000, 0, 0));
    CHECK_STATUS(STATUS_FAULT, sys_thread_futex_wait(NOWHERE, 0, 0));
    CHECK_STATUS(STATUS_INVALID, sys_thread_futex_wake(3, 1, &woken));
    for (unsigned i = 0; i < 4; i++)
        worker_start(&workers[i], wait_on_futex, 0);
    CHECK(EVENTUALLY(threads_in(SYS_THREAD_FUTEX_WAIT) == 4));
    OK(sys_thread_futex_wake((uint64_t)&futex_word, 1, &woken));
    CHECK(woken == 1);
    OK(sys_thread_futex_wake((uint64_t)&futex_word, 100, &woken));
    CHECK(woken == 3);
    for (unsigned i = 0; i < 4; i++)
        CHECK(worker_join(&workers[i]) && workers[i].value == 0);
}

static void wait_on_futex_again(struct worker *self)
{
    (void)self;
    while (__atomic_load_n(&futex_word, __ATOMIC_RELAXED) == 0)
        status_ignore(sys_thread_futex_wait((uint64_t)&futex_word, 0, in_ms(PATIENCE_MS)));
}

/* Who wakes several lets interrupts in between, and returns to where it came from. */
static void test_futex_interrupts_come_between_two_that_are_woken(void)
{
    struct worker workers[4];
    handle_t queue = queue_new(), timer;
    uint32_t woken, rounds = 0;

    futex_word = 0;
    OK(sys_timer_create(info->budget, &timer));
    OK(sys_timer_bind(timer, queue, 0));
    for (unsigned i = 0; i < 4; i++)
        worker_start(&workers[i], wait_on_futex_again, 0);
    for (uint64_t ahead = 0; ahead < 20000; ahead += 50) {
        if (!EVENTUALLY(threads_in(SYS_THREAD_FUTEX_WAIT) == 4))
            break;
        OK(sys_timer_set(timer, now_ns() + ahead, 0));
        OK(sys_thread_futex_wake((uint64_t)&futex_word, 100, &woken));
        rounds += woken == 4;
    }
    CHECK(rounds == 400);
    __atomic_store_n(&futex_word, 1, __ATOMIC_RELAXED);
    OK(sys_thread_futex_wake((uint64_t)&futex_word, 100, &woken));
    for (unsigned i = 0; i < 4; i++)
        CHECK(worker_join(&workers[i]));
    close_handle(timer);
    close_handle(queue);
}

/* A lock of three states (0 free, 1 held, 2 held and waited for) made of futex calls. */
static void lock_take(void)
{
    uint32_t state = 0;

    if (__atomic_compare_exchange_n(&counter_lock, &state, 1, false, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
        return;
    while (__atomic_exchange_n(&counter_lock, 2, __ATOMIC_ACQUIRE) != 0)
        status_ignore(sys_thread_futex_wait((uint64_t)&counter_lock, 2, in_ms(3000)));
}

static void lock_give(void)
{
    uint32_t woken;

    if (__atomic_exchange_n(&counter_lock, 0, __ATOMIC_RELEASE) == 2)
        status_ignore(sys_thread_futex_wake((uint64_t)&counter_lock, 1, &woken));
}

static void count_up(struct worker *self)
{
    (void)self;
    for (unsigned i = 0; i < 1000; i++) {
        lock_take();
        uint32_t now = *(volatile uint32_t *)&counter;

        if (i % 64 == 0)
            status_ignore(sys_thread_yield());
        *(volatile uint32_t *)&counter = now + 1;
        lock_give();
    }
}

static void test_futex_makes_a_lock(void)
{
    struct worker workers[4];

    counter = counter_lock = 0;
    for (unsigned i = 0; i < 4; i++)
        worker_start(&workers[i], count_up, 0);
    for (unsigned i = 0; i < 4; i++)
        CHECK(worker_join(&workers[i]));
    CHECK(counter == 4000);
}

/* ── Devices ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void test_interrupt_objects(void)
{
    handle_t line, again, message, queue = queue_new();
    uint64_t address;
    uint32_t data;

    CHECK_STATUS(STATUS_INVALID,
                 sys_interrupt_create(info->interrupts, info->budget, 100000, 0, &line));
    CHECK_STATUS(STATUS_INVALID,
                 sys_interrupt_create(info->interrupts, info->budget, irq_line, 0xff, &line));
    CHECK_STATUS(STATUS_WRONG_TYPE, sys_interrupt_ack(info->interrupts));
    CHECK_STATUS(STATUS_WRONG_TYPE, sys_interrupt_bind(info->interrupts, queue, 1));
    OK(sys_interrupt_create(info->interrupts, info->budget, irq_line, 1, &line));
    CHECK_STATUS(STATUS_BUSY,
                 sys_interrupt_create(info->interrupts, info->budget, irq_line, 0, &again));
    OK(sys_interrupt_create(info->interrupts, info->budget, irq_line, 1,
                            &again)); /* a level is shared */
    close_handle(again);
    CHECK_STATUS(STATUS_INVALID, sys_interrupt_create(line, info->budget, irq_line, 0, &again));
    OK(sys_interrupt_bind(line, queue, 1));
    CHECK_STATUS(STATUS_BUSY, sys_interrupt_bind(line, queue, 1));
    OK(sys_interrupt_ack(line));
    close_handle(line);
    OK(sys_interrupt_create(info->interrupts, info->budget, irq_line, 1, &line));
    handle_t weak = with_rights(line, RIGHT_RECEIVE);

    OK(sys_interrupt_bind(weak, queue, 2));
    OK(sys_cap_revoke(line));
    OK(sys_interrupt_bind(line, queue, 3)); /* the revoked binding is undone */
    close_handle(line);
    if (has_messages()) {
        OK(sys_interrupt_create_msi(info->interrupts, info->budget, 0, &message, &address, &data));
        CHECK(address != 0);
        close_handle(message);
    } else {
        CHECK_STATUS(STATUS_UNSUPPORTED, sys_interrupt_create_msi(info->interrupts, info->budget, 0,
                                                                  &message, &address, &data));
    }
    close_handle(queue);
}

static void test_interrupt_is_delivered_and_masked(void)
{
    handle_t queue = queue_new(), line;
    struct event event;

    OK(sys_interrupt_create(info->interrupts, info->budget, irq_line, irq_flags, &line));
    OK(sys_interrupt_bind(line, queue, 6));
    OK(sys_interrupt_ack(line));
    irq_begin();
    for (unsigned i = 0; i < 5; i++) {
        OK(sys_queue_wait(queue, DEADLINE_NEVER, &event));
        CHECK(event.kind == EVENT_INTERRUPT && event.cookie == 6 && event.data == 1);
        CHECK_STATUS(STATUS_TIMED_OUT,
                     sys_queue_wait(queue, in_ms(5), &event)); /* masked until acknowledged */
        if (i == 4)
            irq_end();
        else
            irq_again();
        OK(sys_interrupt_ack(line));
    }
    unsigned late = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (!status_is_ok(sys_queue_wait(queue, in_ms(5), &event)))
            continue;
        late++;
        OK(sys_interrupt_ack(line));
    }
    CHECK(late <= 1); /* one was on its way already, to whichever CPU */
    close_handle(line);
    close_handle(queue);
}

static void test_interrupt_messages_are_remembered(void)
{
    if (!message_is_a_store())
        return;
    handle_t message, window, queue = queue_new();
    uint64_t address = 0, mapped = 0;
    uint32_t data = 0;
    struct event event;

    OK(sys_interrupt_create_msi(info->interrupts, info->budget, 0, &message, &address, &data));
    OK(sys_memory_slice(info->physical, info->budget, address & ~(PAGE_SIZE - 1), PAGE_SIZE,
                        &window));
    OK(sys_aspace_map(info->aspace, window, 0, 0, PAGE_SIZE, MAP_READ | MAP_WRITE, 0, &mapped));
    volatile uint32_t *doorbell = (volatile uint32_t *)(mapped + (address & (PAGE_SIZE - 1)));

    OK(sys_interrupt_bind(message, queue, 5));
    OK(sys_interrupt_ack(message));
    for (unsigned i = 0; i < 3; i++) {
        *doorbell = data;
        OK(sys_queue_wait(queue, in_ms(PATIENCE_MS), &event));
        CHECK(event.kind == EVENT_INTERRUPT && event.cookie == 5);
        *doorbell = data; /* comes when the first one has been answered */
        CHECK_STATUS(STATUS_TIMED_OUT, sys_queue_wait(queue, in_ms(5), &event));
        OK(sys_interrupt_ack(message));
        OK(sys_queue_wait(queue, in_ms(PATIENCE_MS), &event));
        OK(sys_interrupt_ack(message));
    }
    CHECK_STATUS(STATUS_TIMED_OUT, sys_queue_wait(queue, in_ms(5), &event));
    unmap((void *)mapped, PAGE_SIZE);
    close_handle(window);
    close_handle(message);
    close_handle(queue);
}

/* ── The clock ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define CLOCK_CPUS 4u
#define CLOCK_READS 3000u

struct clocks {
    const struct clock_page *page;
    uint64_t latest_ns;        /* atomic: that any of them was told */
    uint32_t waiting, earlier; /* atomic */
};

/* By the page and by the call in turn: no time is before one that any CPU told before this one asked. */
static void compare_clocks(struct worker *self)
{
    struct clocks *clocks = self->context;

    __atomic_fetch_sub(&clocks->waiting, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&clocks->waiting, __ATOMIC_SEQ_CST) != 0)
        status_ignore(sys_thread_yield());
    for (unsigned i = 0; i < CLOCK_READS; i++) {
        uint64_t latest_ns = __atomic_load_n(&clocks->latest_ns, __ATOMIC_ACQUIRE), time_ns;
        if (i % 2 == 0 || !clock_page_now(clocks->page, &time_ns))
            time_ns = now_ns();
        if (time_ns < latest_ns)
            __atomic_fetch_add(&clocks->earlier, 1, __ATOMIC_RELAXED);
        while (latest_ns < time_ns &&
               !__atomic_compare_exchange_n(&clocks->latest_ns, &latest_ns, time_ns, false,
                                            __ATOMIC_RELEASE, __ATOMIC_RELAXED))
            continue;
    }
}

static void test_clock_never_goes_back(void)
{
    struct clocks clocks = {.waiting = CLOCK_CPUS};
    struct worker workers[CLOCK_CPUS] = {0};
    uint64_t mapped = 0, start_ns = now_ns();

    OK(sys_aspace_map(info->aspace, info->clock, 0, 0, PAGE_SIZE, MAP_READ, 0, &mapped));
    clocks.page = (const struct clock_page *)mapped;
    if ((clocks.page->flags & CLOCK_PAGE_COUNTER) == 0)
        say("the counter is not for programs here");
    for (unsigned i = 0; i < CLOCK_CPUS; i++) {
        worker_start(&workers[i], compare_clocks, &clocks);
        status_t status = sys_thread_set_affinity(workers[i].thread, 0, UINT64_C(1) << i);
        CHECK(status == STATUS_OK || status == STATUS_INVALID); /* where there is no such CPU */
    }
    for (unsigned i = 0; i < CLOCK_CPUS; i++)
        CHECK(worker_join(&workers[i]));
    CHECK(clocks.earlier == 0);
    CHECK(clocks.latest_ns > start_ns && clocks.latest_ns <= now_ns());
    unmap((void *)mapped, PAGE_SIZE);
}

static void test_clock_page_is_for_reading(void)
{
    const uint64_t word = 0;
    uint64_t mapped = 0;

    CHECK_STATUS(STATUS_DENIED, sys_aspace_map(info->aspace, info->clock, 0, 0, PAGE_SIZE,
                                               MAP_READ | MAP_WRITE, 0, &mapped));
    CHECK_STATUS(STATUS_DENIED, sys_memory_write(info->clock, 0, &word, sizeof(word)));
    OK(sys_aspace_map(info->aspace, info->clock, 0, 0, PAGE_SIZE, MAP_READ, 0, &mapped));
    CHECK_STATUS(STATUS_DENIED,
                 sys_aspace_protect(info->aspace, mapped, PAGE_SIZE, MAP_READ | MAP_WRITE));
    unmap((void *)mapped, PAGE_SIZE);
}

/* That what is written comes as one is seen from outside (tests/system/test_panic.py). */
static void test_ioport_write_checks_what_it_is_given(void)
{
    static const char text[IOPORT_WRITE_MAX + 1] = "# written to the log port\n";
    handle_t port = 0;

    CHECK_STATUS(STATUS_UNSUPPORTED, sys_ioport_write(info->ioports, LOG_PORT + 1, text, 1));
    OK(sys_ioport_slice(info->ioports, info->budget, LOG_PORT, 1, &port));
    OK(sys_ioport_write(port, LOG_PORT, text, strlen(text)));
    OK(sys_ioport_write(port, LOG_PORT, NULL, 0));
    CHECK_STATUS(STATUS_RANGE, sys_ioport_write(port, LOG_PORT - 1, text, 1));
    CHECK_STATUS(STATUS_RANGE, sys_ioport_write(port, LOG_PORT + 1, text, 1));
    CHECK_STATUS(STATUS_INVALID, sys_ioport_write(port, LOG_PORT, text, sizeof(text)));
    CHECK_STATUS(STATUS_INVALID, sys_ioport_write(port, LOG_PORT, text, UINT64_MAX));
    CHECK_STATUS(STATUS_FAULT, sys_ioport_write(port, LOG_PORT, (void *)8, 1));
    handle_t to_read = with_rights(port, RIGHT_READ);
    CHECK_STATUS(STATUS_DENIED, sys_ioport_write(to_read, LOG_PORT, text, 1));
    close_handle(to_read);
    close_handle(port);
}

extern const struct test object_tests[];
const struct test object_tests[] = {
    TEST(test_queue_coalesces_and_keeps_order),
    TEST(test_queue_serves_many_waiters),
    TEST(test_channel_carries_messages),
    TEST(test_channel_has_its_own_memory),
    TEST(test_channel_carries_capabilities),
    TEST(test_channel_events_drive_a_reader),
    TEST(test_notification_wakes_by_mask),
    TEST(test_timer_fires_once_and_periodically),
    TEST(test_timer_in_the_past_fires_now),
    TEST(test_futex_waits_and_wakes),
    TEST(test_futex_interrupts_come_between_two_that_are_woken),
    TEST(test_futex_makes_a_lock),
    TEST(test_interrupt_objects),
    TEST(test_interrupt_is_delivered_and_masked),
    TEST(test_interrupt_messages_are_remembered),
    TEST(test_ioport_write_checks_what_it_is_given),
    TEST(test_clock_never_goes_back),
    TEST(test_clock_page_is_for_reading),
    {0},
};

/* Debug registers: what they meet, for whom, and for whom not. A debuggee is a thread of this process, or of a child whose memory is at the same
 * addresses; we are its debugger, as of a program under gdb. */
#include "guest.h"

#include <kstring.h>

#define REGISTERS_MAX 16u
#define LOOPS 40u
#define CROWD 8u

struct debuggee {
    struct worker worker;
    handle_t thread, endpoint;
    void (*body)(void *data);
    void *data;
    uint32_t go;
    /* The debugger's. */
    struct {
        uint64_t address;
        uint32_t bytes, access;
    } registers[REGISTERS_MAX];
    uint64_t stepping; /* registers that are away for a step */
    uint64_t hits;
    void (*hit)(struct debuggee *debuggee, const struct ipc_regs *call);
};

/* What is met. */
static volatile uint64_t words[CROWD] __attribute__((aligned(64)));
static volatile uint64_t calls;

__attribute__((noinline)) static void landmark(void)
{
    calls++;
}

__attribute__((noinline)) static void other_landmark(void)
{
    calls += 1000;
}

/* ── A debugger ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The number of the @nth register that takes @access. */
static uint32_t register_for(uint32_t access, unsigned nth)
{
    uint64_t address;
    uint32_t bytes, now, takes;

    for (uint32_t i = 0; i < REGISTERS_MAX; i++) {
        if (sys_thread_get_debug(info->thread, i, &address, &bytes, &now, &takes) != STATUS_OK)
            break;
        if ((takes & access) == access && nth-- == 0)
            return i;
    }
    check_failed(__FILE__, __LINE__, "there is such a register");
    return 0;
}

static status_t set(struct debuggee *debuggee, uint32_t index, uint64_t address, uint32_t bytes,
                    uint32_t access)
{
    status_t status = sys_thread_set_debug(debuggee->thread, index, address, bytes, access);

    if (status == STATUS_OK) {
        debuggee->registers[index].address = address;
        debuggee->registers[index].bytes = bytes;
        debuggee->registers[index].access = access;
    }
    return status;
}

static void debuggee_main(struct worker *self)
{
    struct debuggee *debuggee = self->context;
    struct ipc_regs end = {.target = debuggee->endpoint, .deadline = DEADLINE_NEVER};

    while (__atomic_load_n(&debuggee->go, __ATOMIC_ACQUIRE) == 0)
        OK(sys_thread_yield());
    debuggee->body(debuggee->data);
    OK(ipc_raw_call(&end));
}

/* A thread that will do @body(@data), suspended. */
static void debuggee_begin(struct debuggee *debuggee, handle_t endpoint, uint64_t cookie,
                           void (*body)(void *), void *data)
{
    struct thread_regs regs;

    *debuggee = (struct debuggee){.endpoint = endpoint, .body = body, .data = data};
    worker_start(&debuggee->worker, debuggee_main, debuggee);
    debuggee->thread = debuggee->worker.thread;
    OK(sys_thread_set_exception(debuggee->thread, endpoint, cookie));
    OK(sys_thread_suspend(debuggee->thread));
    CHECK(EVENTUALLY(sys_thread_get_regs(debuggee->thread, &regs) == STATUS_OK));
}

static void debuggee_go(struct debuggee *debuggee)
{
    __atomic_store_n(&debuggee->go, 1, __ATOMIC_RELEASE);
    OK(sys_thread_resume(debuggee->thread));
}

static void answer(uint32_t label, const struct thread_regs *regs)
{
    uint32_t bytes = regs == NULL ? 0 : sizeof(*regs);
    struct ipc_regs reply = {.info = message_info(label, bytes, 0, 0) | (uint64_t)IPC_KIND_EXCEPTION
                                                                            << IPC_INFO_KIND_SHIFT};

    if (regs != NULL)
        memcpy(my_buffer()->data, regs, sizeof(*regs));
    OK(ipc_raw_reply(&reply));
}

/* It met a register. Where it stands before what it met, that is away for a step. */
static void pass(struct debuggee *debuggee, const struct ipc_regs *call)
{
    struct thread_regs regs;

    memcpy(&regs, my_buffer()->data, sizeof(regs));
    debuggee->hits++;
    if (debuggee->hit != NULL)
        debuggee->hit(debuggee, call);
    if (debug_goes_on) {
        answer(ANSWER_RESTART, NULL);
        return;
    }
    for (uint32_t i = 0; i < REGISTERS_MAX; i++) {
        if ((call->words[1] >> i & 1) != 0)
            OK(sys_thread_set_debug(debuggee->thread, i, 0, 0, 0));
    }
    debuggee->stepping = call->words[1];
    regs.flags |= step_flag;
    answer(ANSWER_FRAME, &regs);
}

static void stepped(struct debuggee *debuggee)
{
    struct thread_regs regs;

    memcpy(&regs, my_buffer()->data, sizeof(regs));
    for (uint32_t i = 0; i < REGISTERS_MAX; i++) {
        if ((debuggee->stepping >> i & 1) != 0)
            OK(sys_thread_set_debug(debuggee->thread, i, debuggee->registers[i].address,
                                    debuggee->registers[i].bytes, debuggee->registers[i].access));
    }
    debuggee->stepping = 0;
    regs.flags &= ~step_flag;
    answer(ANSWER_FRAME, &regs);
}

/* Until @count debuggees have come to their end: their cookies are their numbers. */
static void debug(struct debuggee *debuggees, unsigned count, handle_t endpoint)
{
    unsigned left = count;

    while (left != 0) {
        struct ipc_regs call = {.target = endpoint, .deadline = in_ms(PATIENCE_MS)};
        status_t status = ipc_raw_receive(&call);
        if (status != STATUS_OK) {
            check_status_failed(__FILE__, __LINE__, "receive", status);
            return;
        }
        uint32_t label = (uint32_t)call.info;
        if (message_kind(call.info) == IPC_KIND_CALL) {
            struct ipc_regs reply = {0};
            OK(ipc_raw_reply(&reply));
            left--;
        } else if (label == EXCEPTION_DEBUG && call.words[1] != 0) {
            CHECK(call.target < count && debuggees[call.target].stepping == 0);
            pass(&debuggees[call.target], &call);
        } else if (label == EXCEPTION_STEP && debuggees[call.target].stepping != 0) {
            stepped(&debuggees[call.target]);
        } else {
            CHECK(label == EXCEPTION_ILLEGAL || label == EXCEPTION_BREAKPOINT); /* a child's end */
            answer(ANSWER_EXIT, NULL);
            left--;
        }
    }
}

/* ── What can be set ─────────────────────────────────────────────────────────────────────────────────────────────── */

static void check_is(handle_t thread, uint32_t index, uint64_t address, uint32_t bytes,
                     uint32_t access)
{
    uint64_t address_is;
    uint32_t bytes_are, access_is, takes;

    OK(sys_thread_get_debug(thread, index, &address_is, &bytes_are, &access_is, &takes));
    CHECK(address_is == address && bytes_are == bytes && access_is == access);
}

static void idle(void *data)
{
    (void)data;
}

static void check_refusals(handle_t thread, uint32_t index, bool executes)
{
    uint64_t here = (uint64_t)&words[1];
    const struct {
        uint64_t address;
        uint32_t bytes, access;
    } bad[] = {
        {KERNEL_ADDRESS, 8, MAP_WRITE},
        {KERNEL_ADDRESS, 0, MAP_EXECUTE},
        {UINT64_C(0x8000000000000000), 8, MAP_WRITE},
        {UINT64_C(0xfffffffffffffff8), 8, MAP_WRITE},
        {0, 8, MAP_WRITE},
        {here, 0, MAP_WRITE},
        {here, 9, MAP_WRITE},
        {here, 16, MAP_WRITE},
        {here, 17, MAP_WRITE},
        {here, UINT32_MAX, MAP_WRITE},
        {here + 1, 8, MAP_WRITE},
        {here + 4, 8, MAP_WRITE},
        {here + 7, 2, MAP_WRITE},
        {here + 7, 2, MAP_READ | MAP_WRITE},
        {here, 8, MAP_EXECUTE},
        {here, 0, MAP_EXECUTE | MAP_WRITE},
        {here, 0, MAP_EXECUTE | MAP_READ},
        {here, 4, MAP_READ | MAP_WRITE | MAP_EXECUTE},
        {here, 4, MAP_FIXED},
        {here, 4, MAP_WRITE | MAP_FIXED},
        {here, 4, UINT32_C(0x80000000)},
    };

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK_STATUS(STATUS_INVALID, sys_thread_set_debug(thread, index, bad[i].address,
                                                          bad[i].bytes, bad[i].access));
    if (!executes)
        CHECK_STATUS(STATUS_INVALID, sys_thread_set_debug(thread, index, here, 0, MAP_EXECUTE));
    CHECK_STATUS(debug_reads ? STATUS_OK : STATUS_INVALID,
                 sys_thread_set_debug(thread, register_for(MAP_READ | MAP_WRITE, 1), here, 8,
                                      MAP_READ));
}

/* Where there are none every call says so, to whoever asks for whatever. */
static void none_is_there(void)
{
    uint64_t address;
    uint32_t bytes, access, takes;

    for (uint32_t i = 0; i < REGISTERS_MAX; i++) {
        CHECK_STATUS(STATUS_UNSUPPORTED,
                     sys_thread_get_debug(info->thread, i, &address, &bytes, &access, &takes));
        CHECK_STATUS(STATUS_UNSUPPORTED,
                     sys_thread_set_debug(info->thread, i, (uint64_t)words, 8, MAP_WRITE));
        CHECK_STATUS(STATUS_UNSUPPORTED, sys_thread_set_debug(info->thread, i, 0, 0, 0));
    }
}

static void test_debug_registers_are_checked(void)
{
    struct debuggee debuggee;
    handle_t endpoint;
    uint64_t address;
    uint32_t bytes, access, takes;
    unsigned executing = 0, watching = 0, count = 0;

    if (debug_breakpoints + debug_watchpoints == 0) {
        none_is_there();
        return;
    }
    OK(sys_endpoint_create(info->budget, &endpoint));
    debuggee_begin(&debuggee, endpoint, 0, idle, NULL);
    while (sys_thread_get_debug(debuggee.thread, count, &address, &bytes, &access, &takes) ==
           STATUS_OK) {
        CHECK(address == 0 && bytes == 0 && access == 0);
        executing += (takes & MAP_EXECUTE) != 0;
        watching += (takes & MAP_WRITE) != 0;
        count++;
    }
    CHECK(executing == debug_breakpoints && watching == debug_watchpoints);
    CHECK_STATUS(STATUS_RANGE,
                 sys_thread_get_debug(debuggee.thread, count, &address, &bytes, &access, &takes));
    CHECK_STATUS(STATUS_RANGE,
                 sys_thread_set_debug(debuggee.thread, count, (uint64_t)words, 8, MAP_WRITE));
    CHECK_STATUS(STATUS_RANGE, sys_thread_set_debug(debuggee.thread, UINT32_MAX, 0, 0, 0));

    uint32_t watch = register_for(MAP_READ | MAP_WRITE, 0), point = register_for(MAP_EXECUTE, 1);
    OK(sys_thread_set_debug(debuggee.thread, watch, (uint64_t)&words[2], 8, MAP_WRITE));
    OK(sys_thread_set_debug(debuggee.thread, point, (uint64_t)landmark, 0, MAP_EXECUTE));
    check_refusals(debuggee.thread, watch, debug_goes_on);
    handle_t weak = with_rights(debuggee.thread, RIGHT_INSPECT);
    CHECK_STATUS(STATUS_DENIED, sys_thread_set_debug(weak, watch, 0, 0, 0));
    CHECK_STATUS(STATUS_DENIED,
                 sys_thread_get_debug(weak, watch, &address, &bytes, &access, &takes));
    close_handle(weak);
    check_is(debuggee.thread, watch, (uint64_t)&words[2], 8, MAP_WRITE);
    check_is(debuggee.thread, point, (uint64_t)landmark, 0, MAP_EXECUTE);
    OK(sys_thread_set_debug(debuggee.thread, watch, 1, 2, 0));
    check_is(debuggee.thread, watch, 0, 0, 0);
    debuggee_go(&debuggee);
    debug(&debuggee, 1, endpoint);
    CHECK(worker_join(&debuggee.worker));
    close_handle(endpoint);
}

static void wait_long(struct worker *self)
{
    status_t status = sys_thread_futex_wait((uint64_t)&self->value, 0, DEADLINE_NEVER);

    CHECK(status == STATUS_OK || status == STATUS_BUSY);
}

/* Who runs, or waits in a call of its own, suspended or not, has no registers to be set; nor who is dead. */
static void test_debug_registers_of_who_has_no_frame(void)
{
    struct worker worker;
    struct child child;
    uint32_t woken, watch;
    uint64_t here = (uint64_t)&words[0];

    if (debug_watchpoints == 0)
        return;
    watch = register_for(MAP_READ | MAP_WRITE, 0);
    CHECK_STATUS(STATUS_BUSY, sys_thread_set_debug(info->thread, watch, here, 8, MAP_WRITE));
    worker_start(&worker, wait_long, NULL);
    CHECK(EVENTUALLY(threads_in(SYS_THREAD_FUTEX_WAIT) == 1));
    CHECK_STATUS(STATUS_BUSY, sys_thread_set_debug(worker.thread, watch, here, 8, MAP_WRITE));
    OK(sys_thread_suspend(worker.thread));
    CHECK_STATUS(STATUS_BUSY, sys_thread_set_debug(worker.thread, watch, here, 8, MAP_WRITE));
    check_is(worker.thread, watch, 0, 0, 0);
    OK(sys_thread_futex_wake((uint64_t)&worker.value, 1, &woken));
    CHECK(EVENTUALLY(sys_thread_set_debug(worker.thread, watch, here, 8, MAP_WRITE) == STATUS_OK));
    OK(sys_thread_resume(worker.thread));
    CHECK(worker_join(&worker));

    child_create(&child, 0, NULL);
    CHECK_STATUS(STATUS_BUSY, sys_thread_set_debug(child.thread, watch, here, 8, MAP_WRITE));
    OK(sys_thread_suspend(child.thread));
    child_run(&child, &(struct child_start){0}, landmark);
    CHECK(EVENTUALLY(sys_thread_set_debug(child.thread, watch, here, 8, MAP_WRITE) == STATUS_OK));
    OK(sys_process_kill(child.process, 5));
    CHECK(EVENTUALLY(sys_thread_set_debug(child.thread, watch, here, 8, MAP_WRITE) == STATUS_BUSY));
    CHECK(child_end(&child) == 5);
    words[0]++; /* whatever is left in the CPU, it is not for us */
}

/* ── What is met ─────────────────────────────────────────────────────────────────────────────────────────────────── */

static void call_landmarks(void *data)
{
    (void)data;
    for (unsigned i = 0; i < LOOPS; i++) {
        landmark();
        other_landmark();
    }
}

/* From half of the hits on without the first register; of the other none is lost. */
static void check_landmark(struct debuggee *debuggee, const struct ipc_regs *call)
{
    struct thread_regs regs;
    uint32_t point = register_for(MAP_EXECUTE, 0);
    bool other = call->words[1] != UINT64_C(1) << point;

    memcpy(&regs, my_buffer()->data, sizeof(regs));
    CHECK(!other || call->words[1] == UINT64_C(1) << register_for(MAP_EXECUTE, 1));
    CHECK(call->words[0] == (uint64_t)(other ? other_landmark : landmark));
    CHECK(regs.pc == call->words[0]);
    CHECK((regs.flags & fault_flags) == fault_flags || fault_flags == 0);
    CHECK(calls % 1000 + calls / 1000 ==
          (debuggee->hits < LOOPS ? debuggee->hits - 1 : calls % 1000 + calls / 1000));
    if (debuggee->hits == LOOPS)
        OK(set(debuggee, register_for(MAP_EXECUTE, 0), 0, 0, 0));
}

static void test_debug_breakpoints(void)
{
    struct debuggee debuggee;
    handle_t endpoint;

    if (debug_breakpoints == 0)
        return;
    OK(sys_endpoint_create(info->budget, &endpoint));
    debuggee_begin(&debuggee, endpoint, 0, call_landmarks, NULL);
    debuggee.hit = check_landmark;
    calls = 0;
    OK(set(&debuggee, register_for(MAP_EXECUTE, 0), (uint64_t)landmark, 0, MAP_EXECUTE));
    OK(set(&debuggee, register_for(MAP_EXECUTE, 1), (uint64_t)other_landmark, 0, MAP_EXECUTE));
    debuggee_go(&debuggee);
    debug(&debuggee, 1, endpoint);
    CHECK(worker_join(&debuggee.worker));
    CHECK(calls == LOOPS * 1001);
    CHECK(debuggee.hits == LOOPS + LOOPS / 2);
    close_handle(endpoint);
}

#define AREA_BYTES 32u
static uint8_t area[AREA_BYTES] __attribute__((aligned(64)));

/* What is done just now, of what is watched, and how much of that should be met. */
static struct {
    volatile uint64_t address;
    volatile uint32_t bytes, access;
    volatile unsigned expected;
    uint64_t start;
    uint32_t start_bytes, wanted;
} access_now;

static void announce(uint64_t address, uint32_t bytes, uint32_t access)
{
    bool meets = (access_now.wanted & access) != 0 &&
                 address < access_now.start + access_now.start_bytes &&
                 access_now.start < address + bytes;

    access_now.address = address;
    access_now.bytes = bytes;
    access_now.access = access;
    access_now.expected += meets;
}

#define TOUCH_ALL(type)                                        \
    for (unsigned i = 0; i < AREA_BYTES / sizeof(type); i++) { \
        volatile type *at = (volatile type *)(void *)area + i; \
        announce((uint64_t)at, sizeof(type), MAP_WRITE);       \
        *at = (type)i;                                         \
        announce((uint64_t)at, sizeof(type), MAP_READ);        \
        CHECK(*at == (type)i);                                 \
    }

static void touch_area(void *data)
{
    (void)data;
    TOUCH_ALL(uint8_t)
    TOUCH_ALL(uint16_t)
    TOUCH_ALL(uint32_t)
    TOUCH_ALL(uint64_t)
}

static void check_access(struct debuggee *debuggee, const struct ipc_regs *call)
{
    CHECK(debuggee->hits == access_now.expected);
    CHECK((call->words[1] & (call->words[1] - 1)) == 0);
    if (debug_goes_on)
        CHECK(call->words[0] == access_now.start);
    else
        CHECK(call->words[0] - access_now.address < access_now.bytes);
}

static void watch_area(handle_t endpoint, uint32_t offset, uint32_t bytes, uint32_t access)
{
    struct debuggee debuggee;

    debuggee_begin(&debuggee, endpoint, 0, touch_area, NULL);
    debuggee.hit = check_access;
    access_now.expected = 0;
    access_now.start = (uint64_t)area + offset;
    access_now.start_bytes = bytes;
    access_now.wanted = access;
    OK(set(&debuggee, register_for(MAP_READ | MAP_WRITE, bytes % 3), access_now.start, bytes,
           access));
    debuggee_go(&debuggee);
    debug(&debuggee, 1, endpoint);
    CHECK(worker_join(&debuggee.worker));
    CHECK(debuggee.hits == access_now.expected);
    CHECK(debuggee.hits >= bytes + 3);
}

static void test_debug_watchpoints(void)
{
    handle_t endpoint;

    if (debug_watchpoints == 0)
        return;
    OK(sys_endpoint_create(info->budget, &endpoint));
    for (uint32_t bytes = 1; bytes <= 8; bytes *= 2) {
        for (uint32_t access = MAP_READ; access <= (MAP_READ | MAP_WRITE); access++) {
            if (access != MAP_READ || debug_reads)
                watch_area(endpoint, 16 + (8 - bytes), bytes, access);
        }
    }
    if (debug_reads) /* any bytes of eight */
        watch_area(endpoint, 9, 5, MAP_WRITE);
    close_handle(endpoint);
}

/* ── For whom ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void write_words(void *data)
{
    (void)data;
    for (unsigned i = 0; i < LOOPS; i++) {
        for (unsigned j = 0; j < CROWD; j++)
            words[j] = words[j] + 1;
        landmark();
        if (i % 8 == 0)
            OK(sys_thread_yield());
    }
}

/* The same without an end, by threads of whom nobody asks: one exception, and this process would be no more. */
static volatile bool crowd_ends;

static void write_words_on(struct worker *self)
{
    while (!crowd_ends) {
        write_words(NULL);
        self->value++;
    }
}

static void test_debug_meets_nobody_else(void)
{
    struct debuggee debuggee;
    struct worker others[3];
    handle_t endpoint;

    if (debug_watchpoints == 0)
        return;
    crowd_ends = false;
    OK(sys_endpoint_create(info->budget, &endpoint));
    debuggee_begin(&debuggee, endpoint, 0, write_words, NULL);
    OK(set(&debuggee, register_for(MAP_READ | MAP_WRITE, 0), (uint64_t)&words[3], 8, MAP_WRITE));
    OK(set(&debuggee, register_for(MAP_EXECUTE, 1), (uint64_t)landmark, 0, MAP_EXECUTE));
    for (unsigned i = 0; i < 3; i++) {
        worker_start(&others[i], write_words_on, NULL);
        if (i != 0)
            OK(sys_thread_set_affinity(others[i].thread, 0, 1));
    }
    OK(sys_thread_set_affinity(debuggee.thread, 0, 1));
    debuggee_go(&debuggee);
    debug(&debuggee, 1, endpoint);
    for (unsigned i = 0; i < 3; i++)
        CHECK(others[i].value != 0 || EVENTUALLY(others[i].value != 0));
    crowd_ends = true;
    for (unsigned i = 0; i < 3; i++)
        CHECK(worker_join(&others[i]));
    CHECK(worker_join(&debuggee.worker));
    CHECK(debuggee.hits == 2 * LOOPS);
    close_handle(endpoint);
}

static void check_own(struct debuggee *debuggee, const struct ipc_regs *call)
{
    CHECK(call->words[0] - (uint64_t)debuggee->data < sizeof(words[0]));
}

/* Each has a word of its own watched, and all write all. */
static void test_debug_of_many_threads(void)
{
    static struct debuggee debuggees[CROWD];
    handle_t endpoint;

    if (debug_watchpoints == 0)
        return;
    OK(sys_endpoint_create(info->budget, &endpoint));
    for (unsigned i = 0; i < CROWD; i++) {
        debuggee_begin(&debuggees[i], endpoint, i, write_words, (void *)(uintptr_t)&words[i]);
        debuggees[i].hit = check_own;
        OK(set(&debuggees[i], register_for(MAP_READ | MAP_WRITE, i % 2), (uint64_t)&words[i], 8,
               MAP_WRITE));
    }
    for (unsigned i = 0; i < CROWD; i++)
        debuggee_go(&debuggees[i]);
    debug(debuggees, CROWD, endpoint);
    for (unsigned i = 0; i < CROWD; i++) {
        CHECK(worker_join(&debuggees[i].worker));
        CHECK(debuggees[i].hits == LOOPS);
    }
    close_handle(endpoint);
}

#define TURNS 3000u

static void write_now_and_then(void *data)
{
    (void)data;
    for (unsigned i = 0; i < LOOPS; i++) {
        for (volatile unsigned j = 0; j < TURNS; j++)
            ;
        words[5]++;
    }
}

/* Push it from CPU to CPU. */
static void push_around(struct worker *self)
{
    handle_t thread = *(handle_t *)self->context;

    for (unsigned i = 0; !crowd_ends; i++) {
        status_t status = sys_thread_set_affinity(thread, 0, UINT64_C(1) << i % 4);
        CHECK(status == STATUS_OK || status == STATUS_INVALID);
        self->value += status == STATUS_OK;
        OK(sys_thread_yield());
    }
}

static void test_debug_survives_preemption_and_migration(void)
{
    struct debuggee debuggee;
    struct worker pusher, others[4];
    handle_t endpoint;

    if (debug_watchpoints == 0)
        return;
    crowd_ends = false;
    OK(sys_endpoint_create(info->budget, &endpoint));
    debuggee_begin(&debuggee, endpoint, 0, write_now_and_then, NULL);
    OK(set(&debuggee, register_for(MAP_READ | MAP_WRITE, 0), (uint64_t)&words[5], 8, MAP_WRITE));
    for (unsigned i = 0; i < 4; i++)
        worker_start(&others[i], write_words_on, NULL);
    worker_start(&pusher, push_around, &debuggee.thread);
    debuggee_go(&debuggee);
    debug(&debuggee, 1, endpoint);
    CHECK(pusher.value != 0 || EVENTUALLY(pusher.value != 0));
    crowd_ends = true;
    CHECK(worker_join(&pusher));
    for (unsigned i = 0; i < 4; i++)
        CHECK(worker_join(&others[i]));
    CHECK(worker_join(&debuggee.worker));
    CHECK(debuggee.hits == LOOPS);
    close_handle(endpoint);
}

/* The kernel reads and writes for a thread: that is no access of its. */
static void let_kernel_touch(void *data)
{
    handle_t memory = *(handle_t *)data;

    for (unsigned i = 0; i < LOOPS; i++) {
        OK(sys_memory_write(memory, 0, (const void *)(uintptr_t)words, sizeof(words)));
        OK(sys_memory_read(memory, 0, (void *)(uintptr_t)words, sizeof(words)));
    }
}

static void test_debug_is_not_met_by_the_kernel(void)
{
    struct debuggee debuggee;
    handle_t endpoint, memory = memory_new(1, 0);

    if (debug_watchpoints != 0) {
        OK(sys_endpoint_create(info->budget, &endpoint));
        debuggee_begin(&debuggee, endpoint, 0, let_kernel_touch, &memory);
        OK(set(&debuggee, register_for(MAP_READ | MAP_WRITE, 0), (uint64_t)&words[0], 8,
               MAP_READ | MAP_WRITE));
        debuggee_go(&debuggee);
        debug(&debuggee, 1, endpoint);
        CHECK(worker_join(&debuggee.worker));
        CHECK(debuggee.hits == 0);
        close_handle(endpoint);
    }
    close_handle(memory);
}

/* ── Message calls ───────────────────────────────────────────────────────────────────────────────────────────────── */

static void child_calls(void)
{
    for (unsigned i = 0; i < LOOPS; i++) {
        struct ipc_regs call = {.target = child_start.handles[0], .deadline = DEADLINE_NEVER};
        words[6]++;
        OK(ipc_raw_call(&call));
        CHECK(call.words[0] != 0);
    }
    __builtin_trap();
}

/* What it writes is at the same address as what is watched in the child. */
static void serve_and_write(struct worker *self)
{
    handle_t endpoint = *(handle_t *)self->context;
    struct ipc_regs regs = {.target = endpoint, .deadline = DEADLINE_NEVER};

    for (status_t status = ipc_raw_receive(&regs); status_is_ok(status);
         status = ipc_raw_reply_receive(&regs)) {
        words[6]++;
        regs =
            (struct ipc_regs){.target = endpoint, .words = {words[6]}, .deadline = DEADLINE_NEVER};
    }
}

static void test_debug_across_message_calls(void)
{
    struct debuggee debuggee = {0};
    struct child child;
    struct child_start start = {0};
    struct worker server;
    handle_t endpoint, requests;

    if (debug_watchpoints == 0)
        return;
    OK(sys_endpoint_create(info->budget, &endpoint));
    OK(sys_endpoint_create(info->budget, &requests));
    words[6] = 0;
    worker_start(&server, serve_and_write, &requests);
    OK(sys_thread_set_affinity(server.thread, 0, 1));
    child_create(&child, 0, NULL);
    debuggee.thread = child.thread;
    start.handles[0] = child_give(&child, requests);
    OK(sys_thread_set_exception(child.thread, endpoint, 0));
    OK(sys_thread_set_affinity(child.thread, 0, 1));
    OK(sys_thread_suspend(child.thread));
    child_run(&child, &start, child_calls);
    CHECK(EVENTUALLY(set(&debuggee, register_for(MAP_READ | MAP_WRITE, 0), (uint64_t)&words[6], 8,
                         MAP_WRITE) == STATUS_OK));
    OK(sys_thread_resume(child.thread));
    debug(&debuggee, 1, endpoint);
    CHECK(child_end(&child) == 0);
    CHECK(debuggee.hits == LOOPS && words[6] == LOOPS);
    close_handle(requests);
    CHECK(worker_join(&server));
    close_handle(endpoint);
}

extern const struct test debug_tests[];
const struct test debug_tests[] = {
    TEST(test_debug_registers_are_checked),
    TEST(test_debug_registers_of_who_has_no_frame),
    TEST(test_debug_breakpoints),
    TEST(test_debug_watchpoints),
    TEST(test_debug_meets_nobody_else),
    TEST(test_debug_of_many_threads),
    TEST(test_debug_survives_preemption_and_migration),
    TEST(test_debug_is_not_met_by_the_kernel),
    TEST(test_debug_across_message_calls),
    {0},
};

/* Exceptions as calls: to the process's endpoint, to a debugger's, and what becomes of the thread when nobody answers. */
#include "guest.h"

#include <kstring.h>

#define COOKIE UINT64_C(0x1234567890)
#define DEBUGGER_COOKIE UINT64_C(0x777)
/* A page that a child's handler maps for it. */
#define PAGE_THERE UINT64_C(0x200000000)
#define FAULTED ((int64_t)status_code(STATUS_FAULT))

static void child_writes_there(void)
{
    *(volatile uint64_t *)PAGE_THERE = 40;
    child_exit((int64_t)(*(volatile uint64_t *)PAGE_THERE + 2));
}

static void child_stumbles(void)
{
    __builtin_trap();
}

static void child_has_got_up(void)
{
    child_exit(17);
}

static void child_start_faulting(struct child *child, handle_t endpoint, void (*entry)(void))
{
    child_create(child, 0, NULL);
    OK(sys_process_set_exception(child->process, endpoint, COOKIE));
    child_run(child, &(struct child_start){0}, entry);
}

static struct ipc_regs next_call(handle_t endpoint)
{
    struct ipc_regs regs = {.target = endpoint, .deadline = in_ms(PATIENCE_MS)};

    OK(ipc_raw_receive(&regs));
    return regs;
}

static status_t answer(uint64_t token, uint32_t label, uint32_t bytes, uint64_t word)
{
    struct ipc_regs regs = {.target = token,
                            .info = message_info(label, bytes, 0, 0) | (uint64_t)IPC_KIND_EXCEPTION
                                                                           << IPC_INFO_KIND_SHIFT,
                            .words = {word}};

    return ipc_raw_reply(&regs);
}

static void check_page_exception(const struct ipc_regs *call, uint64_t cookie)
{
    struct thread_regs regs;

    memcpy(&regs, my_buffer()->data, sizeof(regs));
    CHECK(message_kind(call->info) == IPC_KIND_EXCEPTION && (uint32_t)call->info == EXCEPTION_PAGE);
    CHECK(call->target == cookie);
    CHECK(call->words[0] == PAGE_THERE && call->words[1] == MAP_WRITE &&
          status_from_code(call->words[2]) == STATUS_FAULT);
    CHECK((call->info >> IPC_INFO_DATA_SHIFT & IPC_INFO_DATA_MASK) == sizeof(regs));
    CHECK(regs.pc != 0 && regs.sp != 0);
}

static void map_there(const struct child *child)
{
    handle_t memory;
    uint64_t mapped;

    OK(sys_memory_create(info->budget, PAGE_SIZE, 0, &memory));
    OK(sys_aspace_map(child->aspace, memory, PAGE_THERE, 0, PAGE_SIZE,
                      MAP_READ | MAP_WRITE | MAP_FIXED, 0, &mapped));
    close_handle(memory);
}

static void test_exception_page_fault_resumes(void)
{
    struct child child;
    handle_t endpoint;

    OK(sys_endpoint_create(info->budget, &endpoint));
    child_start_faulting(&child, endpoint, child_writes_there);
    struct ipc_regs call = next_call(endpoint);

    check_page_exception(&call, COOKIE);
    map_there(&child);
    OK(answer(0, ANSWER_RESTART, 0, 0));
    CHECK_STATUS(STATUS_GONE, answer(0, ANSWER_RESTART, 0, 0));
    CHECK(child_end(&child) == 42);
    close_handle(endpoint);
}

/* The handler waits already: the call goes straight to it. */
static void handle_one(struct worker *self)
{
    struct ipc_regs call = {.target = *(handle_t *)self->context, .deadline = in_ms(PATIENCE_MS)};

    OK(ipc_raw_receive(&call));
    self->value = call.words[0];
    OK(answer(0, ANSWER_KILL, 0, 23));
}

static void test_exception_handler_that_waits_kills(void)
{
    struct child child;
    struct worker worker;
    handle_t endpoint;

    OK(sys_endpoint_create(info->budget, &endpoint));
    worker_start(&worker, handle_one, &endpoint);
    sleep_ms(5);
    child_start_faulting(&child, endpoint, child_writes_there);
    CHECK(worker.value == PAGE_THERE || EVENTUALLY(worker.value == PAGE_THERE));
    CHECK(worker_join(&worker));
    CHECK(child_end(&child) == 23);
    close_handle(endpoint);
}

static void test_exception_frame_is_set(void)
{
    struct child child;
    struct thread_regs regs;
    handle_t endpoint;

    OK(sys_endpoint_create(info->budget, &endpoint));
    child_start_faulting(&child, endpoint, child_stumbles);
    struct ipc_regs call = next_call(endpoint);
    uint32_t exception = (uint32_t)call.info;

    CHECK(exception == EXCEPTION_ILLEGAL || exception == EXCEPTION_BREAKPOINT);
    memcpy(&regs, my_buffer()->data, sizeof(regs));
    regs.pc = KERNEL_ADDRESS;
    memcpy(my_buffer()->data, &regs, sizeof(regs));
    CHECK_STATUS(STATUS_INVALID, answer(0, ANSWER_FRAME, sizeof(regs), 0));
    CHECK_STATUS(STATUS_INVALID, answer(0, ANSWER_FRAME, 8, 0));
    CHECK_STATUS(STATUS_INVALID, answer(0, 4711, 0, 0));
    regs.pc = (uint64_t)child_has_got_up;
    memcpy(my_buffer()->data, &regs, sizeof(regs));
    OK(answer(0, ANSWER_FRAME, sizeof(regs), 0));
    CHECK(child_end(&child) == 17);
    close_handle(endpoint);
}

static void test_exception_thread_ends(void)
{
    struct child child;
    struct process_info process;
    handle_t endpoint;
    uint64_t token;

    OK(sys_endpoint_create(info->budget, &endpoint));
    child_start_faulting(&child, endpoint, child_stumbles);
    (void)next_call(endpoint);
    OK(sys_endpoint_reply_save(HANDLE_NONE, 0, &token));
    CHECK_STATUS(STATUS_GONE, answer(0, ANSWER_EXIT, 0, 0));
    OK(sys_process_info(child.process, &process));
    CHECK(process.state == PROCESS_STATE_RUNNING);
    OK(answer(token, ANSWER_EXIT, 0, 0));
    CHECK_STATUS(STATUS_GONE, answer(token, ANSWER_EXIT, 0, 0));
    CHECK(child_end(&child) == 0);
    close_handle(endpoint);
}

static void test_exception_caller_is_killed(void)
{
    struct child child;
    handle_t endpoint;

    OK(sys_endpoint_create(info->budget, &endpoint));
    child_start_faulting(&child, endpoint, child_stumbles);
    (void)next_call(endpoint);
    OK(sys_process_kill(child.process, 5));
    CHECK(child_end(&child) == 5);
    CHECK_STATUS(STATUS_GONE, answer(0, ANSWER_RESTART, 0, 0));
    close_handle(endpoint);
}

/* A reply that is none, no handler (any more), a handler that ends: each ends the process. */
static void test_exception_without_answer_ends_the_process(void)
{
    struct child child;
    struct ipc_regs plain = {0};
    handle_t endpoint;

    OK(sys_endpoint_create(info->budget, &endpoint));
    child_start_faulting(&child, endpoint, child_stumbles);
    (void)next_call(endpoint);
    CHECK_STATUS(STATUS_GONE, ipc_raw_reply(&plain));
    CHECK(child_end(&child) == FAULTED);
    close_handle(endpoint);

    OK(sys_endpoint_create(info->budget, &endpoint));
    child_start_faulting(&child, endpoint, child_stumbles);
    sleep_ms(5);
    close_handle(endpoint); /* it is queued, or comes too late */
    CHECK(child_end(&child) == FAULTED);

    OK(sys_endpoint_create(info->budget, &endpoint));
    child_create(&child, 0, NULL);
    OK(sys_process_set_exception(child.process, endpoint, COOKIE));
    OK(sys_process_set_exception(child.process, 0, 0));
    child_run(&child, &(struct child_start){0}, child_stumbles);
    CHECK(child_end(&child) == FAULTED);
    OK(sys_endpoint_new_epoch(endpoint));
    close_handle(endpoint);
}

static void receive_and_end(struct worker *self)
{
    self->value = (uint64_t)next_call(*(handle_t *)self->context).words[0];
}

static void test_exception_handler_dies(void)
{
    struct child child;
    struct worker worker;
    handle_t endpoint;
    uint64_t token;

    OK(sys_endpoint_create(info->budget, &endpoint));
    worker_start(&worker, receive_and_end, &endpoint);
    child_start_faulting(&child, endpoint, child_writes_there);
    CHECK(worker_join(&worker));
    CHECK(child_end(&child) == FAULTED);

    /* A new epoch: what was bound in the old one is not served in this one. */
    child_create(&child, 0, NULL);
    OK(sys_process_set_exception(child.process, endpoint, COOKIE));
    OK(sys_endpoint_new_epoch(endpoint));
    child_run(&child, &(struct child_start){0}, child_stumbles);
    CHECK(child_end(&child) == FAULTED);
    CHECK_STATUS(STATUS_NOT_FOUND, sys_endpoint_reply_save(HANDLE_NONE, 0, &token));

    /* Nor what is queued then, whatever its cookie. */
    child_create(&child, 0, NULL);
    OK(sys_process_set_exception(child.process, endpoint, 0));
    child_run(&child, &(struct child_start){0}, child_stumbles);
    sleep_ms(5);
    OK(sys_endpoint_new_epoch(endpoint));
    CHECK(child_end(&child) == FAULTED);
    close_handle(endpoint);
}

/* The process that saved the reply ends. */
static void child_saves_and_ends(void)
{
    uint64_t token;
    struct ipc_regs regs = {.target = child_start.handles[0], .deadline = DEADLINE_NEVER};

    if (ipc_raw_receive(&regs) != STATUS_OK ||
        sys_endpoint_reply_save(HANDLE_NONE, 0, &token) != STATUS_OK)
        child_exit(1);
    child_exit(0);
}

static void test_exception_saving_process_dies(void)
{
    struct child child, handler;
    struct child_start start = {0};
    handle_t endpoint;

    OK(sys_endpoint_create(info->budget, &endpoint));
    child_create(&handler, 0, NULL);
    start.handles[0] = child_give(&handler, endpoint);
    child_run(&handler, &start, child_saves_and_ends);
    child_start_faulting(&child, endpoint, child_stumbles);
    CHECK(child_end(&handler) == 0);
    CHECK(child_end(&child) == FAULTED);
    close_handle(endpoint);
}

static void test_exception_debugger_comes_first(void)
{
    struct child child;
    handle_t endpoint, debugger;

    OK(sys_endpoint_create(info->budget, &endpoint));
    OK(sys_endpoint_create(info->budget, &debugger));
    child_create(&child, 0, NULL);
    OK(sys_process_set_exception(child.process, endpoint, COOKIE));
    OK(sys_thread_set_exception(child.thread, debugger, DEBUGGER_COOKIE));
    child_run(&child, &(struct child_start){0}, child_writes_there);
    struct ipc_regs call = next_call(debugger);

    check_page_exception(&call, DEBUGGER_COOKIE);
    close_handle(debugger);
    /* We receive without having answered: it executes again what it was about, and there is no debugger any more. */
    call = next_call(endpoint);
    check_page_exception(&call, COOKIE);
    map_there(&child);
    OK(answer(0, ANSWER_RESTART, 0, 0));
    CHECK(child_end(&child) == 42);
    close_handle(endpoint);
}

static void test_exception_targets_are_checked(void)
{
    handle_t endpoint, weak;

    OK(sys_endpoint_create(info->budget, &endpoint));
    weak = with_rights(endpoint, RIGHT_CALL | RIGHT_RECEIVE);
    CHECK_STATUS(STATUS_DENIED, sys_process_set_exception(info->process, weak, 0));
    CHECK_STATUS(STATUS_WRONG_TYPE, sys_process_set_exception(info->process, info->budget, 0));
    CHECK_STATUS(STATUS_BAD_HANDLE, sys_thread_set_exception(info->thread, 12345, 0));
    CHECK_STATUS(STATUS_GONE, answer(0, ANSWER_RESTART, 0, 0));
    CHECK_STATUS(STATUS_GONE, answer(UINT64_C(0x200000001), ANSWER_RESTART, 0, 0));
    close_handle(weak);
    close_handle(endpoint);
}

#define STEPS 250u
#define LOOPS 50u

/* Where the child's handler puts it: more instructions than steps, system calls and message calls among them. */
static void child_goes_on(void)
{
    uint64_t sum = 0;

    for (volatile unsigned i = 0; i < LOOPS; i++) {
        struct ipc_regs call = {.target = child_start.handles[0],
                                .words = {i},
                                .deadline = DEADLINE_NEVER};

        OK(ipc_raw_call(&call));
        OK(sys_system_nop());
        sum += call.words[0];
    }
    child_exit((int64_t)sum);
}

/* Answers what it is asked and one more, until its endpoint is gone. */
static void serve(struct worker *self)
{
    handle_t endpoint = *(handle_t *)self->context;
    struct ipc_regs regs = {.target = endpoint, .deadline = DEADLINE_NEVER};

    for (status_t status = ipc_raw_receive(&regs); status_is_ok(status);
         status = ipc_raw_reply_receive(&regs)) {
        regs.words[0]++;
        regs.target = endpoint;
        regs.info = 0;
        regs.deadline = DEADLINE_NEVER;
    }
}

/* The child stands behind a step; answer, and wait for the next one. */
static void step(struct ipc_regs *call, handle_t endpoint, uint64_t *before)
{
    struct thread_regs regs;

    memcpy(&regs, my_buffer()->data, sizeof(regs));
    CHECK(regs.pc != *before && (regs.flags & step_flag) != 0);
    *before = regs.pc;
    *call = (struct ipc_regs){.target = endpoint,
                              .info = message_info(ANSWER_FRAME, sizeof(regs), 0, 0) |
                                      (uint64_t)IPC_KIND_EXCEPTION << IPC_INFO_KIND_SHIFT,
                              .deadline = in_ms(PATIENCE_MS)};
    OK(ipc_raw_reply_receive(call));
}

/* Where there are no single steps nobody can ask for one. */
static void no_flag_is_taken(void)
{
    struct child child;
    struct thread_regs regs;
    handle_t endpoint;

    OK(sys_endpoint_create(info->budget, &endpoint));
    child_start_faulting(&child, endpoint, child_stumbles);
    (void)next_call(endpoint);
    memcpy(&regs, my_buffer()->data, sizeof(regs));
    for (unsigned i = 0; i < 64; i++) {
        regs.flags = UINT64_C(1) << i;
        memcpy(my_buffer()->data, &regs, sizeof(regs));
        CHECK_STATUS(STATUS_INVALID, answer(0, ANSWER_FRAME, sizeof(regs), 0));
    }
    OK(answer(0, ANSWER_KILL, 0, 23));
    CHECK(child_end(&child) == 23);
    close_handle(endpoint);
}

/* Whoever runs in between, its server by the shortest way, is not stepped, and no step of its own is lost. */
static void test_exception_single_step(void)
{
    struct child child;
    struct child_start start = {0};
    struct worker server;
    struct thread_regs regs;
    handle_t endpoint, calls;
    uint64_t before = 0;

    if (step_flag == 0) {
        no_flag_is_taken();
        return;
    }
    OK(sys_endpoint_create(info->budget, &endpoint));
    OK(sys_endpoint_create(info->budget, &calls));
    worker_start(&server, serve, &calls);
    child_create(&child, 0, NULL);
    start.handles[0] = child_give(&child, calls);
    OK(sys_thread_set_exception(child.thread, endpoint, 1));
    OK(sys_thread_set_affinity(child.thread, 0, 1));
    OK(sys_thread_set_affinity(server.thread, 0, 1));
    child_run(&child, &start, child_stumbles);
    struct ipc_regs call = next_call(endpoint);

    memcpy(&regs, my_buffer()->data, sizeof(regs));
    regs.pc = (uint64_t)child_goes_on;
    regs.flags |= step_flag | fault_flags;
    memcpy(my_buffer()->data, &regs, sizeof(regs));
    OK(answer(0, ANSWER_FRAME, sizeof(regs), 0));
    call = next_call(endpoint);
    for (unsigned i = 0; i < STEPS && (uint32_t)call.info == EXCEPTION_STEP; i++)
        step(&call, endpoint, &before);
    CHECK((uint32_t)call.info == EXCEPTION_STEP);
    memcpy(&regs, my_buffer()->data, sizeof(regs));
    regs.flags &= ~step_flag;
    memcpy(my_buffer()->data, &regs, sizeof(regs));
    OK(answer(0, ANSWER_FRAME, sizeof(regs), 0));
    CHECK(child_end(&child) == LOOPS * (LOOPS + 1) / 2);
    close_handle(calls);
    CHECK(worker_join(&server));
    close_handle(endpoint);
}

extern const struct test exception_tests[];
const struct test exception_tests[] = {
    TEST(test_exception_page_fault_resumes),   TEST(test_exception_handler_that_waits_kills),
    TEST(test_exception_frame_is_set),         TEST(test_exception_thread_ends),
    TEST(test_exception_caller_is_killed),     TEST(test_exception_without_answer_ends_the_process),
    TEST(test_exception_handler_dies),         TEST(test_exception_saving_process_dies),
    TEST(test_exception_debugger_comes_first), TEST(test_exception_targets_are_checked),
    TEST(test_exception_single_step),          {0},
};

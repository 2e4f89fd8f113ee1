/* A personality: one loop that serves the system calls, faults and interruptions of all its threads, and pages of its one file.
 *
 * A task is a thread, a process what Linux calls a thread group. A call that must wait is saved under its token in the task and answered when
 * what it waits for has come. A signal is sent by thread_interrupt: a task in a call that waits is answered at once with the frame of the
 * handler, the others come by with an INTERRUPTED call. Forks clone the Memory of each mapping. */
#include "personality.h"

#include "programs/linux.h"
#include <arch_personality.h>
#include <kstring.h>

#define PROCESSES 16u
#define TASKS 24u
#define MAPPINGS 16u
#define PIPES 16u
#define PIPE_BYTES 64u
#define SIGNALS 32u
#define STACK_TOP UINT64_C(0x20000000)
#define STACK_BYTES UINT64_C(16384)
#define MAPS_FROM UINT64_C(0x40000000)
#define FILE_BYTES UINT64_C(16384)
#define FILE_DESCRIPTOR 3
#define PIPE_DESCRIPTORS 10
#define EVENT_DESCRIPTORS 100
#define EVENTS 16u
#define ENOMEM 12
#define EBADF 9
#define PAGER_COOKIE UINT64_C(0xf11e)

struct mapping {
    uint64_t start, bytes;
    uint32_t prot;
    handle_t memory; /* 0: free */
    bool shared;
};

/* What a vfork shares. */
struct space {
    handle_t aspace;
    uint32_t users; /* 0: free */
    uint64_t next_map;
    struct mapping mappings[MAPPINGS];
};

struct process {
    bool used, dead;
    int pid;
    struct process *parent;
    struct space *space;
    handle_t process;
    int status; /* wait status, once dead */
    struct linux_sigaction actions[SIGNALS];
    uint64_t file_offset;
};

enum waits { WAITS_NOT, WAITS_PIPE, WAITS_CHILD, WAITS_VFORK, WAITS_FUTEX };

struct task {
    bool used;
    int tid;
    struct process *process;
    handle_t thread;
    uint64_t token; /* of the call that waits */
    enum waits waits;
    uint64_t address, bytes; /* what it waits for or with */
    int which;               /* pipe, or child */
    bool begins;             /* its first interruption sets the frame */
    uint32_t pending;        /* a signal that is on its way */
    uint64_t cleared;        /* address of the word that its end clears */
    struct thread_regs frame;
    struct breakpoint {
        uint64_t address;
        uint32_t bytes, access;
    } events[EVENTS];  /* by debug register; access 0: none */
    uint64_t stepping; /* registers that are away for a step */
};

struct pipe {
    bool used;
    size_t bytes;
    char data[PIPE_BYTES];
};

char personality_output[256];
uint64_t personality_calls, personality_served_ns;

static struct process processes[PROCESSES];
static struct space spaces[PROCESSES];
static struct task tasks[TASKS];
static struct pipe pipes[PIPES];
static handle_t endpoint, queue, table, constants, file_pages, file_data;
static struct foreign_call *table_words;
static uint64_t *constant_words;
static const unsigned char *program_self;
static int next_id;

/* ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

static status_t answer_words(uint64_t token, uint32_t label, size_t bytes, const uint64_t words[5])
{
    struct ipc_regs regs = {.target = token,
                            .info = message_info(label, (uint32_t)bytes, 0, 0) |
                                    (uint64_t)IPC_KIND_FOREIGN << IPC_INFO_KIND_SHIFT};

    memcpy(regs.words, words, 5 * sizeof(words[0]));
    return ipc_raw_reply(&regs);
}

static void answer(uint64_t token, uint32_t label, uint64_t word, uint64_t second)
{
    status_t status = answer_words(token, label, 0, (uint64_t[5]){word, second});

    CHECK(status == STATUS_OK || status == STATUS_GONE);
}

/* A value that answers the present call is given with the next receive, as a personality in a hurry would. */
static bool value_is_due;
static int64_t value_due;

static void answer_value(uint64_t token, int64_t value)
{
    if (token != 0) {
        answer(token, ANSWER_VALUE, (uint64_t)value, 0);
        return;
    }
    CHECK(!value_is_due);
    value_is_due = true;
    value_due = value;
}

static status_t next_call(struct ipc_regs *call)
{
    *call = (struct ipc_regs){.target = endpoint, .queue = queue, .deadline = in_ms(PATIENCE_MS)};
    if (!value_is_due)
        return ipc_raw_receive(call);
    value_is_due = false;
    call->deadline = DEADLINE_NEVER;
    call->info = ANSWER_VALUE | (uint64_t)IPC_KIND_FOREIGN << IPC_INFO_KIND_SHIFT;
    call->words[0] = (uint64_t)value_due;
    return ipc_raw_reply_receive(call);
}

static void answer_frame(uint64_t token, const struct thread_regs *regs)
{
    memcpy(my_buffer()->data, regs, sizeof(*regs));
    status_t status = answer_words(token, ANSWER_FRAME, sizeof(*regs), (uint64_t[5]){0});

    CHECK(status == STATUS_OK || status == STATUS_GONE);
}

/* What an answer that copies to @address may have met: a page that is not there yet, or none. */
static bool is_mapped(const struct task *task, uint64_t address)
{
    const struct space *space = task->process->space;

    for (unsigned i = 0; i < MAPPINGS; i++) {
        const struct mapping *mapping = &space->mappings[i];
        if (mapping->memory != 0 && address - mapping->start < mapping->bytes)
            return true;
    }
    return false;
}

static void answer_after_fault(const struct task *task, uint64_t token, uint64_t address,
                               uint32_t access)
{
    if (is_mapped(task, address))
        answer(token, ANSWER_FAULT_IN, address, access);
    else
        answer_value(token, -EFAULT);
}

/* ── Memory ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void space_add(struct space *space, uint64_t start, uint64_t bytes, uint32_t prot,
                      handle_t memory, bool shared)
{
    uint64_t mapped;

    OK(sys_aspace_map(space->aspace, memory, start, 0, bytes, prot | MAP_FIXED, 0, &mapped));
    for (unsigned i = 0; i < MAPPINGS; i++) {
        if (space->mappings[i].memory != 0)
            continue;
        space->mappings[i] = (struct mapping){start, bytes, prot, memory, shared};
        return;
    }
    CHECK(false);
}

static struct space *space_new(void)
{
    for (unsigned i = 0; i < PROCESSES; i++) {
        if (spaces[i].users != 0)
            continue;
        memset(&spaces[i], 0, sizeof(spaces[i]));
        spaces[i].users = 1;
        spaces[i].next_map = MAPS_FROM;
        OK(sys_aspace_create(info->budget, &spaces[i].aspace));
        return &spaces[i];
    }
    CHECK(false);
    return &spaces[0];
}

static void space_drop(struct space *space)
{
    if (--space->users != 0)
        return;
    for (unsigned i = 0; i < MAPPINGS; i++) {
        if (space->mappings[i].memory != 0 && !space->mappings[i].shared)
            close_handle(space->mappings[i].memory);
    }
    close_handle(space->aspace);
}

static struct space *space_fork(const struct space *from)
{
    struct space *space = space_new();

    space->next_map = from->next_map;
    for (unsigned i = 0; i < MAPPINGS; i++) {
        const struct mapping *mapping = &from->mappings[i];
        handle_t clone = mapping->memory;
        if (clone == 0)
            continue;
        if (!mapping->shared)
            OK(sys_memory_clone(mapping->memory, info->budget, 0, mapping->bytes, &clone));
        space_add(space, mapping->start, mapping->bytes, mapping->prot, clone, mapping->shared);
    }
    return space;
}

static handle_t anonymous_new(uint64_t bytes)
{
    handle_t memory;

    OK(sys_memory_create(info->budget, bytes, 0, &memory));
    return memory;
}

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

/* Load @program and give it a stack with argc, argv (of one letter), and an empty environment: the registers that it begins with. */
static struct thread_regs program_load(struct space *space, const unsigned char *program,
                                       char letter)
{
    struct thread_regs regs = {.sp = STACK_TOP - 64};
    uint64_t phoff;
    uint16_t phnum;

    memcpy(&regs.pc, program + 24, 8);
    memcpy(&phoff, program + 32, 8);
    memcpy(&phnum, program + 56, 2);
    for (unsigned i = 0; i < phnum; i++) {
        struct elf_segment segment;
        memcpy(&segment, program + phoff + i * sizeof(segment), sizeof(segment));
        if (segment.type != 1)
            continue;
        uint64_t start = segment.vaddr & ~(PAGE_SIZE - 1);
        uint64_t bytes = (segment.vaddr + segment.memsz - start + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
        handle_t memory = anonymous_new(bytes);
        OK(sys_memory_write(memory, segment.vaddr - start, program + segment.offset,
                            segment.filesz));
        space_add(space, start, bytes,
                  MAP_READ | ((segment.flags & 2) != 0 ? MAP_WRITE : 0) |
                      ((segment.flags & 1) != 0 ? MAP_EXECUTE : 0),
                  memory, false);
    }
    handle_t stack = anonymous_new(STACK_BYTES);
    uint64_t words[8] = {1, STACK_TOP - 8, 0, 0, 0, 0, 0, (unsigned char)letter};
    OK(sys_memory_write(stack, STACK_BYTES - sizeof(words), words, sizeof(words)));
    space_add(space, STACK_TOP - STACK_BYTES, STACK_BYTES, MAP_READ | MAP_WRITE, stack, false);
    space_add(space, CLOCK_PAGE_ADDRESS, PAGE_SIZE, MAP_READ, info->clock, true);
    return regs;
}

/* ── Processes and tasks ─────────────────────────────────────────────────────────────────────────────────────────── */

static struct process *process_new(struct process *parent, struct space *space)
{
    for (unsigned i = 0; i < PROCESSES; i++) {
        struct process *process = &processes[i];
        if (process->used)
            continue;
        memset(process, 0, sizeof(*process));
        process->used = true;
        process->pid = next_id;
        process->parent = parent;
        process->space = space;
        if (parent != NULL)
            memcpy(process->actions, parent->actions, sizeof(process->actions));
        OK(sys_process_create(info->budget, space->aspace, "linux", 5, &process->process));
        return process;
    }
    CHECK(false);
    return &processes[0];
}

/* A thread that will begin with @regs: the answer to the interruption that it makes before anything else. */
static struct task *task_new(struct process *process, const struct thread_regs *regs)
{
    for (unsigned i = 0; i < TASKS; i++) {
        struct task *task = &tasks[i];
        uint64_t call;
        if (task->used)
            continue;
        memset(task, 0, sizeof(*task));
        task->used = true;
        task->begins = true;
        task->tid = next_id++;
        task->process = process;
        task->frame = *regs;
        uint64_t *words = constant_words + i * 8;
        words[0] = (uint64_t)process->pid;
        words[1] = process->parent == NULL ? 1 : (uint64_t)process->parent->pid;
        words[2] = (uint64_t)task->tid;
        OK(sys_thread_create(process->process, info->budget, &task->thread));
        OK(sys_thread_set_foreign(task->thread, endpoint, i + 1, table, constants, i * 64));
        OK(sys_thread_interrupt(task->thread, &call));
        CHECK(call == FOREIGN_NO_CALL);
        OK(sys_thread_start(task->thread, 0x10000, 0x10000, 0, 0));
        return task;
    }
    CHECK(false);
    return &tasks[0];
}

static void task_forget(struct task *task)
{
    close_handle(task->thread);
    task->used = false;
}

static struct process *zombie_of(const struct process *parent, int which)
{
    for (unsigned i = 0; i < PROCESSES; i++) {
        struct process *process = &processes[i];
        if (process->used && process->dead && process->parent == parent &&
            (which <= 0 || process->pid == which))
            return process;
    }
    return NULL;
}

/* Answer the wait4 of @task if there is somebody to tell of. */
static void task_reap(struct task *task)
{
    struct process *zombie = zombie_of(task->process, task->which);

    if (zombie == NULL)
        return;
    task->waits = WAITS_NOT;
    memcpy(my_buffer()->data, &zombie->status, sizeof(zombie->status));
    OK(answer_words(task->token, ANSWER_VALUE, sizeof(zombie->status),
                    (uint64_t[5]){(uint64_t)zombie->pid, task->address}));
    close_handle(zombie->process);
    zombie->used = false;
}

static void vfork_done(const struct process *child)
{
    for (unsigned i = 0; i < TASKS; i++) {
        struct task *task = &tasks[i];
        if (!task->used || task->waits != WAITS_VFORK || task->which != child->pid)
            continue;
        task->waits = WAITS_NOT;
        answer_value(task->token, child->pid);
    }
}

static void process_end(struct process *process, int status)
{
    if (process->dead)
        return;
    process->dead = true;
    process->status = status;
    OK(sys_process_kill(process->process, status));
    for (unsigned i = 0; i < TASKS; i++) {
        if (tasks[i].used && tasks[i].process == process)
            task_forget(&tasks[i]);
    }
    space_drop(process->space);
    vfork_done(process);
    for (unsigned i = 0; i < TASKS; i++) {
        if (tasks[i].used && tasks[i].process == process->parent && tasks[i].waits == WAITS_CHILD)
            task_reap(&tasks[i]);
    }
}

/* ── Signals ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/* The registers with which @task runs the handler of @signal and finds, by the restorer, back to @regs; false: there is no handler. */
static bool signal_frame(struct task *task, int signal, const struct thread_regs *regs,
                         struct thread_regs *handler)
{
    const struct linux_sigaction *action = &task->process->actions[signal];
    uint64_t done;

    if (action->handler == NULL)
        return false;
    *handler = *regs;
    handler->sp = ((regs->sp - 128 - sizeof(*regs)) & ~UINT64_C(15));
    OK(sys_aspace_write(task->process->space->aspace, handler->sp, regs, sizeof(*regs), &done));
    CHECK(done == sizeof(*regs));
    frame_return_set(handler, task->process->space->aspace, (uint64_t)action->restorer);
    handler->pc = (uint64_t)action->handler;
    handler->gpr[GPR_ARGUMENT] = (uint64_t)signal;
    return true;
}

/* Deliver @signal to @task, which is here under @token with @regs. */
static void signal_deliver(struct task *task, uint64_t token, int signal,
                           const struct thread_regs *regs)
{
    struct thread_regs handler;

    if (signal_frame(task, signal, regs, &handler))
        answer_frame(token, &handler);
    else
        process_end(task->process, signal);
}

static void signal_send(struct process *process, int signal)
{
    uint64_t call;

    if (signal == SIGKILL) {
        process_end(process, signal);
        return;
    }
    for (unsigned i = 0; i < TASKS; i++) {
        struct task *task = &tasks[i];
        if (!task->used || task->process != process)
            continue;
        OK(sys_thread_interrupt(task->thread, &call));
        CHECK((call != FOREIGN_NO_CALL) == (task->waits != WAITS_NOT));
        if (call == FOREIGN_NO_CALL) {
            task->pending = (uint32_t)signal;
        } else {
            struct thread_regs regs;
            OK(sys_thread_get_regs(task->thread, &regs));
            task->waits = WAITS_NOT;
            regs.pc += CALL_BYTES;
            regs.gpr[GPR_RESULT] = (uint64_t)(int64_t)-EINTR;
            signal_deliver(task, task->token, signal, &regs);
        }
        return;
    }
}

/* ── System calls ────────────────────────────────────────────────────────────────────────────────────────────────── */

static void wait_for(struct task *task, enum waits waits, uint64_t address, uint64_t bytes,
                     int which)
{
    OK(sys_endpoint_reply_save(HANDLE_NONE, 0, &task->token));
    task->waits = waits;
    task->address = address;
    task->bytes = bytes;
    task->which = which;
}

static struct pipe *pipe_of(uint64_t descriptor, unsigned end)
{
    uint64_t index = (descriptor - PIPE_DESCRIPTORS) / 2;

    return descriptor >= PIPE_DESCRIPTORS && index < PIPES && pipes[index].used &&
                   descriptor % 2 == end
               ? &pipes[index]
               : NULL;
}

static void pipe_to(struct task *task, uint64_t token, struct pipe *pipe, uint64_t address,
                    uint64_t bytes)
{
    size_t part = bytes < pipe->bytes ? bytes : pipe->bytes;

    memcpy(my_buffer()->data, pipe->data, part);
    status_t status = answer_words(token, ANSWER_VALUE, part, (uint64_t[5]){part, address});
    if (status == STATUS_FAULT) {
        answer_after_fault(task, token, address, MAP_WRITE);
    } else {
        pipe->bytes -= part;
        memmove(pipe->data, pipe->data + part, pipe->bytes);
    }
}

static void call_read(struct task *task, const uint64_t *words)
{
    struct pipe *pipe = pipe_of(words[0], 0);

    if (pipe != NULL && pipe->bytes == 0) {
        wait_for(task, WAITS_PIPE, words[1], words[2], (int)(pipe - pipes));
    } else if (pipe != NULL) {
        pipe_to(task, 0, pipe, words[1], words[2]);
    } else if (words[0] != FILE_DESCRIPTOR) {
        answer_value(0, -EBADF);
    } else {
        uint64_t *offset = &task->process->file_offset;
        uint64_t bytes = words[2] < FILE_BYTES - *offset ? words[2] : FILE_BYTES - *offset;
        status_t status = answer_words(0, ANSWER_MEMORY, 0,
                                       (uint64_t[5]){bytes, words[1], file_data, *offset, bytes});
        if (status == STATUS_FAULT)
            answer_after_fault(task, 0, words[1], MAP_WRITE);
        else
            *offset += bytes;
        CHECK(status == STATUS_OK || status == STATUS_FAULT);
    }
}

/* What is written came along, as far as it was there. */
static void call_write(struct task *task, const uint64_t *words, const char *data, size_t bytes)
{
    struct pipe *pipe = pipe_of(words[0], 1);

    if (bytes < words[2]) {
        answer_after_fault(task, 0, words[1] + bytes, MAP_READ);
        return;
    }
    if (pipe == NULL) {
        memcpy(personality_output, data, bytes < sizeof(personality_output) ? bytes : 0);
        answer_value(0, (int64_t)bytes);
        return;
    }
    CHECK(pipe->bytes + bytes <= PIPE_BYTES);
    memcpy(pipe->data + pipe->bytes, data, bytes);
    pipe->bytes += bytes;
    answer_value(0, (int64_t)bytes);
    for (unsigned i = 0; i < TASKS && pipe->bytes != 0; i++) {
        if (!tasks[i].used || tasks[i].waits != WAITS_PIPE || &pipes[tasks[i].which] != pipe)
            continue;
        tasks[i].waits = WAITS_NOT;
        pipe_to(&tasks[i], tasks[i].token, pipe, tasks[i].address, tasks[i].bytes);
    }
}

static void call_pipe(const uint64_t *words)
{
    for (int i = 0; i < (int)PIPES; i++) {
        if (pipes[i].used)
            continue;
        int ends[2] = {PIPE_DESCRIPTORS + 2 * i, PIPE_DESCRIPTORS + 2 * i + 1};
        uint64_t done;
        pipes[i] = (struct pipe){.used = true};
        OK(sys_endpoint_reply_write(0, 0, words[0], ends, sizeof(ends), &done));
        CHECK(done == sizeof(ends));
        answer_value(0, 0);
        return;
    }
    answer_value(0, -ENOMEM);
}

static void call_mmap(struct task *task, const uint64_t *words)
{
    struct space *space = task->process->space;
    bool is_file = (int)words[4] == FILE_DESCRIPTOR;
    uint64_t at = words[0];

    if (at == 0) {
        at = space->next_map;
        space->next_map += words[1] + PAGE_SIZE;
    }
    space_add(space, at, words[1], (uint32_t)words[2] & 7,
              is_file ? file_pages : anonymous_new(words[1]), is_file);
    answer_value(0, (int64_t)at);
}

/* fork, vfork and threads; the frame came along, and is at the call. */
static void call_clone(struct task *task, const uint64_t *words, const struct thread_regs *frame)
{
    uint64_t flags = words[0];
    struct thread_regs regs = *frame;
    uint64_t cleared = words[CLONE_CLEARED], tls = words[CLONE_TLS];
    struct process *process = task->process;

    regs.pc += CALL_BYTES;
    regs.gpr[GPR_RESULT] = 0;
    if (words[1] != 0)
        regs.sp = words[1];
    if ((flags & CLONE_SETTLS) != 0)
        regs.tls = tls;
    if ((flags & CLONE_THREAD) == 0) {
        struct space *space = process->space;
        if ((flags & CLONE_VM) != 0)
            space->users++;
        else
            space = space_fork(space);
        process = process_new(process, space);
        process->file_offset = task->process->file_offset;
    }
    struct task *child = task_new(process, &regs);
    if ((flags & CLONE_CHILD_CLEARTID) != 0)
        child->cleared = cleared;
    if ((flags & CLONE_VFORK) != 0)
        wait_for(task, WAITS_VFORK, 0, 0, process->pid);
    else
        answer_value(0, child->tid);
}

/* Only ourselves can be executed. */
static void call_execve(struct task *task, const uint64_t *words)
{
    struct process *process = task->process;
    uint64_t argument, done;
    char letter;

    OK(sys_endpoint_reply_read(0, 0, words[1], &argument, sizeof(argument), &done));
    OK(sys_endpoint_reply_read(0, 0, argument, &letter, 1, &done));
    struct space *space = space_new();
    struct thread_regs regs = program_load(space, program_self, letter);
    OK(sys_thread_set_aspace(task->thread, space->aspace));
    space_drop(process->space);
    process->space = space;
    memset(process->actions, 0, sizeof(process->actions));
    vfork_done(process);
    answer_frame(0, &regs);
}

static void call_futex(struct task *task, const uint64_t *words)
{
    uint32_t value;
    uint64_t done;
    int64_t woken = 0;

    if ((words[1] & 0x7f) == FUTEX_WAIT) {
        OK(sys_endpoint_reply_read(0, 0, words[0], &value, sizeof(value), &done));
        if (value == (uint32_t)words[2])
            wait_for(task, WAITS_FUTEX, words[0], 0, 0);
        else
            answer_value(0, -EAGAIN);
        return;
    }
    for (unsigned i = 0; i < TASKS && woken < (int64_t)words[2]; i++) {
        if (!tasks[i].used || tasks[i].waits != WAITS_FUTEX || tasks[i].process != task->process ||
            tasks[i].address != words[0])
            continue;
        tasks[i].waits = WAITS_NOT;
        answer_value(tasks[i].token, 0);
        woken++;
    }
    answer_value(0, woken);
}

static void call_clock(struct task *task, const uint64_t *words)
{
    uint64_t now = now_ns();
    struct linux_timespec time = {(long)(now / 1000000000), (long)(now % 1000000000)};

    memcpy(my_buffer()->data, &time, sizeof(time));
    if (answer_words(0, ANSWER_VALUE, sizeof(time), (uint64_t[5]){0, words[1]}) == STATUS_FAULT)
        answer_after_fault(task, 0, words[1], MAP_WRITE);
}

static void call_exit(struct task *task)
{
    struct process *process = task->process;
    uint64_t address = task->cleared, done;
    const uint32_t none = 0;

    task->used = false;
    answer(0, ANSWER_EXIT, 0, 0);
    if (address != 0) {
        OK(sys_aspace_write(process->space->aspace, address, &none, sizeof(none), &done));
        for (unsigned i = 0; i < TASKS; i++) {
            if (tasks[i].used && tasks[i].waits == WAITS_FUTEX && tasks[i].process == process &&
                tasks[i].address == address) {
                tasks[i].waits = WAITS_NOT;
                answer_value(tasks[i].token, 0);
            }
        }
    }
    close_handle(task->thread);
}

static void call_sigaction(struct task *task, const uint64_t *words)
{
    uint64_t done;

    OK(sys_endpoint_reply_read(0, 0, words[1], &task->process->actions[words[0] % SIGNALS],
                               sizeof(struct linux_sigaction), &done));
    answer_value(0, 0);
}

static void call_sigreturn(const struct thread_regs *frame)
{
    struct thread_regs regs;
    uint64_t done;

    OK(sys_endpoint_reply_read(0, 0, frame->sp, &regs, sizeof(regs), &done));
    CHECK(done == sizeof(regs));
    answer_frame(0, &regs);
}

static void call_kill(struct task *task, const uint64_t *words, const struct thread_regs *frame)
{
    int signal = (int)words[1] % (int)SIGNALS;

    if ((int)words[0] == task->process->pid) {
        struct thread_regs regs = *frame;
        regs.pc += CALL_BYTES;
        regs.gpr[GPR_RESULT] = 0;
        signal_deliver(task, 0, signal, &regs);
        return;
    }
    /* Answered first: the one that is told may run at once. */
    answer_value(0, 0);
    for (unsigned i = 0; i < PROCESSES; i++) {
        if (processes[i].used && !processes[i].dead && processes[i].pid == (int)words[0])
            signal_send(&processes[i], signal);
    }
}

/* ── Breakpoints of the CPU ──────────────────────────────────────────────────────────────────────────────────────── */

/* The first free register that can do it: a breakpoint is one byte or more to Linux. */
static int64_t event_new(struct task *task, const struct linux_perf_event *want)
{
    uint32_t bytes = want->bp_type == BREAKPOINT_EXECUTE ? 0 : (uint32_t)want->bp_bytes;
    uint64_t address;
    uint32_t had, access, takes;

    if (want->type != PERF_TYPE_BREAKPOINT)
        return -ENOENT;
    for (uint32_t i = 0; i < EVENTS; i++) {
        status_t status = sys_thread_get_debug(task->thread, i, &address, &had, &access, &takes);
        if (status != STATUS_OK)
            return status == STATUS_UNSUPPORTED ? -ENOENT : -ENOSPC;
        if (access != 0 || (takes & want->bp_type) != want->bp_type)
            continue;
        status = sys_thread_set_debug(task->thread, i, want->bp_address, bytes, want->bp_type);
        if (status != STATUS_OK)
            return -EINVAL;
        task->events[i] = (struct breakpoint){want->bp_address, bytes, want->bp_type};
        return EVENT_DESCRIPTORS + (int64_t)i;
    }
    return -ENOSPC;
}

static void call_perf_event_open(struct task *task, const uint64_t *words)
{
    struct linux_perf_event want;
    uint64_t done;

    OK(sys_endpoint_reply_read(0, 0, words[0], &want, sizeof(want), &done));
    answer_value(0, event_new(task, &want));
}

static void call_close(struct task *task, const uint64_t *words)
{
    uint64_t i = words[0] - EVENT_DESCRIPTORS;

    if (i >= EVENTS || task->events[i].access == 0) {
        answer_value(0, -EBADF);
        return;
    }
    OK(sys_thread_set_debug(task->thread, (uint32_t)i, 0, 0, 0));
    task->events[i].access = 0;
    answer_value(0, 0);
}

static void events_set(struct task *task, bool on)
{
    for (uint32_t i = 0; i < EVENTS; i++) {
        const struct breakpoint *event = &task->events[i];
        if ((task->stepping >> i & 1) != 0)
            OK(sys_thread_set_debug(task->thread, i, event->address, event->bytes,
                                    on ? event->access : 0));
    }
}

/* SIGTRAP, where the thread stands before what it met behind that: a single step without the register. */
static void serve_debug(struct task *task, uint64_t registers, struct thread_regs *frame)
{
    if (DEBUG_GOES_ON) {
        signal_deliver(task, 0, SIGTRAP, frame);
        return;
    }
    CHECK(registers != 0 && task->stepping == 0);
    task->stepping = registers;
    events_set(task, false);
    frame->flags |= STEP_FLAG;
    answer_frame(0, frame);
}

static void serve_step(struct task *task, struct thread_regs *frame)
{
    events_set(task, true);
    task->stepping = 0;
    frame->flags &= ~STEP_FLAG;
    signal_deliver(task, 0, SIGTRAP, frame);
}

static void serve_call(struct task *task, const struct ipc_regs *call)
{
    struct thread_regs frame;
    const uint64_t *words = call->words;
    const char *data = (const char *)my_buffer()->data;
    size_t bytes = call->info >> IPC_INFO_DATA_SHIFT & IPC_INFO_DATA_MASK;
    static char copy[IPC_DATA_MAX];

    memcpy(copy, data, bytes);
    memcpy(&frame, copy, sizeof(frame));
    switch ((uint32_t)call->info) {
    case NR_read:
        call_read(task, words);
        break;
    case NR_write:
        call_write(task, words, copy, bytes);
        break;
    case NR_openat:
        task->process->file_offset = 0;
        answer_value(0, FILE_DESCRIPTOR);
        break;
    case NR_pipe2:
        call_pipe(words);
        break;
    case NR_mmap:
        call_mmap(task, words);
        break;
    case NR_clone:
        call_clone(task, words, &frame);
        break;
    case NR_execve:
        call_execve(task, words);
        break;
    case NR_clock_gettime:
        call_clock(task, words);
        break;
    case NR_wait4:
        if ((words[2] & WNOHANG) != 0 && zombie_of(task->process, (int)words[0]) == NULL) {
            answer_value(0, 0);
            break;
        }
        wait_for(task, WAITS_CHILD, words[1], 0, (int)words[0]);
        task_reap(task);
        break;
    case NR_futex:
        call_futex(task, words);
        break;
    case NR_exit:
        call_exit(task);
        break;
    case NR_exit_group:
        process_end(task->process, (int)(words[0] & 0xff) << 8);
        break;
    case NR_rt_sigaction:
        call_sigaction(task, words);
        break;
    case NR_rt_sigreturn:
        call_sigreturn(&frame);
        break;
    case NR_perf_event_open:
        call_perf_event_open(task, words);
        break;
    case NR_close:
        call_close(task, words);
        break;
    case NR_kill:
        call_kill(task, words, &frame);
        break;
    default:
        answer_value(0, -ENOSYS);
    }
}

/* ── The loop ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static void serve_interrupted(struct task *task, const struct thread_regs *frame)
{
    int signal = (int)task->pending;

    task->pending = 0;
    if (task->begins)
        answer_frame(0, &task->frame);
    else if (signal != 0)
        signal_deliver(task, 0, signal, frame);
    else
        answer(0, ANSWER_RESTART, 0, 0);
    task->begins = false;
}

static void serve_pager(void)
{
    uint64_t offset, bytes;
    uint32_t kind;

    while (sys_memory_pager_next(file_pages, &offset, &bytes, &kind) == STATUS_OK) {
        static char page[PAGE_SIZE];
        handle_t source = anonymous_new(PAGE_SIZE);
        OK(sys_memory_read(file_data, offset, page, PAGE_SIZE));
        OK(sys_memory_write(source, 0, page, PAGE_SIZE));
        OK(sys_memory_supply(file_pages, offset, source, 0, PAGE_SIZE, 0));
        close_handle(source);
    }
}

static void serve(const struct ipc_regs *call)
{
    struct thread_regs frame;
    uint32_t kind = message_kind(call->info);

    if (kind == IPC_KIND_EVENT) {
        CHECK(call->target == PAGER_COOKIE && call->words[0] == EVENT_PAGER);
        serve_pager();
        return;
    }
    CHECK(call->target >= 1 && call->target <= TASKS);
    struct task *task = &tasks[(call->target - 1) % TASKS];
    if (!task->used)
        return; /* it was killed after it had called */
    personality_calls++;
    memcpy(&frame, my_buffer()->data, sizeof(frame));
    if (kind == IPC_KIND_FOREIGN)
        serve_call(task, call);
    else if (kind == IPC_KIND_INTERRUPTED)
        serve_interrupted(task, &frame);
    else if (kind == IPC_KIND_EXCEPTION && (uint32_t)call->info == EXCEPTION_DEBUG)
        serve_debug(task, call->words[1], &frame);
    else if (kind == IPC_KIND_EXCEPTION && task->stepping != 0)
        serve_step(task, &frame);
    else if (kind == IPC_KIND_EXCEPTION)
        signal_deliver(task, 0, SIGSEGV, &frame);
    else
        CHECK(false);
}

static void table_fill(void)
{
    table_words[NR_getpid] = (struct foreign_call){.action = FOREIGN_ACTION_CONSTANT, .value = 0};
    table_words[NR_getppid] = (struct foreign_call){.action = FOREIGN_ACTION_CONSTANT, .value = 1};
    table_words[NR_gettid] = (struct foreign_call){.action = FOREIGN_ACTION_CONSTANT, .value = 2};
    table_words[NR_write] = (struct foreign_call){.action = FOREIGN_ACTION_COPY,
                                                  .argument = 1,
                                                  .limit = 2,
                                                  .value = 256};
    const unsigned framed[] = {NR_clone, NR_rt_sigreturn, NR_kill};
    for (unsigned i = 0; i < sizeof(framed) / sizeof(framed[0]); i++)
        table_words[framed[i]].action = FOREIGN_ACTION_FRAME;
}

static void personality_begin(void)
{
    char data[256];

    OK(sys_endpoint_create(info->budget, &endpoint));
    OK(sys_queue_create(info->budget, &queue));
    table_words = map_new(PAGE_SIZE, &table);
    constant_words = map_new(PAGE_SIZE, &constants);
    table_fill();
    OK(sys_memory_create(info->budget, FILE_BYTES, 0, &file_data));
    OK(sys_memory_create(info->budget, FILE_BYTES, MEMORY_PAGED, &file_pages));
    OK(sys_memory_set_pager(file_pages, queue, PAGER_COOKIE));
    for (uint64_t at = 0; at < FILE_BYTES; at += sizeof(data)) {
        for (unsigned i = 0; i < sizeof(data); i++)
            data[i] = (char)((at + i) * 7);
        OK(sys_memory_write(file_data, at, data, sizeof(data)));
    }
    memset(pipes, 0, sizeof(pipes));
    value_is_due = false;
    next_id = 100;
    personality_calls = personality_served_ns = 0;
}

static void personality_end(void)
{
    for (unsigned i = 0; i < PROCESSES; i++) {
        struct process *process = &processes[i];
        if (!process->used)
            continue;
        process_end(process, SIGKILL);
        if (process->used)
            close_handle(process->process);
        process->used = false;
    }
    close_handle(endpoint);
    close_handle(queue);
    close_handle(file_data);
    close_handle(file_pages);
    unmap(table_words, PAGE_SIZE);
    unmap(constant_words, PAGE_SIZE);
    close_handle(table);
    close_handle(constants);
}

int personality_run(const unsigned char *program, char letter)
{
    personality_begin();
    program_self = program;
    struct space *space = space_new();
    struct thread_regs regs = program_load(space, program, letter);
    struct process *first = process_new(NULL, space);
    struct process_info process;
    struct thread_info thread;
    task_new(first, &regs);
    OK(sys_process_info(first->process, &process));
    while (!first->dead) {
        struct ipc_regs call;
        status_t status = next_call(&call);
        if (status != STATUS_OK) {
            say("the personality gets %s", status_name(status));
            break;
        }
        if (sys_budget_thread_next(info->budget, process.id, 0, &thread) == STATUS_OK)
            personality_served_ns = thread.served_ns;
        serve(&call);
    }
    int status = first->dead ? first->status : -1;
    personality_end();
    return status;
}

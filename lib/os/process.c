/* Starting a program.
 *
 * The new address space is filled from here: read-only segments are mapped from the file's own Memory, so that all processes share
 * them; writable ones are copied into new Memory (they are a few pages); the stack lies at a random place with nothing below it.
 * At the stack's top stands what start.c looks for: the vector of arguments, environment and auxiliary values, and the start block
 * with the names and handles of the capabilities given. If anything fails the half-made process is ended, and with it goes all that it
 * has; only then is the status told. */
#include <os/process.h>

#include <arch_program.h>
#include <elf.h>
#include <os/elf.h>
#include <os/memory.h>
#include <os/start.h>
#include <stdlib.h>
#include <string.h>
#include <veridian/syscalls.h>

#include "start_block.h"

#define AUX_PAIRS 8u
#define RANDOM_BYTES 16u
#define SELF_CAPS 5u
/** The image is loaded somewhere in the second quarter's end of the user's addresses, the stack in its last part. */
#define IMAGE_WINDOW (USER_END / 4)
#define IMAGE_START (USER_END / 2)
#define STACK_WINDOW (UINT64_C(1) << 30)
#define SELF_PROCESS_RIGHTS (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_INSPECT | RIGHT_MANAGE)
#define SELF_THREAD_RIGHTS SELF_PROCESS_RIGHTS
#define SELF_BUDGET_RIGHTS (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_SPEND)
#define SELF_CLOCK_RIGHTS (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_READ)

/** A program in the making. */
struct spawn {
    const struct process_start *start;
    handle_t budget;
    handle_t process;
    handle_t aspace;
    handle_t thread;
    struct elf_image image;
    uint64_t base; /**< where the image is loaded */
    uint64_t stack_base;
    uint64_t stack_bytes;
    uint64_t ipc_buffer;
    uint8_t *frame; /**< what stands at the top of the stack, and how much: */
    size_t frame_bytes;
    uint64_t frame_address;
    struct start_block *block; /**< in frame */
};

/* --- the image -------------------------------------------------------------------------------------------- */

static status_t image_check(struct spawn *spawn)
{
    const struct process_image *file = &spawn->start->image;
    uint64_t memory_bytes = 0, end = 0;
    size_t head_bytes = file->bytes < ELF_HEAD_BYTES ? (size_t)file->bytes : ELF_HEAD_BYTES;
    status_t status = sys_memory_size(file->memory, &memory_bytes);
    if (!status_is_ok(status)) {
        return status;
    }
    if (file->offset % PAGE_SIZE != 0 || __builtin_add_overflow(file->offset, file->bytes, &end) ||
        end > memory_bytes) {
        return STATUS_INVALID;
    }
    uint8_t *head = malloc(ELF_HEAD_BYTES);
    if (!head) {
        return STATUS_NO_MEMORY;
    }
    status = sys_memory_read(file->memory, file->offset, head, head_bytes);
    if (status_is_ok(status)) {
        status = elf_parse(head, head_bytes, file->bytes, ELF_MACHINE, &spawn->image);
    }
    free(head);
    return status;
}

static status_t map_at(const struct spawn *spawn, handle_t memory, uint64_t address,
                       uint64_t offset, uint64_t bytes, uint32_t prot)
{
    uint64_t mapped;
    return sys_aspace_map(spawn->aspace, memory, address, offset, bytes, prot | MAP_FIXED, 0,
                          &mapped);
}

/** Copy @bytes of the file at @from into @memory at @to. */
static status_t copy_file(const struct spawn *spawn, uint64_t from, handle_t memory, uint64_t to,
                          uint64_t bytes)
{
    status_t status = STATUS_OK;
    uint8_t *piece = malloc(PAGE_SIZE);
    if (!piece) {
        return STATUS_NO_MEMORY;
    }
    for (uint64_t done = 0; status_is_ok(status) && done < bytes; done += PAGE_SIZE) {
        size_t now = bytes - done < PAGE_SIZE ? (size_t)(bytes - done) : PAGE_SIZE;
        status = sys_memory_read(spawn->start->image.memory,
                                 spawn->start->image.offset + from + done, piece, now);
        if (status_is_ok(status)) {
            status = sys_memory_write(memory, to + done, piece, now);
        }
    }
    free(piece);
    return status;
}

/** A segment with pages of its own: one that is written, or that is bigger than what is in the file. */
static status_t segment_copy(const struct spawn *spawn, const struct elf_segment *segment)
{
    handle_t memory;
    uint64_t start = page_round_down(segment->address);
    uint64_t bytes = page_round_up(segment->address + segment->memory_bytes) - start;
    status_t status = sys_memory_create(spawn->budget, bytes, 0, &memory);
    if (!status_is_ok(status)) {
        return status;
    }
    status = copy_file(spawn, segment->file_offset, memory, segment->address - start,
                       segment->file_bytes);
    if (status_is_ok(status)) {
        status = map_at(spawn, memory, spawn->base + start, 0, bytes, segment->prot);
    }
    status_ignore(sys_cap_close(memory));
    return status;
}

static status_t segment_share(const struct spawn *spawn, const struct elf_segment *segment)
{
    uint64_t start = page_round_down(segment->address);
    uint64_t bytes = page_round_up(segment->address + segment->memory_bytes) - start;
    uint64_t offset = spawn->start->image.offset + page_round_down(segment->file_offset);
    return map_at(spawn, spawn->start->image.memory, spawn->base + start, offset, bytes,
                  segment->prot);
}

static status_t image_load(struct spawn *spawn)
{
    for (size_t i = 0; i < spawn->image.segment_count; i++) {
        const struct elf_segment *segment = &spawn->image.segments[i];
        bool own = (segment->prot & MAP_WRITE) != 0 || segment->memory_bytes > segment->file_bytes;
        status_t status = own ? segment_copy(spawn, segment) : segment_share(spawn, segment);
        if (!status_is_ok(status)) {
            return status;
        }
    }
    return STATUS_OK;
}

/* --- the frame on the stack ------------------------------------------------------------------------------- */

static size_t count_of(const char *const *list)
{
    size_t count = 0;
    while (list && list[count]) {
        count++;
    }
    return count;
}

static size_t text_bytes(const char *const *list, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += strlen(list[i]) + 1;
    }
    return bytes;
}

/** Put the addresses of the texts of @list into *@words and the texts at *@text, and move both on. */
static void place_texts(const struct spawn *spawn, const char *const *list, size_t count,
                        uint64_t **words, uint8_t **text)
{
    for (size_t i = 0; i < count; i++) {
        size_t bytes = strlen(list[i]) + 1;
        *(*words)++ = spawn->frame_address + (size_t)(*text - spawn->frame);
        memcpy(*text, list[i], bytes);
        *text += bytes;
    }
    *(*words)++ = 0;
}

static void place_auxiliary(const struct spawn *spawn, uint64_t *words, uint64_t random)
{
    const uint64_t pairs[2 * AUX_PAIRS] = {
        AT_PHDR,   spawn->image.headers == 0 ? 0 : spawn->base + spawn->image.headers,
        AT_PHENT,  sizeof(Elf64_Phdr),
        AT_PHNUM,  spawn->image.headers == 0 ? 0 : spawn->image.header_count,
        AT_PAGESZ, PAGE_SIZE,
        AT_BASE,   spawn->base,
        AT_ENTRY,  spawn->base + spawn->image.entry,
        AT_RANDOM, random,
        AT_NULL,   0,
    };
    memcpy(words, pairs, sizeof(pairs));
}

/** Lay out the frame: vector, random bytes, start block, texts. */
static status_t frame_make(struct spawn *spawn)
{
    const char *const own_name[] = {spawn->start->name, NULL};
    const char *const *args = spawn->start->args ? spawn->start->args : own_name;
    const char *const *env = spawn->start->env;
    size_t arg_count = count_of(args), env_count = count_of(env);
    size_t vector_bytes = (arg_count + env_count + 3 + 2 * AUX_PAIRS) * sizeof(uint64_t);
    size_t block_bytes = sizeof(struct start_block) +
                         (spawn->start->cap_count + SELF_CAPS) * sizeof(struct start_cap);
    size_t bytes = vector_bytes + RANDOM_BYTES + block_bytes + text_bytes(args, arg_count) +
                   text_bytes(env, env_count);
    if (bytes > PROCESS_ARGUMENTS_MAX) {
        return STATUS_RANGE;
    }
    spawn->frame_bytes = (bytes + 15) & ~(size_t)15;
    spawn->frame = calloc(1, spawn->frame_bytes);
    if (!spawn->frame) {
        return STATUS_NO_MEMORY;
    }
    spawn->stack_bytes += page_round_up(spawn->frame_bytes);
    uint64_t random;
    status_t status = sys_system_random(&random, sizeof(random));
    if (!status_is_ok(status)) {
        return status;
    }
    spawn->stack_base =
        page_round_down(USER_END - STACK_WINDOW + random % (STACK_WINDOW - spawn->stack_bytes));
    spawn->frame_address = spawn->stack_base + spawn->stack_bytes - spawn->frame_bytes;

    uint64_t *words = (uint64_t *)(void *)spawn->frame;
    uint8_t *text = spawn->frame + vector_bytes + RANDOM_BYTES + block_bytes;
    *words++ = arg_count;
    place_texts(spawn, args, arg_count, &words, &text);
    place_texts(spawn, env, env_count, &words, &text);
    place_auxiliary(spawn, words, spawn->frame_address + vector_bytes);
    spawn->block = (struct start_block *)(void *)(spawn->frame + vector_bytes + RANDOM_BYTES);
    spawn->block->magic = START_MAGIC;
    return sys_system_random(spawn->frame + vector_bytes, RANDOM_BYTES);
}

static status_t stack_make(struct spawn *spawn)
{
    handle_t memory;
    status_t status = sys_memory_create(spawn->budget, spawn->stack_bytes, 0, &memory);
    if (!status_is_ok(status)) {
        return status;
    }
    status = sys_memory_write(memory, spawn->stack_bytes - spawn->frame_bytes, spawn->frame,
                              spawn->frame_bytes);
    if (status_is_ok(status)) {
        status =
            map_at(spawn, memory, spawn->stack_base, 0, spawn->stack_bytes, MAP_READ | MAP_WRITE);
    }
    status_ignore(sys_cap_close(memory));
    return status;
}

/* --- capabilities and thread ------------------------------------------------------------------------------ */

static status_t give(struct spawn *spawn, const struct process_cap *cap)
{
    struct start_cap *entry = &spawn->block->caps[spawn->block->cap_count];
    uint32_t rights = cap->rights, type;
    uint64_t badge, id;
    if (strlen(cap->name) >= OS_CAP_NAME_BYTES) {
        return STATUS_RANGE;
    }
    if (rights == 0) {
        status_t status = sys_cap_info(cap->handle, &type, &rights, &badge, &id);
        if (!status_is_ok(status)) {
            return status;
        }
    }
    status_t status = sys_process_give(spawn->process, cap->handle, rights, cap->badge, cap->mode,
                                       &entry->handle);
    if (status_is_ok(status)) {
        strcpy(entry->name, cap->name);
        spawn->block->cap_count++;
    }
    return status;
}

/** The clock comes last: a program that has none gives none. */
static size_t self_caps(void)
{
    return os_self.clock == HANDLE_NONE ? SELF_CAPS - 1 : SELF_CAPS;
}

static status_t give_all(struct spawn *spawn)
{
    const struct process_cap self[SELF_CAPS] = {
        {.name = "self.process", .handle = spawn->process, .rights = SELF_PROCESS_RIGHTS},
        {.name = "self.aspace", .handle = spawn->aspace},
        {.name = "self.thread", .handle = spawn->thread, .rights = SELF_THREAD_RIGHTS},
        {.name = "self.budget", .handle = spawn->budget, .rights = SELF_BUDGET_RIGHTS},
        {.name = "self.clock", .handle = os_self.clock, .rights = SELF_CLOCK_RIGHTS},
    };
    status_t status = STATUS_OK;
    for (size_t i = 0; status_is_ok(status) && i < self_caps(); i++) {
        status = give(spawn, &self[i]);
    }
    for (size_t i = 0; status_is_ok(status) && i < spawn->start->cap_count; i++) {
        status = give(spawn, &spawn->start->caps[i]);
    }
    return status;
}

/** The message buffer of the first thread, mapped for it. */
static status_t buffer_make(struct spawn *spawn)
{
    handle_t memory;
    status_t status = sys_memory_create(spawn->budget, PAGE_SIZE, 0, &memory);
    if (!status_is_ok(status)) {
        return status;
    }
    status = sys_thread_set_buffer(spawn->thread, memory, 0);
    if (status_is_ok(status)) {
        status = sys_aspace_map(spawn->aspace, memory, 0, 0, PAGE_SIZE, MAP_READ | MAP_WRITE, 0,
                                &spawn->ipc_buffer);
    }
    if (status_is_ok(status)) {
        spawn->block->ipc_buffer = spawn->ipc_buffer;
    }
    status_ignore(sys_cap_close(memory));
    return status;
}

static status_t thread_run(const struct spawn *spawn)
{
    uint64_t block = spawn->frame_address + (size_t)((uint8_t *)spawn->block - spawn->frame);
    status_t status = STATUS_OK;
    if (spawn->start->period_ns != 0) {
        status = sys_thread_set_realtime(spawn->thread, spawn->start->priority,
                                         spawn->start->budget_ns, spawn->start->period_ns, 0);
    } else if (spawn->start->priority != 0) {
        status = sys_thread_set_priority(spawn->thread, spawn->start->priority);
    }
    if (status_is_ok(status)) {
        status = sys_thread_start(spawn->thread, spawn->base + spawn->image.entry,
                                  spawn->frame_address, block, 0);
    }
    return status;
}

static status_t spawn_process(struct spawn *spawn)
{
    uint64_t random;
    status_t status = sys_system_random(&random, sizeof(random));
    if (status_is_ok(status)) {
        spawn->base = page_round_down(IMAGE_START + random % IMAGE_WINDOW);
        status = sys_aspace_create(spawn->budget, &spawn->aspace);
    }
    if (status_is_ok(status)) {
        status = sys_process_create(spawn->budget, spawn->aspace, spawn->start->name,
                                    strlen(spawn->start->name), &spawn->process);
    }
    if (status_is_ok(status)) {
        handle_t budget = spawn->start->thread_budget;
        status = sys_thread_create(spawn->process, budget != HANDLE_NONE ? budget : spawn->budget,
                                   &spawn->thread);
    }
    return status;
}

static status_t spawn_run(struct spawn *spawn)
{
    status_t (*const steps[])(struct spawn *) = {image_check, spawn_process, image_load, frame_make,
                                                 buffer_make, give_all,      stack_make};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        status_t status = steps[i](spawn);
        if (!status_is_ok(status)) {
            return status;
        }
    }
    return thread_run(spawn);
}

static void close_if(handle_t handle)
{
    if (handle != HANDLE_NONE) {
        status_ignore(sys_cap_close(handle));
    }
}

/** What was to be moved and has not been is gone too. */
static void close_moved(const struct spawn *spawn)
{
    size_t given = spawn->block ? spawn->block->cap_count : 0;
    for (size_t i = given > self_caps() ? given - self_caps() : 0; i < spawn->start->cap_count;
         i++) {
        if (spawn->start->caps[i].mode == CAP_TRANSFER_MOVE) {
            close_if(spawn->start->caps[i].handle);
        }
    }
}

status_t process_spawn(const struct process_start *start, handle_t *process)
{
    struct spawn *spawn = calloc(1, sizeof(*spawn));
    if (!spawn) {
        return STATUS_NO_MEMORY;
    }
    spawn->start = start;
    spawn->budget = start->budget != HANDLE_NONE ? start->budget : os_self.budget;
    spawn->stack_bytes =
        page_round_up(start->stack_bytes != 0 ? start->stack_bytes : PROCESS_STACK_BYTES);
    status_t status = spawn->stack_bytes > STACK_WINDOW / 2 ? STATUS_RANGE : spawn_run(spawn);
    close_if(spawn->thread);
    close_if(spawn->aspace);
    if (status_is_ok(status)) {
        *process = spawn->process;
    } else {
        close_moved(spawn);
        if (spawn->process != HANDLE_NONE) {
            status_ignore(sys_process_kill(spawn->process, status_code(status)));
        }
        close_if(spawn->process);
    }
    free(spawn->frame);
    free(spawn);
    return status;
}

/* --- the end ---------------------------------------------------------------------------------------------- */

status_t process_wait(handle_t process, uint64_t deadline_ns, int64_t *exit_status)
{
    handle_t queue;
    struct event event;
    status_t status = sys_queue_create(os_self.budget, &queue);
    if (!status_is_ok(status)) {
        return status;
    }
    status = sys_process_bind(process, queue, 0);
    while (status_is_ok(status)) {
        status = sys_queue_wait(queue, deadline_ns, &event);
        if (status_is_ok(status)) {
            *exit_status = (int64_t)event.data;
            break;
        }
        if (status == STATUS_INTERRUPTED) {
            status = STATUS_OK;
        }
    }
    status_ignore(sys_cap_close(queue));
    return status;
}

status_t process_kill(handle_t process, int64_t exit_status)
{
    return sys_process_kill(process, exit_status);
}

/* What the parents have in common, this fuzzer and the guided one: what a child gets, and that nothing of it is left. */
#include "fuzz.h"

#define BUDGET_PAGES 512u
#define BUDGET_KMEM (512u << 10)
/** Of the real-time band. */
#define BUDGET_CEILING (PRIORITY_NORMAL_MAX + 4)
/** Each gets one of so many parts of what is left. */
#define REALTIME_PARTS 4u
/** How often, a millisecond apart, what ends late is looked for. */
#define GRACE_LOOKS 100u
/** Physical address space where no architecture that we run on has memory or a device. */
#define NO_DEVICE UINT64_C(0x60000000)
#define NO_DEVICE_PAGES 16u

static struct child model;

/* DMA spaces that end leave what they had mapped to the root, for whoever knows that the devices are quiet: here there are none. */
static void dma_let_go(void)
{
    while (status_is_ok(sys_dmaspace_unmap(info->dma, 0)))
        continue;
}

static bool budget_begin(handle_t *budget)
{
    struct budget_info about = {0};
    dma_let_go();
    if (!status_is_ok(
            sys_budget_create(info->budget, BUDGET_PAGES, BUDGET_KMEM, BUDGET_CEILING, budget)))
        return false;
    OK(sys_budget_info(info->budget, &about));
    OK(sys_budget_set(*budget, BUDGET_PAGES, BUDGET_KMEM, about.realtime_limit / REALTIME_PARTS));
    return true;
}

handle_t fuzz_budget(void)
{
    handle_t budget = 0;
    /* What former children had comes back a little after their end. */
    CHECK(EVENTUALLY(budget_begin(&budget)));
    return budget;
}

/* Processes that a child made may name each other, and nobody else names them. */
static bool end_all(handle_t budget)
{
    struct process_info about = {0};
    for (uint64_t id = 0; status_is_ok(sys_budget_process_next(budget, id, &about)); id = about.id)
        status_ignore(sys_budget_process_kill(budget, about.id, -1));
    return sys_budget_process_next(budget, 0, &about) == STATUS_NOT_FOUND;
}

void fuzz_end_all(handle_t budget)
{
    CHECK(EVENTUALLY(end_all(budget)));
}

handle_t fuzz_ports(void)
{
    handle_t ports = 0;
    OK(sys_ioport_slice(info->ioports, info->budget, 0x80, 1, &ports));
    return ports;
}

handle_t fuzz_device(void)
{
    handle_t device = 0;
    OK(sys_memory_slice(info->physical, info->budget, NO_DEVICE, NO_DEVICE_PAGES * PAGE_SIZE,
                        &device));
    return device;
}

void fuzz_model_begin(struct fuzz_counts *counts, handle_t memory)
{
    struct child_start start = {0};
    uint64_t mapped;
    child_create(&model, info->budget, &start);
    OK(sys_aspace_map(model.aspace, memory, (uint64_t)counts, 0, COUNTS_BYTES,
                      MAP_READ | MAP_WRITE | MAP_FIXED | MAP_CLONE_SHARED, 0, &mapped));
}

void fuzz_model_end(void)
{
    OK(sys_process_kill(model.process, 0));
    CHECK(child_end(&model) != INT64_MIN);
}

void fuzz_child_begin(struct child *child, struct child_start *start,
                      const struct fuzz_things *things)
{
    handle_t buffer;
    child_clone(child, &model, things->budget);
    OK(sys_memory_create(things->budget, PAGE_SIZE, MEMORY_COMMIT, &buffer));
    OK(sys_thread_set_buffer(child->thread, buffer, 0));
    OK(sys_aspace_map(child->aspace, buffer, 0, 0, PAGE_SIZE, MAP_READ | MAP_WRITE, 0,
                      &child->buffer));
    close_handle(buffer);
    start->handles[HANDLE_BUDGET] = child_give(child, things->budget);
    start->handles[HANDLE_PROCESS] = child_give(child, child->process);
    start->handles[HANDLE_ASPACE] = child_give(child, child->aspace);
    start->handles[HANDLE_IOPORT] = child_give(child, things->ports);
    start->handles[HANDLE_INTERRUPT] = child_give(child, info->interrupts);
    start->handles[HANDLE_DMA] = child_give(child, info->dma);
    start->handles[HANDLE_SHARED_ENDPOINT] = child_give(child, things->endpoint);
    start->handles[HANDLE_SHARED_MEMORY] = child_give(child, things->memory);
    start->handles[HANDLE_DEVICE_MEMORY] = child_give(child, things->device);
    start->handles[HANDLE_TRACE] = child_give(child, info->trace);
}

void fuzz_let_go(void)
{
    for (unsigned i = 0; i < GRACE_LOOKS; i++) {
        dma_let_go();
        sleep_ms(1);
    }
}

void fuzz_check_statuses(const struct fuzz_counts *counts)
{
    if (counts->undocumented != 0)
        say("%llu statuses are not the ABI's: call %llu answered %d",
            (unsigned long long)counts->undocumented,
            (unsigned long long)(counts->undocumented_last >> 32),
            (int32_t)counts->undocumented_last);
    CHECK(counts->undocumented == 0);
}

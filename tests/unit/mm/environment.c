#define _GNU_SOURCE /* memfd_create */
#include "environment.h"

#include <arch.h>
#include <arch_accessors.h>
#include <arch_cpu.h>
#include <budget.h>
#include <grace_period.h>
#include <grace_wait.h>
#include <kmem.h>
#include <mm/blocks.h>
#include <mm/kernelmap.h>
#include <mm/phys.h>
#include <obj_create.h>
#include <random.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <waiters.h>

struct environment env;
struct boot_info boot_info;
uint8_t *host_ram;
struct cpu *cpus[CPU_MAX];
uint32_t cpu_count;
struct cpu *host_cpu;
jmp_buf panic_jump;
static struct cpu cpu_data[2];
static struct budget budget;
static uint64_t periods_over;
static uint64_t seed = 88172645463325252ull;
static uint64_t frames_before, heap_before;
static struct cap *leaves[4096];
static int ram_file;
/* The heap's region: entries, and the generation that took away what was there last. */
static uint64_t region[(ARCH_HEAP_END - ARCH_HEAP_BASE) / PAGE_SIZE];
static uint64_t taken_away[ARRAY_SIZE(region)];

uint32_t random_u32(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

uint64_t random_below(uint64_t limit)
{
    return random_u32() % limit;
}

void random_bytes(void *to, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)to)[i] = (uint8_t)random_u32();
}

static void remap(void *at, size_t bytes, int protection, int file, paddr_t frame)
{
    int flags = MAP_FIXED | (file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED);

    if (mmap(at, bytes, protection, flags, file, (off_t)frame) != at)
        abort();
}

void environment_init(void)
{
    ram_file = memfd_create("ram", 0);
    if (ram_file < 0 || ftruncate(ram_file, ENVIRONMENT_RAM_BYTES) != 0)
        abort();
    host_ram = aligned_alloc(2u << 20, ENVIRONMENT_RAM_BYTES);
    remap(host_ram, ENVIRONMENT_RAM_BYTES, PROT_READ | PROT_WRITE, ram_file, 0);
    remap((void *)(uintptr_t)ARCH_HEAP_BASE, ARCH_HEAP_END - ARCH_HEAP_BASE, PROT_NONE, -1, 0);
    memset(host_ram, 0xa5, ENVIRONMENT_RAM_BYTES);
    /* Three ranges, two of them near each other, and what boot runs from. */
    boot_info.ram[0] = (struct boot_range){0x1000, 0x9e000};
    boot_info.ram[1] = (struct boot_range){0x100000, 0x1f00000};
    boot_info.ram[2] = (struct boot_range){0x4000000, 0x2000000 - 0x3000};
    boot_info.ram[3] = boot_info.init_text = (struct boot_range){0x5ffe000, 0x2000};
    boot_info.ram_count = 4;
    boot_info.reserved[0] = (struct boot_range){0x3000000, 0x400000};
    boot_info.reserved_count = 1;
    for (uint32_t i = 0; i < 2; i++) {
        cpus[i] = &cpu_data[i];
        cpu_data[i].id = (uint16_t)i;
        cpu_data[i].online = true;
    }
    cpu_count = 2;
    host_cpu = cpus[0];
    budget.object.refs = 1;
    env.budget = &budget;
    env.process.object.budget = &budget;
    phys_init();
}

void environment_cpu(unsigned cpu)
{
    host_cpu = cpus[cpu];
}

void budget_limits(uint64_t pages, uint64_t kmem)
{
    budget.quotas[QUOTA_PAGES].limit = pages;
    budget.quotas[QUOTA_KMEM].limit = kmem;
}

uint64_t budget_pages_used(void)
{
    return budget.quotas[QUOTA_PAGES].used;
}

void environment_begin(void)
{
    environment_cpu(0);
    env.yield_every = 0;
    env.events = 0;
    env.revoking = false;
    budget_limits(UINT32_MAX, UINT32_MAX);
    /* The caches and the first slabs exist from now on. */
    for (unsigned c = 0; c < 2; c++) {
        paddr_t frame;
        environment_cpu(c);
        if (phys_alloc(0, &frame))
            phys_free(frame, 0);
    }
    environment_cpu(0);
    environment_grace();
    frames_before = phys_free_pages() + kmem_pages();
    heap_before = kmem_bytes();
}

void environment_end(void)
{
    environment_cpu(0);
    for (unsigned c = 0; c < 2; c++)
        cpus[c]->aspace = NULL;
    environment_grace();
    CHECK(phys_free_pages() + kmem_pages() == frames_before);
    CHECK(kmem_bytes() == heap_before);
    CHECK(budget.quotas[QUOTA_PAGES].used == 0 && budget.quotas[QUOTA_KMEM].used == 0);
    CHECK(budget.object.refs == 1);
    CHECK(radix_nodes() == 0);
}

void environment_grace(void)
{
    do {
        struct rcu_head *batch = callbacks;
        callbacks = NULL;
        struct cpu *now = host_cpu;
        for (unsigned c = 0; c < 2; c++) {
            host_cpu = cpus[c];
            blocks_catch_up(host_cpu);
            if (host_cpu->aspace != NULL)
                aspace_activate(host_cpu->aspace);
            frames_unmaps_see(host_cpu);
            frames_unmaps_pass(host_cpu);
        }
        host_cpu = now;
        periods_over++;
        while (batch != NULL) {
            struct rcu_head *head = batch;
            batch = head->next;
            head->function(head);
        }
    } while (callbacks != NULL);
}

void environment_pass(uint64_t periods)
{
    periods_over += periods;
}

uint64_t rcu_period_next(void)
{
    return periods_over + 1;
}

bool rcu_is_over(uint64_t period)
{
    return periods_over >= period;
}

uint64_t rcu_completed(void)
{
    return periods_over;
}

bool rcu_others_idle(void)
{
    for (unsigned c = 0; c < 2; c++)
        if (cpus[c] != host_cpu && cpus[c]->aspace != NULL)
            return false;
    return true;
}

/* ── Panics ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

void panic(const char *format, ...)
{
    if (env.panic_expected) {
        env.panic_expected = false;
        env.panics++;
        host_cpu->held_count = 0;
        longjmp(panic_jump, 1);
    }
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    abort();
}

void klog(const char *format, ...)
{
    (void)format;
}

/* ── Architecture ─────────────────────────────────────────────────────────────────────────────────────────────────── */

void arch_cpu_relax(void)
{
}

void arch_ipi_send(uint32_t id)
{
    CHECK(cpus[id] != host_cpu);
    env.ipis++;
}

void arch_aspace_activate(paddr_t root, uint64_t generation)
{
    (void)root;
    (void)generation;
}

void kernelmap_share(paddr_t root)
{
    (void)root;
}

/* ── The heap's region ────────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t page_of(uint64_t address)
{
    CHECK(address >= ARCH_HEAP_BASE && address < ARCH_HEAP_END && address % PAGE_SIZE == 0);
    return (address - ARCH_HEAP_BASE) / PAGE_SIZE;
}

bool kernelmap_prepare(uint64_t address, uint64_t bytes)
{
    CHECK(page_of(address + bytes - PAGE_SIZE) / ARCH_PT_ENTRIES ==
          page_of(address) / ARCH_PT_ENTRIES);
    return !env.no_tables;
}

pte_t *kernelmap_entries(uint64_t address)
{
    return &region[page_of(address)];
}

/* A page is never there again before all CPUs have flushed what they kept of it. */
void kernelmap_changed(uint64_t address, uint64_t count)
{
    for (uint64_t page = page_of(address), end = page + count; page < end; page++) {
        void *at = (void *)(uintptr_t)(ARCH_HEAP_BASE + page * PAGE_SIZE);

        if (arch_pte_is_present(region[page])) {
            for (unsigned c = 0; c < 2; c++)
                CHECK(taken_away[page] <= cpus[c]->blocks_generation);
            remap(at, PAGE_SIZE, PROT_READ | PROT_WRITE, ram_file, arch_pte_address(region[page]));
        } else {
            taken_away[page] = blocks_generation + 1;
            remap(at, PAGE_SIZE, PROT_NONE, -1, 0);
        }
    }
}

void arch_tlb_flush_all(void)
{
}

void arch_tlb_flush_page(uint64_t address, bool tables)
{
    (void)address;
    (void)tables;
    env.page_flushes++;
}

void arch_icache_sync(const struct aspace *aspace, paddr_t base, uint64_t bytes)
{
    (void)aspace;
    (void)base;
    (void)bytes;
}

/* ── Budgets and objects ──────────────────────────────────────────────────────────────────────────────────────────── */

status_t budget_charge_pages(struct budget *b, uint64_t pages)
{
    if (b->quotas[QUOTA_PAGES].used + pages > b->quotas[QUOTA_PAGES].limit)
        return STATUS_NO_MEMORY;
    b->quotas[QUOTA_PAGES].used += pages;
    return STATUS_OK;
}

void budget_uncharge_pages(struct budget *b, uint64_t pages)
{
    CHECK(b->quotas[QUOTA_PAGES].used >= pages);
    b->quotas[QUOTA_PAGES].used -= pages;
}

status_t budget_charge_kmem(struct budget *b, uint64_t bytes)
{
    if (b->quotas[QUOTA_KMEM].used + bytes > b->quotas[QUOTA_KMEM].limit)
        return STATUS_NO_MEMORY;
    b->quotas[QUOTA_KMEM].used += bytes;
    return STATUS_OK;
}

void budget_uncharge_kmem(struct budget *b, uint64_t bytes)
{
    CHECK(b->quotas[QUOTA_KMEM].used >= bytes);
    b->quotas[QUOTA_KMEM].used -= bytes;
}

void object_init(struct object *object, const struct object_ops *ops, struct budget *owner)
{
    object->ops = ops;
    object->refs = 1;
    object->budget = owner;
    object_ref(&owner->object);
}

static void object_free_rcu(struct rcu_head *head)
{
    struct object *object = container_of(head, struct object, rcu);
    object->ops->free(object);
}

void object_unref(struct object *object)
{
    CHECK(object->refs != 0);
    if (--object->refs == 0)
        rcu_call(&object->rcu, object_free_rcu);
}

/* ── Capabilities ─────────────────────────────────────────────────────────────────────────────────────────────────── */

struct cap cap_to(struct object *object, uint32_t rights)
{
    return (struct cap){.object = object, .rights = rights};
}

status_t cap_create(struct process *process, struct object *object, uint32_t rights,
                    handle_t *handle)
{
    (void)process;
    (void)rights;
    env.published = object;
    *handle = 1;
    return STATUS_OK;
}

bool cap_tree_enter(struct thread *self, struct object *object, const struct cap *source,
                    status_t *status) NO_THREAD_SAFETY
{
    (void)self;
    (void)source;
    if (env.revoking)
        *status = KERNEL_BLOCKED;
    else
        tree_lock_acquire(&object->lock);
    return !env.revoking;
}

void cap_leaf_add(const struct cap *like, struct cap *parent, struct cap *leaf,
                  void (*sever)(struct cap *))
{
    (void)parent;
    leaf->object = like->object;
    leaf->sever = sever;
    for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
        if (leaves[i] == NULL) {
            leaves[i] = leaf;
            return;
        }
    }
    abort();
}

bool cap_leaf_copy(struct cap *leaf, struct cap *copy, void (*sever)(struct cap *)) NO_THREAD_SAFETY
{
    bool live = false;
    for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++)
        live |= leaves[i] == leaf;
    if (live)
        cap_leaf_add(leaf, NULL, copy, sever);
    return live;
}

bool cap_leaf_remove(struct cap *leaf)
{
    for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
        if (leaves[i] == leaf) {
            leaves[i] = NULL;
            return true;
        }
    }
    return false;
}

void leaves_sever(struct object *object)
{
    for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
        struct cap *leaf = leaves[i];
        if (leaf != NULL && leaf->object == object) {
            leaves[i] = NULL;
            leaf->sever(leaf);
        }
    }
}

/* ── Threads ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

struct thread *thread_make(struct aspace *aspace)
{
    struct thread *thread = calloc(1, sizeof(*thread));
    if (thread == NULL)
        abort();
    thread->aspace = aspace;
    thread->process = &env.process;
    thread->in_syscall = true;
    list_init(&thread->wait_link);
    return thread;
}

void thread_free(struct thread *thread)
{
    free(thread);
}

bool thread_is_waiting(const struct thread *thread)
{
    return thread->wait_class != NULL;
}

bool thread_wait_begin(struct thread *self, const struct wait_class *wait_class, void *object,
                       uint64_t deadline_ns)
{
    (void)deadline_ns;
    self->wait_sequence++;
    if (self->attention != 0)
        return false;
    self->wait_class = wait_class;
    self->wait_object = object;
    return true;
}

void thread_wake(struct thread *thread)
{
    CHECK(thread->wait_class == NULL);
}

void thread_wake_status(struct thread *thread, status_t status)
{
    arch_syscall_status_set(thread, status);
    thread_wake(thread);
}

void thread_restart_on_wake(struct thread *self)
{
    self->wait_restarts = true;
    arch_syscall_restart(self);
}

status_t continuation_run(struct thread *self, status_t status)
{
    if (status != KERNEL_DONE)
        return status;
    while (self->continuation != NULL) {
        if (thread_is_waiting(self))
            environment_grace();
        self->continuation(self);
    }
    environment_grace();
    CHECK(!thread_is_waiting(self));
    return status_from_code(self->context.status);
}

void sched_let_interrupts_in(void)
{
}

/* As waiters.c has it. */
struct list *walk_pause(struct list *next, struct spinlock *lock, enum lock_rank rank)
{
    struct list place;
    list_init(&place);
    if (next != NULL)
        list_insert_before(next, &place);
    spinlock_give(lock, rank);
    if (env.paused != NULL)
        env.paused();
    spinlock_take(lock, rank);
    next = place.next;
    list_remove(&place);
    return next;
}

bool sched_should_yield(void)
{
    return env.yield_every != 0 && ++env.yield_calls % env.yield_every == 0;
}

void sched_yield_current(void)
{
}

void sched_forget_current(void)
{
}

/* ── Events ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

void event_source_init(struct event_source *source, uint32_t kind)
{
    source->kind = kind;
}

status_t event_source_bind(struct event_source *source, struct queue *queue, uint64_t cookie)
{
    source->queue = queue;
    source->cookie = cookie;
    return STATUS_OK;
}

void event_source_unbind(struct event_source *source)
{
    source->queue = NULL;
}

void event_post(struct event_source *source, uint64_t data, enum event_merge merge)
{
    (void)data;
    (void)merge;
    env.events += source->queue != NULL;
}

uint64_t arch_time_now_ns(void)
{
    return 0;
}

bool ktimer_cancel(struct ktimer *timer)
{
    bool armed = timer->armed != 0;
    timer->armed = 0;
    return armed;
}

/* Making init.
 *
 * Its program is found in the boot archive and checked (cpio.c, elf.c), its segments are copied into anonymous Memory objects and mapped with
 * the protection they ask for, never writable and executable at once. It gets a stack with the frame that a C runtime expects (argument
 * count, arguments, environment, auxiliary vector), a message buffer, and a page with struct init_info, whose address is in its first
 * argument register: the handles of the root capabilities, from which all authority in the system comes.
 *
 * What comes from the archive is checked and reported by a panic that says what is wrong. What then fails (memory for the first objects)
 * cannot be handled either: there is nobody to tell. */
#include "init.h"

#include <arch.h>
#include <budget.h>
#include <cap.h>
#include <device.h>
#include <kstring.h>
#include <log.h>
#include <mm/aspace.h>
#include <mm/memory.h>
#include <mm/phys.h>
#include <process.h>
#include <random.h>
#include <thread.h>
#include <trace.h>

#include "cpio.h"
#include "elf.h"

#define STACK_BYTES (256u << 10)
/* The stack ends in the last GiB of user addresses, a random distance below its end. */
#define STACK_WINDOW (UINT64_C(1) << 30)
#define FRAME_BYTES 256u
/* Physical addresses have at most 52 bits on every architecture that we know. */
#define PHYSICAL_BYTES (UINT64_C(1) << 52)

/* Types of the auxiliary vector, as in every System V ABI. */
enum {
    AUX_NULL = 0,
    AUX_PHDR = 3,
    AUX_PHENT = 4,
    AUX_PHNUM = 5,
    AUX_PAGESZ = 6,
    AUX_BASE = 7,
    AUX_ENTRY = 9,
    AUX_RANDOM = 25
};
#define ELF_PHENT 56u

#define RIGHTS_COMMON (RIGHT_COPY | RIGHT_TRANSFER | RIGHT_REVOKE | RIGHT_INSPECT)

/** init while it is made. */
struct maker {
    struct budget *budget;
    struct aspace *aspace;
    struct process *process;
    struct thread *thread;
    uint64_t load_bias; /* added to addresses as linked */
    struct init_info info;
};

/** What the C runtime finds at the stack pointer. */
struct start_frame {
    uint64_t argc;
    uint64_t argv[2]; /* "init", NULL */
    uint64_t envp[1]; /* NULL */
    uint64_t aux[2 * 8];
    uint8_t random[16];
    char name[8];
};
_Static_assert(sizeof(struct start_frame) <= FRAME_BYTES, "init's first stack frame");

static void require(status_t status, const char *what)
{
    if (!status_is_ok(status))
        panic("init cannot be made: %s: %s", what, status_name(status));
}

static struct memory *memory_make(struct maker *m, uint64_t bytes)
{
    struct memory *memory;

    require(memory_create(m->budget, bytes, 0, &memory), "memory");
    return memory;
}

/* Map the whole @memory at @address (0: anywhere) and give up the creator's interest in it: the mapping keeps it. */
static uint64_t memory_map(struct maker *m, struct memory *memory, uint64_t address, uint64_t bytes,
                           uint32_t prot)
{
    uint64_t mapped;

    require(aspace_map_kernel(m->aspace, memory, address, 0, bytes,
                              prot | (address != 0 ? MAP_FIXED : 0), &mapped),
            "mapping");
    return mapped;
}

/* ── The program ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/* What was written through the direct map is about to be executed. */
static void code_sync(struct memory *memory, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes / PAGE_SIZE; i++) {
        paddr_t frame;

        require(memory_page(memory, NULL, i, false, &frame), "code");
        arch_icache_sync(NULL, frame, PAGE_SIZE);
    }
}

static void segment_load(struct maker *m, const unsigned char *file,
                         const struct elf_segment *segment)
{
    uint64_t address = segment->address + m->load_bias;
    uint64_t start = address & ~(PAGE_SIZE - 1);
    uint64_t bytes = (address + segment->memory_bytes - start + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    struct memory *memory = memory_make(m, bytes);

    if (segment->file_bytes != 0)
        require(memory_write(memory, NULL, address - start, file + segment->file_offset,
                             segment->file_bytes),
                "a segment");
    if ((segment->prot & MAP_EXECUTE) != 0)
        code_sync(memory, bytes);
    memory_map(m, memory, start, bytes, segment->prot);
}

static uint64_t random_below(uint64_t limit)
{
    uint64_t value;

    random_bytes(&value, sizeof(value));
    return value % limit;
}

static void program_load(struct maker *m, const void *file, const struct elf_image *image)
{
    /* A quarter of the user's half, in its middle: far from the stack and from where mappings are placed by choice. */
    uint64_t base = (ARCH_USER_END / 2 + random_below(ARCH_USER_END / 4)) & ~(PAGE_SIZE - 1);

    m->load_bias = image->relocatable ? base - (image->segments[0].address & ~(PAGE_SIZE - 1)) : 0;
    for (uint32_t i = 0; i < image->segment_count; i++)
        segment_load(m, file, &image->segments[i]);
}

/* ── The stack ───────────────────────────────────────────────────────────────────────────────────────────────────── */

static void frame_fill(const struct maker *m, const struct elf_image *image, uint64_t sp,
                       struct start_frame *frame)
{
    uint64_t aux[ARRAY_SIZE(frame->aux)] = {
        AUX_PHDR,   image->headers == 0 ? 0 : image->headers + m->load_bias,
        AUX_PHENT,  ELF_PHENT,
        AUX_PHNUM,  image->header_count,
        AUX_PAGESZ, PAGE_SIZE,
        AUX_BASE,   m->load_bias,
        AUX_ENTRY,  image->entry + m->load_bias,
        AUX_RANDOM, sp + offsetof(struct start_frame, random),
        AUX_NULL,   0,
    };

    memset(frame, 0, sizeof(*frame));
    frame->argc = 1;
    frame->argv[0] = sp + offsetof(struct start_frame, name);
    memcpy(frame->aux, aux, sizeof(aux));
    random_bytes(frame->random, sizeof(frame->random));
    memcpy(frame->name, "init", 5);
}

/* The stack pointer with which init starts. */
static uint64_t stack_make(struct maker *m, const struct elf_image *image)
{
    uint64_t base = (ARCH_USER_END - STACK_WINDOW + random_below(STACK_WINDOW - STACK_BYTES)) &
                    ~(PAGE_SIZE - 1);
    uint64_t sp = base + STACK_BYTES - FRAME_BYTES;
    struct memory *memory = memory_make(m, STACK_BYTES);
    struct start_frame frame;

    frame_fill(m, image, sp, &frame);
    require(memory_write(memory, NULL, STACK_BYTES - FRAME_BYTES, &frame, sizeof(frame)),
            "the stack");
    memory_map(m, memory, base, STACK_BYTES, MAP_READ | MAP_WRITE);
    return sp;
}

static void buffer_make(struct maker *m)
{
    struct memory *memory = memory_make(m, PAGE_SIZE);

    require(pinned_page_take(NULL, memory, 0, &m->thread->buffer_page), "the message buffer");
    m->thread->buffer = m->thread->buffer_page.address;
    m->info.ipc_buffer = memory_map(m, memory, 0, PAGE_SIZE, MAP_READ | MAP_WRITE);
}

/* ── Root capabilities ───────────────────────────────────────────────────────────────────────────────────────────── */

static uint64_t give(struct maker *m, struct object *object, uint32_t rights)
{
    handle_t handle;

    require(cap_create(m->process, object, RIGHTS_COMMON | rights, &handle), "a capability");
    return handle;
}

static uint64_t give_physical(struct maker *m, paddr_t base, uint64_t bytes, uint32_t rights)
{
    struct memory *memory;

    require(memory_create_physical(m->budget, base, bytes, &memory), "a physical Memory");
    return give(m, &memory->object, rights);
}

static uint64_t give_device_tree(struct maker *m)
{
    uint64_t first = boot_info.fdt & ~(PAGE_SIZE - 1);
    uint64_t end = (boot_info.fdt + boot_info.fdt_bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);

    return give_physical(m, first, end - first, RIGHT_READ);
}

/* A page that says @facts. */
static uint64_t give_facts(struct maker *m, const void *facts, size_t bytes)
{
    struct memory *memory = memory_make(m, bytes);

    require(memory_write(memory, NULL, 0, facts, bytes), "facts");
    return give(m, &memory->object, RIGHT_READ);
}

static uint64_t give_boot_facts(struct maker *m)
{
    static struct boot_facts facts; /* too big for the stack */

    facts.acpi_rsdp = boot_info.acpi_rsdp;
    facts.fdt = boot_info.fdt;
    facts.fdt_bytes = boot_info.fdt_bytes;
    facts.framebuffer = boot_info.framebuffer;
    facts.cpus = cpu_count;
    facts.cmdline_bytes = (uint32_t)strnlen(boot_info.cmdline, sizeof(boot_info.cmdline) - 1);
    memcpy(facts.cmdline, boot_info.cmdline, facts.cmdline_bytes);
    random_bytes(facts.seed, sizeof(facts.seed));
    return give_facts(m, &facts, sizeof(facts));
}

static uint64_t archive_pages_bytes(void)
{
    return (boot_info.archive_bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

static void capabilities_make(struct maker *m)
{
    struct init_info *info = &m->info;
    paddr_t log_base;
    uint64_t log_bytes;

    log_range(&log_base, &log_bytes);
    info->process = give(m, &m->process->object, RIGHT_MANAGE);
    info->aspace = give(m, &m->aspace->object, RIGHT_MANAGE | RIGHT_READ | RIGHT_WRITE);
    info->thread = give(m, &m->thread->object, RIGHT_MANAGE);
    info->budget = give(m, &m->budget->object, RIGHT_MANAGE | RIGHT_SPEND);
    info->physical = give_physical(m, 0, PHYSICAL_BYTES, RIGHT_READ | RIGHT_WRITE | RIGHT_MANAGE);
    if (boot_info.fdt_bytes != 0)
        info->device_tree = give_device_tree(m);
    info->archive =
        give_physical(m, boot_info.archive, archive_pages_bytes(), RIGHT_READ | RIGHT_EXECUTE);
    info->log = give_physical(m, log_base, log_bytes, RIGHT_READ);
    info->boot = give_boot_facts(m);
    info->clock = give_facts(m, &clock_page, sizeof(clock_page));
    info->archive_bytes = boot_info.archive_bytes;
    require(ioport_create_root(m->process, m->budget, &info->ioports), "ports");
    require(interrupt_create_root(m->process, m->budget, &info->interrupts), "interrupts");
    require(dmaspace_create_root(m->process, m->budget, &info->dma), "DMA");
    require(trace_create_root(m->process, m->budget, &info->trace), "traces");
}

/* ── All together ────────────────────────────────────────────────────────────────────────────────────────────────── */

static const void *program_find(struct elf_image *image)
{
    const void *file;
    uint64_t bytes;

    if (!is_page_aligned(boot_info.archive))
        panic("boot archive: it is not at a page boundary");
    const char *wrong =
        cpio_find(phys_to_virt(boot_info.archive), boot_info.archive_bytes, "init", &file, &bytes);

    if (wrong != NULL)
        panic("boot archive: looking for init: %s", wrong);
    wrong = elf_parse(file, bytes, image);
    if (wrong != NULL)
        panic("boot archive: init: %s", wrong);
    return file;
}

/* The page with struct init_info, once all of it is known. */
static uint64_t info_make(struct maker *m)
{
    struct memory *memory = memory_make(m, PAGE_SIZE);

    require(memory_write(memory, NULL, 0, &m->info, sizeof(m->info)), "init_info");
    return memory_map(m, memory, 0, PAGE_SIZE, MAP_READ);
}

struct init_start init_create(struct budget *root)
{
    struct maker m = {.budget = root};
    static struct elf_image image;
    const void *file = program_find(&image);

    require(aspace_create(root, &m.aspace), "address space");
    require(process_create(root, m.aspace, "init", &m.process), "process");
    process_init = m.process;
    require(thread_create(m.process, root, &m.thread), "thread");
    program_load(&m, file, &image);
    uint64_t sp = stack_make(&m, &image);

    buffer_make(&m);
    capabilities_make(&m);
    uint64_t info = info_make(&m);

    return (struct init_start){m.thread, image.entry + m.load_bias, sp, info};
}

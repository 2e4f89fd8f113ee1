/* The interrupt translation service: a device's message becomes an LPI at a CPU (Arm IHI 0069, chapter 5).
 *
 * A device writes the number of an event. The ITS finds the device's table of events in the table of devices, there the LPI and the
 * collection, which is one for each CPU. It is told all that by commands in a ring in memory; the LPIs' settings are a table in memory too, one for
 * all CPUs. A device that has ever had a message keeps its table of events, and a CPU its table of what is pending.
 * Everything is called under arch_lock, under which nothing can be allocated: the caller brings a struct its_spare. */
#include <arch.h>
#include <arch_cpu.h>
#include <arch_pt.h>
#include <arch_string.h>
#include <kmem.h>
#include <kstring.h>
#include <mm/kernelmap.h>
#include <mm/phys.h>

#include "cpu_regs.h"
#include "local.h"

/* Registers, 12.19 */
#define ITS_BYTES 0x10000u
#define GITS_CTLR 0x0u
#define GITS_TYPER 0x8u
#define GITS_CBASER 0x80u
#define GITS_CWRITER 0x88u
#define GITS_CREADR 0x90u
#define GITS_BASER 0x100u
#define GITS_BASERS 8u
#define GITS_TRANSLATER 0x10040u
#define CTLR_ENABLED 1u
#define TYPER_ENTRY_BYTES(typer) (((typer) >> 4 & 0xf) + 1)
#define TYPER_DEVICE_BITS(typer) (((typer) >> 13 & 0x1f) + 1)
#define TYPER_TARGET_IS_ADDRESS (1ull << 19)
#define BASER_VALID (1ull << 63)
#define BASER_INDIRECT (1ull << 62)
#define BASER_TYPE(baser) ((baser) >> 56 & 7)
#define BASER_ENTRY_BYTES(baser) (((baser) >> 48 & 0x1f) + 1)
#define BASER_PAGE_SIZE(baser) ((baser) >> 8 & 3)
#define BASER_PAGES_MAX 256u
#define TYPE_DEVICES 1u
#define TYPE_COLLECTIONS 4u
/* Normal memory, written back, inner shareable; where the fields are in GITS_BASER and GITS_CBASER, and in GICR_PROPBASER. */
#define TABLE_CACHED (7ull << 59 | 1ull << 10)
#define PROPERTY_CACHED (7ull << 7 | 1ull << 10)

/* Redistributor, 12.11 */
#define GICR_CTLR 0x0u
#define GICR_PROPBASER 0x70u
#define GICR_PENDBASER 0x78u
#define ENABLE_LPIS 1u
#define PENDING_IS_ZERO (1ull << 62)
#define PENDING_BYTES 0x10000u /* what its address is a multiple of; less is used */

/* Interrupt numbers have this many bits: LPI_FIRST + LPI_COUNT fits. */
#define INTID_BITS 14u
#define PROPERTY_BYTES ((1u << INTID_BITS) - LPI_FIRST)
#define PROPERTY_ENABLED 0xa3u /* priority 0xa0, a bit that is always 1, enabled */

/* Commands, 5.3 */
#define COMMAND_INT 0x03u
#define COMMAND_SYNC 0x05u
#define COMMAND_MAPD 0x08u
#define COMMAND_MAPC 0x09u
#define COMMAND_MAPTI 0x0au
#define COMMAND_INV 0x0cu
#define COMMAND_DISCARD 0x0fu
#define COMMAND_VALID (1ull << 63)

#define EVENTS_MAX 512u

struct command {
    uint64_t words[4];
};

struct its_device {
    struct its_device *next;
    uint32_t id;
    uint64_t busy[EVENTS_MAX / 64]; /* events in use */
};

static volatile uint8_t *its;
static bool target_is_address;
static uint32_t event_bits;
static uint8_t *properties;

static struct command *commands; /* a page */
static uint32_t command_next;

/* The table of devices: flat, or of pages that are made when a device in them turns up. */
static uint64_t device_count; /* ids below this can be told to the ITS */
static uint64_t *device_pages;
static uint64_t devices_per_page;
static uint64_t device_page_bytes;

static struct its_device *devices;

static uint64_t read64(uint32_t at)
{
    return *(volatile uint64_t *)(volatile void *)(its + at);
}

static void write64(uint32_t at, uint64_t value)
{
    *(volatile uint64_t *)(volatile void *)(its + at) = value;
}

/* ── Commands ────────────────────────────────────────────────────────────────────────────────────────────────────── */

#define COMMANDS (PAGE_SIZE / sizeof(struct command))

static void command(uint64_t a, uint64_t b, uint64_t c)
{
    uint32_t next = (command_next + 1) % COMMANDS;

    while (read64(GITS_CREADR) == next * sizeof(struct command))
        arch_cpu_relax();
    commands[command_next] = (struct command){{a, b, c, 0}};
    cache_clean(&commands[command_next], sizeof(struct command));
    command_next = next;
    write64(GITS_CWRITER, next * sizeof(struct command));
}

/** How commands name the CPU's redistributor. */
static uint64_t target_of(const struct cpu *cpu)
{
    const struct arch_cpu *arch = arch_cpu_of(cpu);

    return target_is_address ? arch->redistributor : (uint64_t)arch->processor << 16;
}

/** What was commanded for interrupts of @cpu is in force. */
static void command_sync(const struct cpu *cpu)
{
    command(COMMAND_SYNC, 0, target_of(cpu));
    while (read64(GITS_CREADR) != command_next * sizeof(struct command))
        arch_cpu_relax();
}

static uint64_t with_device(uint64_t number, uint32_t device)
{
    return number | (uint64_t)device << 32;
}

/* ── Setting up ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/** At least a page. */
static uint32_t table_order(uint64_t bytes)
{
    return 64 - PAGE_SHIFT - (uint32_t)__builtin_clzll(bytes - 1);
}

/** Zeroed memory that the ITS reads and writes, aligned to its size. NULL: none. */
static COLD void *table_alloc(uint64_t bytes)
{
    uint32_t order = table_order(bytes);
    paddr_t base;

    if (!phys_alloc(order, &base))
        return NULL;
    phys_count_tables(1ll << order);
    void *table = arch_direct_map(base);

    arch_fill_words(table, 0, bytes / 8);
    cache_clean(table, bytes);
    return table;
}

static COLD void table_free(void *table, uint64_t bytes)
{
    uint32_t order = table_order(bytes);

    if (table == NULL)
        return;
    phys_free(arch_direct_unmap(table), order);
    phys_count_tables(-(1ll << order));
}

/** Give the ITS a table at GITS_BASER @n. NULL: no memory. */
static INIT_TEXT void *table_set(uint32_t n, uint64_t page_bytes, uint64_t pages, uint64_t flags)
{
    uint32_t at = GITS_BASER + 8 * n;
    void *table = table_alloc(page_bytes * pages);

    if (table != NULL)
        write64(at, (read64(at) & (3ull << 8)) | BASER_VALID | TABLE_CACHED | flags |
                        arch_direct_unmap(table) | (pages - 1));
    return table;
}

/** The page size that GITS_BASER @n takes: 4 KiB if it can be chosen. */
static INIT_TEXT uint64_t page_bytes_of(uint32_t n)
{
    static const uint64_t sizes[4] = {4096, 16384, 65536, 65536};
    uint32_t at = GITS_BASER + 8 * n;

    write64(at, read64(at) & ~(BASER_VALID | 3ull << 8));
    return sizes[BASER_PAGE_SIZE(read64(at))];
}

static bool indirect_is_possible(uint32_t n)
{
    uint32_t at = GITS_BASER + 8 * n;

    write64(at, read64(at) | BASER_INDIRECT);
    return (read64(at) & BASER_INDIRECT) != 0;
}

static bool device_table_make(uint32_t n, uint64_t typer)
{
    uint64_t entry_bytes = BASER_ENTRY_BYTES(read64(GITS_BASER + 8 * n));
    uint64_t page_bytes = page_bytes_of(n);
    uint64_t per_page = page_bytes / entry_bytes;
    uint64_t wanted = 1ull << TYPER_DEVICE_BITS(typer);

    if (indirect_is_possible(n)) {
        devices_per_page = per_page;
        device_page_bytes = page_bytes;
        device_count = MIN(wanted, page_bytes / sizeof(uint64_t) * per_page);
        device_pages = table_set(n, page_bytes, 1, BASER_INDIRECT);
        return device_pages != NULL;
    }
    uint64_t pages = MIN((wanted + per_page - 1) / per_page, BASER_PAGES_MAX);

    device_count = MIN(wanted, pages * per_page);
    return table_set(n, page_bytes, pages, 0) != NULL;
}

static bool collection_table_make(uint32_t n)
{
    uint64_t page_bytes = page_bytes_of(n);
    uint64_t bytes = BASER_ENTRY_BYTES(read64(GITS_BASER + 8 * n)) * cpu_count;

    return table_set(n, page_bytes, (bytes + page_bytes - 1) / page_bytes, 0) != NULL;
}

static bool tables_make(uint64_t typer)
{
    for (uint32_t n = 0; n < GITS_BASERS; n++) {
        uint64_t type = BASER_TYPE(read64(GITS_BASER + 8 * n));

        if ((type == TYPE_DEVICES && !device_table_make(n, typer)) ||
            (type == TYPE_COLLECTIONS && !collection_table_make(n)))
            return false;
    }
    commands = table_alloc(PAGE_SIZE);
    properties = table_alloc(PROPERTY_BYTES);
    return commands != NULL && properties != NULL;
}

INIT_TEXT void its_init(void)
{
    if (platform.its == 0)
        return;
    its = kernelmap_device(platform.its, ITS_BYTES);
    if (its == NULL)
        return;
    uint64_t typer = read64(GITS_TYPER);

    target_is_address = (typer & TYPER_TARGET_IS_ADDRESS) != 0;
    event_bits = 63 - (uint32_t)__builtin_clzll(
                          MIN(PAGE_SIZE / TYPER_ENTRY_BYTES(typer), (uint64_t)EVENTS_MAX));
    if (!tables_make(typer)) {
        klog("its: no memory: devices get no messages");
        its = NULL;
        return;
    }
    write64(GITS_CBASER, BASER_VALID | TABLE_CACHED | arch_direct_unmap(commands));
    write64(GITS_CWRITER, 0);
    *(volatile uint32_t *)(volatile void *)(its + GITS_CTLR) = CTLR_ENABLED;
    klog("its: %llu devices of %u messages", (unsigned long long)device_count, 1u << event_bits);
}

paddr_t its_address(void)
{
    return its != NULL ? platform.its + GITS_TRANSLATER : 0;
}

/* ── Room for a device and at a CPU ──────────────────────────────────────────────────────────────────────────────── */

bool its_spare_make(struct its_spare *spare, const struct cpu *cpu)
{
    spare->device = kmem_alloc(NULL, sizeof(*spare->device));
    spare->events = table_alloc(PAGE_SIZE);
    spare->device_page = device_pages != NULL ? table_alloc(device_page_bytes) : NULL;
    spare->pending = arch_cpu_of(cpu)->takes_messages ? NULL : table_alloc(PENDING_BYTES);
    return spare->device != NULL && spare->events != NULL &&
           (spare->device_page != NULL || device_pages == NULL) &&
           (spare->pending != NULL || arch_cpu_of(cpu)->takes_messages);
}

void its_spare_free(struct its_spare *spare)
{
    if (spare->device != NULL)
        kmem_free(NULL, spare->device, sizeof(*spare->device));
    table_free(spare->events, PAGE_SIZE);
    table_free(spare->device_page, device_page_bytes);
    table_free(spare->pending, PENDING_BYTES);
}

/** The CPU's redistributor takes LPIs from now on. */
static void cpu_prepare(const struct cpu *cpu, struct its_spare *spare)
{
    struct arch_cpu *arch = arch_cpu_of(cpu);
    volatile uint64_t *property =
        (volatile uint64_t *)(volatile void *)(arch->gicr + GICR_PROPBASER);
    volatile uint64_t *pending =
        (volatile uint64_t *)(volatile void *)(arch->gicr + GICR_PENDBASER);

    if (arch->takes_messages)
        return;
    *property = arch_direct_unmap(properties) | PROPERTY_CACHED | (INTID_BITS - 1);
    *pending = arch_direct_unmap(spare->pending) | PROPERTY_CACHED | PENDING_IS_ZERO;
    *(volatile uint32_t *)(volatile void *)(arch->gicr + GICR_CTLR) |= ENABLE_LPIS;
    dsb_system();
    spare->pending = NULL;
    arch->takes_messages = true;
    command(COMMAND_MAPC, 0, COMMAND_VALID | target_of(cpu) | cpu->id);
}

static struct its_device *device_find(uint32_t id)
{
    struct its_device *device = devices;

    while (device != NULL && device->id != id)
        device = device->next;
    return device;
}

static void device_prepare(uint32_t id, struct its_spare *spare)
{
    if (device_find(id) != NULL)
        return;
    if (device_pages != NULL) {
        uint64_t *page = &device_pages[id / devices_per_page];

        if (*page == 0) {
            *page = BASER_VALID | arch_direct_unmap(spare->device_page);
            cache_clean(page, sizeof(*page));
            spare->device_page = NULL;
        }
    }
    spare->device->id = id;
    spare->device->next = devices;
    devices = spare->device;
    command(with_device(COMMAND_MAPD, id), event_bits - 1,
            COMMAND_VALID | arch_direct_unmap(spare->events));
    spare->device = NULL;
    spare->events = NULL;
}

bool its_prepare(uint32_t device, const struct cpu *cpu, struct its_spare *spare)
{
    if (device >= device_count)
        return false;
    cpu_prepare(cpu, spare);
    device_prepare(device, spare);
    return true;
}

/* ── Messages ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool event_take(struct its_device *device, uint32_t *event)
{
    for (uint32_t i = 0; i < (1u << event_bits); i++) {
        if ((device->busy[i / 64] >> i % 64 & 1) == 0) {
            device->busy[i / 64] |= 1ull << i % 64;
            *event = i;
            return true;
        }
    }
    return false;
}

bool its_map(uint32_t device, uint32_t intid, const struct cpu *cpu, uint32_t *event)
{
    uint8_t *property = &properties[intid - LPI_FIRST];

    if (!event_take(device_find(device), event))
        return false;
    *property = PROPERTY_ENABLED;
    cache_clean(property, sizeof(*property));
    command(with_device(COMMAND_MAPTI, device), *event | (uint64_t)intid << 32, cpu->id);
    command(with_device(COMMAND_INV, device), *event, 0);
    command_sync(cpu);
    return true;
}

void its_unmap(uint32_t device, uint32_t event, const struct cpu *cpu)
{
    device_find(device)->busy[event / 64] &= ~(1ull << event % 64);
    command(with_device(COMMAND_DISCARD, device), event, 0);
    command_sync(cpu);
}

void its_raise(uint32_t device, uint32_t event)
{
    command(with_device(COMMAND_INT, device), event, 0);
}

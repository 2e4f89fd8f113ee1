/* The kernel's page tables, and what an address space needs of the CPU.
 *
 * The kernel's half has a root of its own (TTBR1), the same whatever address space is loaded (TTBR0).
 * What is mapped:
 *   direct map   all RAM, writable and never executable, in the largest pages that fit; but not the image's text and read-only data
 *   devices      arch_map_device(), not cached, an unmapped page after each
 *   stacks       a slot for each CPU, an unmapped page below each stack
 *   image        text executable, read-only data neither, data and bss writable
 * So nothing is writable and executable, and no page has a writable alias of one that is executable. All of it is global.
 * Invariant: entries of these tables are only ever added, and only while the boot CPU brings the machine up (arch_init), so there
 * is no lock and no CPU needs to be told.
 *
 * Address spaces have identifiers (ASIDs), so that loading another one flushes nothing. They are each CPU's own: it keeps a table of the
 * roots that it has loaded last and the generation that it knows of each, in sets of two. A root that is in the table with the same
 * generation is loaded as it is; another generation, or another root in its place, and what the CPU holds by that identifier is
 * flushed first. So nothing is ever broadcast, and a translation of an old generation is never used. */
#include <arch.h>
#include <arch_cpu.h>
#include <mm/phys.h>

#include "cpu_regs.h"
#include "layout.h"
#include "local.h"

paddr_t arch_kernel_root;

/** Leaves of 1 GiB at most. */
#define LEVEL_MAX 2u

static bool use_allocator;
static uint64_t device_next = DEVICE_BASE;

/** A zeroed frame; false: none left. */
static bool table_frame(paddr_t *frame)
{
    if (!use_allocator) {
        *frame = early_frame();
        return true;
    }
    if (!phys_alloc(0, frame))
        return false;
    uint64_t *words = arch_direct_map(*frame);
    for (unsigned i = 0; i < ARCH_PT_ENTRIES; i++)
        words[i] = 0;
    return true;
}

void paging_use_allocator(void)
{
    use_allocator = true;
}

/** The entry for @address in the kernel's table of @level, making tables above it. NULL: no memory. */
static pte_t *kernel_entry(uint64_t address, unsigned level)
{
    pte_t *table = arch_direct_map(arch_kernel_root);

    for (unsigned l = ARCH_PT_LEVELS - 1; l > level; l--) {
        pte_t *entry = &table[arch_pt_index(address, l)];
        paddr_t frame;

        if (!arch_pte_is_present(*entry)) {
            if (!table_frame(&frame))
                return NULL;
            *entry = arch_pte_table(frame, false);
        }
        table = arch_direct_map(arch_pte_address(*entry));
    }
    return &table[arch_pt_index(address, level)];
}

/** Map [@base, @base + @bytes) at @address with pages up to @level_max. False: no memory. */
static bool map_range(uint64_t address, paddr_t base, uint64_t bytes, uint32_t flags,
                      unsigned level_max, bool device)
{
    while (bytes != 0) {
        unsigned level = level_max;

        while (level > 0 &&
               (((address | base) & (arch_pt_span(level) - 1)) != 0 || bytes < arch_pt_span(level)))
            level--;
        pte_t *entry = kernel_entry(address, level);

        if (entry == NULL)
            return false;
        *entry = arch_pte_leaf(base, flags, false, level, device);
        address += arch_pt_span(level);
        base += arch_pt_span(level);
        bytes -= arch_pt_span(level);
    }
    return true;
}

/* ── Shadow memory of the kasan build ─────────────────────────────────────────────────────────────────────────────── */

#ifdef CONFIG_KASAN
/** Shadow for [@address, @address + @bytes), all of which may be touched. */
static bool shadow_map(uint64_t address, uint64_t bytes)
{
    uint64_t start = ((address >> 3) + KASAN_SHADOW_OFFSET) & ~(PAGE_SIZE - 1);
    uint64_t end = ((address + bytes - 1) >> 3) + KASAN_SHADOW_OFFSET;

    for (uint64_t shadow = start; shadow <= end; shadow += PAGE_SIZE) {
        pte_t *entry = kernel_entry(shadow, 0);
        paddr_t frame;

        if (entry == NULL)
            return false;
        if (arch_pte_is_present(*entry))
            continue;
        if (!table_frame(&frame))
            return false;
        *entry = arch_pte_leaf(frame, MAP_READ | MAP_WRITE, false, 0, false);
    }
    return true;
}
#else
static bool shadow_map(uint64_t address, uint64_t bytes)
{
    (void)address;
    (void)bytes;
    return true;
}
#endif

/** What was stored in the tables is what the walker reads from now on. */
static void entries_visible(void)
{
    dsb_store();
    isb();
}

/** map_range() and shadow for it. */
static bool map_checked(uint64_t address, paddr_t base, uint64_t bytes, uint32_t flags,
                        unsigned level_max, bool device)
{
    return map_range(address, base, bytes, flags, level_max, device) && shadow_map(address, bytes);
}

/* ── Building ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** [@base, @end) of RAM at the direct map, without the image's text and read-only data. */
static void map_direct(paddr_t base, paddr_t end)
{
    paddr_t hole = image_physical(image_start);
    paddr_t hole_end = image_physical(rodata_end);
    bool mapped = true;

    if (base < hole_end && hole < end) {
        if (base < hole)
            mapped = map_checked(ARCH_DIRECT_MAP_BASE + base, base, hole - base,
                                 MAP_READ | MAP_WRITE, LEVEL_MAX, false);
        base = hole_end;
    }
    if (base < end)
        mapped &= map_checked(ARCH_DIRECT_MAP_BASE + base, base, end - base, MAP_READ | MAP_WRITE,
                              LEVEL_MAX, false);
    ASSERT(mapped); /* early_frame panics by itself */
}

static void map_image(const char *start, const char *end, uint32_t flags)
{
    uint64_t address = (uint64_t)(uintptr_t)start;

    bool mapped =
        map_checked(address, image_physical(start), (uint64_t)(end - start), flags, 0, false);
    ASSERT(mapped);
}

void paging_build(void)
{
    arch_kernel_root = early_frame();
    for (uint32_t i = 0; i < boot_info.ram_count; i++)
        map_direct(boot_info.ram[i].base, boot_info.ram[i].base + boot_info.ram[i].bytes);
    for (uint32_t i = 0; i < boot_info.reserved_count; i++)
        map_direct(boot_info.reserved[i].base,
                   boot_info.reserved[i].base + boot_info.reserved[i].bytes);
    map_image(image_start, text_end, MAP_READ | MAP_EXECUTE);
    map_image(text_end, rodata_end, MAP_READ);
    map_image(rodata_end, image_end, MAP_READ | MAP_WRITE);
    boot_switch_root(arch_kernel_root);
}

/* ── Stacks ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

uint64_t fault_stack_top(uint32_t id)
{
    uint64_t pages = 1 + KERNEL_STACK_PAGES + 1 + FAULT_STACK_PAGES;

    return STACKS_BASE + id * STACK_SLOT_BYTES + pages * PAGE_SIZE;
}

static bool map_stack(uint64_t top, uint32_t pages)
{
    for (uint64_t address = top - pages * PAGE_SIZE; address < top; address += PAGE_SIZE) {
        paddr_t frame;

        if (!table_frame(&frame) ||
            !map_checked(address, frame, PAGE_SIZE, MAP_READ | MAP_WRITE, 0, false))
            return false;
    }
    return true;
}

uint64_t paging_map_stacks(uint32_t id)
{
    uint64_t top = STACKS_BASE + id * STACK_SLOT_BYTES + (1 + KERNEL_STACK_PAGES) * PAGE_SIZE;

    if (!map_stack(top, KERNEL_STACK_PAGES) || !map_stack(fault_stack_top(id), FAULT_STACK_PAGES))
        return 0;
    entries_visible();
    return top;
}

/* ── Devices ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

void *arch_map_device(paddr_t base, uint64_t bytes)
{
    uint64_t offset = base & (PAGE_SIZE - 1);
    uint64_t address = device_next;
    uint64_t end;

    if (bytes == 0 || __builtin_add_overflow(base, bytes, &end) || end > PTE_ADDRESS_MASK)
        return NULL;
    bytes = (bytes + offset + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    if (bytes >= DEVICE_END - address ||
        !map_checked(address, base - offset, bytes, MAP_READ | MAP_WRITE, 0, true))
        return NULL;
    entries_visible();
    device_next += bytes + PAGE_SIZE;
    return (void *)(uintptr_t)(address + offset);
}

/* ── Address spaces ───────────────────────────────────────────────────────────────────────────────────────────────── */

/* The kernel's half is another table. */
void arch_aspace_root_init(paddr_t root)
{
    (void)root;
}

static void asid_flush(uint64_t asid)
{
    dsb_store();
    __asm__ volatile("tlbi aside1, %0\n\tdsb nsh" : : "r"(asid) : "memory");
}

void asids_init(struct arch_cpu *arch)
{
    for (unsigned i = 0; i < ASID_COUNT; i++)
        arch->asids[i].ttbr = image_physical(empty_root);
    arch->none.ttbr = image_physical(empty_root);
    arch->loaded = &arch->none;
}

/** A place in @set for @generation of @root: its own with an older one, or the one that is not loaded now. */
static struct asid *asid_claim(struct arch_cpu *arch, struct asid *set, paddr_t root,
                               uint64_t generation)
{
    struct asid *asid = &set[arch->loaded == &set[0]];

    if (root == arch_kernel_root)
        return &arch->none;
    for (unsigned way = 0; way < ASID_WAYS; way++)
        if ((set[way].ttbr & PTE_ADDRESS_MASK) == root)
            asid = &set[way];
    uint64_t number = ASID_FIELD(asid - arch->asids + 1);

    asid->ttbr = root | number;
    asid->generation = generation;
    asid_flush(number);
    return asid;
}

/* A generation is of one address space only, so it says the root as well. */
void arch_aspace_activate(paddr_t root, uint64_t generation)
{
    struct arch_cpu *arch = arch_cpu_of(arch_cpu_local());
    struct asid *set = &arch->asids[(root >> PAGE_SHIFT) * ASID_WAYS & (ASID_COUNT - 1)];
    struct asid *asid = &set[0];

    if (asid->generation != generation) {
        asid = &set[1];
        if (unlikely(asid->generation != generation))
            asid = asid_claim(arch, set, root, generation);
    }
    arch->loaded = asid;
    SYSREG_WRITE(ttbr0_el1, asid->ttbr);
    if (unlikely(generation == 0))
        isb(); /* the others are in force when the kernel is left */
}

void arch_tlb_flush_page(uint64_t address)
{
    uint64_t asid = SYSREG_READ(ttbr0_el1) & ASID_FIELD(0xff);

    dsb_store();
    __asm__ volatile("tlbi vae1, %0\n\tdsb nsh\n\tisb"
                     :
                     : "r"(asid | (address >> PAGE_SHIFT & ((1ull << 44) - 1)))
                     : "memory");
}

/* The kernel's page tables, and what an address space needs of the CPU.
 *
 * The root's upper half is the same in every address space: its entries are made once, here, and copied by arch_aspace_root_init().
 * What is mapped:
 *   direct map   all RAM, writable and never executable, in the largest pages that fit; but not the image's text and read-only data
 *   devices      arch_map_device(), not cached, an unmapped page after each
 *   stacks       a slot for each CPU, an unmapped page below each stack
 *   image        text executable, read-only data neither, data and bss writable
 * So nothing is writable and executable, and no page has a writable alias of one that is executable. All of it is global.
 * Invariant: entries of these tables are only ever added, and only while the boot CPU brings the machine up (arch_init), so there
 * is no lock and no CPU needs to be told. */
#include <arch.h>
#include <mm/phys.h>

#include "cpu_regs.h"
#include "layout.h"
#include "local.h"

paddr_t arch_kernel_root;

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

/** map_range() and shadow for it. */
static bool map_checked(uint64_t address, paddr_t base, uint64_t bytes, uint32_t flags,
                        unsigned level_max, bool device)
{
    return map_range(address, base, bytes, flags, level_max, device) && shadow_map(address, bytes);
}

/* ── Building ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** [@base, @end) of RAM at the direct map, without the image's text and read-only data. */
static void map_direct(paddr_t base, paddr_t end, unsigned level_max)
{
    paddr_t hole = image_physical(image_start);
    paddr_t hole_end = image_physical(rodata_end);
    bool mapped = true;

    if (base < hole_end && hole < end) {
        if (base < hole)
            mapped = map_checked(ARCH_DIRECT_MAP_BASE + base, base, hole - base,
                                 MAP_READ | MAP_WRITE, level_max, false);
        base = hole_end;
    }
    if (base < end)
        mapped &= map_checked(ARCH_DIRECT_MAP_BASE + base, base, end - base, MAP_READ | MAP_WRITE,
                              level_max, false);
    ASSERT(mapped); /* early_frame panics by itself */
}

static void map_image(const char *start, const char *end, uint32_t flags)
{
    uint64_t address = (uint64_t)(uintptr_t)start;

    bool mapped =
        map_checked(address, image_physical(start), (uint64_t)(end - start), flags, 0, false);
    ASSERT(mapped);
}

/** Page tables that the other CPUs start with: the trampoline at its own address, and the kernel's half. */
static void build_start_root(void)
{
    const pte_t *kernel = arch_direct_map(arch_kernel_root);
    uint64_t *pt = boot_pd + ARCH_PT_ENTRIES;

    for (unsigned i = 0; i < ARCH_PT_ENTRIES; i++) {
        boot_pml4[i] = i < ARCH_PT_USER_ROOT_ENTRIES ? 0 : kernel[i];
        boot_pdpt[i] = 0;
        boot_pd[i] = 0;
        pt[i] = 0;
    }
    boot_pml4[0] = arch_pte_table(image_physical(boot_pdpt), false);
    boot_pdpt[0] = arch_pte_table(image_physical(boot_pd), false);
    boot_pd[0] = arch_pte_table(image_physical(pt), false);
    pt[TRAMPOLINE_PAGE / PAGE_SIZE] =
        arch_pte_leaf(TRAMPOLINE_PAGE, MAP_READ | MAP_EXECUTE, false, 0, false) & ~PTE_GLOBAL;
}

void paging_build(void)
{
    unsigned level_max = (cpuid(0x80000001u, 0).edx & (1u << 26)) ? 2 : 1;

    /* early_frame shrinks boot_info.ram while we map it: what it takes is mapped all the same. */
    static struct boot_range ram[BOOT_RANGES_MAX];
    uint32_t ram_count = boot_info.ram_count;

    for (uint32_t i = 0; i < ram_count; i++)
        ram[i] = boot_info.ram[i];
    arch_kernel_root = early_frame();
    for (uint32_t i = 0; i < ram_count; i++)
        map_direct(ram[i].base, ram[i].base + ram[i].bytes, level_max);
    for (uint32_t i = 0; i < boot_info.reserved_count; i++)
        map_direct(boot_info.reserved[i].base,
                   boot_info.reserved[i].base + boot_info.reserved[i].bytes, level_max);
    map_image(image_start, text_end, MAP_READ | MAP_EXECUTE);
    map_image(text_end, rodata_end, MAP_READ);
    map_image(rodata_end, image_end, MAP_READ | MAP_WRITE);
    /* The root entries of what is mapped later must exist before the first address space copies them. */
    ASSERT(kernel_entry(DEVICE_BASE, ARCH_PT_LEVELS - 2) != NULL);
    ASSERT(kernel_entry(STACKS_BASE, ARCH_PT_LEVELS - 2) != NULL);
    cr3_write(arch_kernel_root);
    build_start_root();
}

/* ── Stacks ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

uint64_t ist_stack_top(uint32_t id, uint32_t index)
{
    uint64_t pages = 1 + KERNEL_STACK_PAGES + (index + 1) * (1 + IST_STACK_PAGES);

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
    bool mapped = map_stack(top, KERNEL_STACK_PAGES);

    for (uint32_t i = 0; i < IST_STACKS; i++)
        mapped = mapped && map_stack(ist_stack_top(id, i), IST_STACK_PAGES);
    return mapped ? top : 0;
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
    device_next += bytes + PAGE_SIZE;
    return (void *)(uintptr_t)(address + offset);
}

/* ── Address spaces ───────────────────────────────────────────────────────────────────────────────────────────────── */

void arch_aspace_root_init(paddr_t root)
{
    const pte_t *kernel = arch_direct_map(arch_kernel_root);
    pte_t *table = arch_direct_map(root);

    for (unsigned i = ARCH_PT_USER_ROOT_ENTRIES; i < ARCH_PT_ENTRIES; i++)
        table[i] = kernel[i];
}

void arch_aspace_activate(paddr_t root, uint64_t generation)
{
    (void)generation; /* no PCIDs: loading the root flushes what is not global */
    cr3_write(root);
}

void arch_tlb_flush_page(uint64_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* Fetch is coherent with stores on this architecture, and the return to user mode serialises. */
void arch_icache_sync(const struct aspace *aspace, paddr_t base, uint64_t bytes)
{
    (void)aspace;
    (void)base;
    (void)bytes;
}

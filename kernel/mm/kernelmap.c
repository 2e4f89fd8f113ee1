/* The kernel's own page tables.
 *
 * What is mapped:
 *   direct map   all RAM, writable and never executable, in the largest pages that fit; but not the image's text and read-only data
 *   heap         blocks of frames, with unmapped pages between them (mm/blocks.c)
 *   devices      kernelmap_device(), not cached, an unmapped page after each
 *   stacks       a slot for each CPU, an unmapped page below each stack
 *   image        text executable, read-only data neither, data and bss writable
 * The init text, executable too, is unmapped when boot is over; then its memory is in the direct map as other RAM is.
 * So nothing is writable and executable, and no page has a writable alias of one that is executable. All of it is global.
 * Where the kernel's half is in the root of every address space (ARCH_PT_ROOT_IS_SHARED), its entries there are made once, here.
 * Invariant: outside the heap's region, entries of these tables are added while the boot CPU brings the machine up (arch_init), and taken
 * away once, by it, before another CPU runs (kernelmap_drop_init); so there is no lock and no other CPU needs to be told. Tables of the
 * region are made one at a time, and an entry there is written by who has the slot that it is in (mm/blocks.c).
 * Runs before shadow memory is mapped, so it is not instrumented (mk/kernel.mk). */
#include <arch.h>
#include <arch_cpu.h>
#include <boot.h>
#include <mm/kernelmap.h>
#include <mm/phys.h>

#define READ_WRITE (MAP_READ | MAP_WRITE)

paddr_t kernelmap_root;

#ifdef CONFIG_DEBUG
#define ENTRIES_ARE_LATE true /* each first access faults, as it may on some machines */
#else
#define ENTRIES_ARE_LATE false
#endif

static unsigned leaf_level_max;
/* Frames are taken from the end of this piece of RAM until kernelmap_reserve(). */
static struct boot_range pool;
static uint64_t pool_end;
static bool is_reserved;
static uint64_t pages_taken; /* from the physical allocator; atomic */
static uint64_t device_next = ARCH_DEVICE_BASE;

/* ── Frames ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static INIT_TEXT void pool_choose(const struct boot_range *reach)
{
    for (uint32_t i = 0; i < boot_info.ram_count; i++) {
        const struct boot_range *ram = &boot_info.ram[i];
        uint64_t base = MAX(ram->base, reach->base);
        uint64_t end = MIN(ram->base + ram->bytes, reach->base + reach->bytes);

        if (base < end && end - base > pool.bytes)
            pool = (struct boot_range){base, end - base};
    }
    pool_end = pool.base + pool.bytes;
}

INIT_TEXT void kernelmap_reserve(void)
{
    boot_reserve(pool.base + pool.bytes, pool_end);
    is_reserved = true;
}

/** A zeroed frame; false: none left. */
static bool table_frame(paddr_t *frame)
{
    if (is_reserved) {
        if (!phys_alloc(0, frame))
            return false;
        __atomic_fetch_add(&pages_taken, 1, __ATOMIC_RELAXED);
    } else {
        if (pool.bytes <= PAGE_SIZE)
            panic("too little RAM in reach for the page tables");
        pool.bytes -= PAGE_SIZE;
        *frame = pool.base + pool.bytes;
    }
    uint64_t *words = arch_direct_map(*frame);

    for (unsigned i = 0; i < ARCH_PT_ENTRIES; i++)
        words[i] = 0;
    return true;
}

uint64_t kernelmap_pages(void)
{
    return __atomic_load_n(&pages_taken, __ATOMIC_RELAXED);
}

/* ── Entries ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** The entry for @address in the kernel's table of @level, or, where @make says so, tables above it. NULL: no table, or no memory. */
static pte_t *walk(uint64_t address, unsigned level, bool make)
{
    pte_t *table = arch_direct_map(kernelmap_root);

    for (unsigned l = ARCH_PT_LEVELS - 1; l > level; l--) {
        pte_t *entry = &table[arch_pt_index(address, l)];
        paddr_t frame;

        if (!arch_pte_is_present(*entry)) {
            if (!make || !table_frame(&frame))
                return NULL;
            __atomic_store_n(entry, arch_pte_table(frame, false), __ATOMIC_RELEASE);
        }
        table = arch_direct_map(arch_pte_address(*entry));
    }
    return &table[arch_pt_index(address, level)];
}

static pte_t *entry_at(uint64_t address, unsigned level)
{
    return walk(address, level, true);
}

/** A new frame at @address, if nothing is there. False: no memory. */
static bool page_map(uint64_t address)
{
    pte_t *entry = entry_at(address, 0);
    paddr_t frame;

    if (entry == NULL || (!arch_pte_is_present(*entry) && !table_frame(&frame)))
        return false;
    if (!arch_pte_is_present(*entry))
        *entry = arch_pte_leaf(frame, READ_WRITE, false, 0, false);
    return true;
}

static uint64_t shadow_of(uint64_t address)
{
    return (address >> 3) + KASAN_SHADOW_OFFSET;
}

/** [@address, @address + @bytes) is mapped. In the kasan build it has shadow memory, and all may be touched. False: no memory. */
static bool complete(uint64_t address, uint64_t bytes)
{
    uint64_t start = shadow_of(address) & ~(PAGE_SIZE - 1);
    uint64_t end = shadow_of(address + bytes - 1);

    for (uint64_t page = start; KASAN_IS_ON && page <= end; page += PAGE_SIZE)
        if (!page_map(page))
            return false;
    arch_pt_synchronise();
    return true;
}

/** Map [@base, @base + @bytes) at @address, in the largest pages that fit. False: no memory. */
static bool map(uint64_t address, paddr_t base, uint64_t bytes, uint32_t flags, bool device)
{
    for (uint64_t at = 0; at < bytes;) {
        unsigned level = leaf_level_max;

        while (level > 0 && ((((address + at) | (base + at)) & (arch_pt_span(level) - 1)) != 0 ||
                             bytes - at < arch_pt_span(level)))
            level--;
        pte_t *entry = entry_at(address + at, level);

        if (entry == NULL)
            return false;
        *entry = arch_pte_leaf(base + at, flags, false, level, device);
        at += arch_pt_span(level);
    }
    return complete(address, bytes);
}

/* ── Building ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** Without the image's text and read-only data, which begin at @image. */
static INIT_TEXT bool map_ram(const struct boot_range *ram, paddr_t image, uint64_t direct_map)
{
    paddr_t end = ram->base + ram->bytes;
    paddr_t below = MIN(end, image);
    paddr_t above = MAX(ram->base, image + (uint64_t)(rodata_end - image_start));

    return (ram->base >= below ||
            map(direct_map + ram->base, ram->base, below - ram->base, READ_WRITE, false)) &&
           (above >= end || map(direct_map + above, above, end - above, READ_WRITE, false));
}

static INIT_TEXT bool map_image(const char *start, const char *end, paddr_t image, uint32_t flags)
{
    return map((uint64_t)(uintptr_t)start, image + (uint64_t)(start - image_start),
               (uint64_t)(end - start), flags, false);
}

INIT_TEXT void kernelmap_image(paddr_t image)
{
    paddr_t init = image + (uint64_t)(text_end - image_start);
    uint64_t bytes = (uint64_t)(init_text_end - text_end);

    boot_reserve(image, init);
    boot_reserve(init + bytes, image + (uint64_t)(image_end - image_start));
    boot_info.init_text = (struct boot_range){init, bytes};
    boot_info.kernel_bytes = (uint64_t)(image_end - image_start) - bytes;
}

/** The root has what leads to [@start, @end). */
static INIT_TEXT bool root_map(uint64_t start, uint64_t end)
{
    uint64_t span = arch_pt_span(ARCH_PT_LEVELS - 1);

    for (uint64_t at = start; entry_at(at, ARCH_PT_LEVELS - 2) != NULL; at += span)
        if (end - at <= span) /* what comes next may be 0 */
            return true;
    return false;
}

INIT_TEXT void kernelmap_build(paddr_t image, uint64_t direct_map, unsigned level_max,
                               const struct boot_range *reach)
{
    leaf_level_max = level_max;
    pool_choose(reach);
    bool mapped = table_frame(&kernelmap_root);

    for (uint32_t i = 0; i < boot_info.ram_count; i++)
        mapped = mapped && map_ram(&boot_info.ram[i], image, direct_map);
    for (uint32_t i = 0; i < boot_info.reserved_count; i++)
        mapped = mapped && map_ram(&boot_info.reserved[i], image, direct_map);
    mapped = mapped && map_image(image_start, text_end, image, MAP_READ | MAP_EXECUTE) &&
             map_image(text_end, init_text_end, image, MAP_READ | MAP_EXECUTE) &&
             map_image(init_text_end, rodata_end, image, MAP_READ) &&
             map_image(rodata_end, image_end, image, READ_WRITE);
    /* The root entries of what is mapped later must exist before the first address space copies them. */
    ASSERT(mapped && root_map(ARCH_HEAP_BASE, ARCH_HEAP_END) &&
           (!KASAN_IS_ON || root_map(shadow_of(ARCH_HEAP_BASE), shadow_of(ARCH_HEAP_END))) &&
           root_map(ARCH_DEVICE_BASE, ARCH_DEVICE_BASE + 1) &&
           root_map(ARCH_STACKS_BASE, ARCH_STACKS_BASE + 1));
}

/* In single pages: kernel.ld sees to it that no larger ones fit. */
void kernelmap_drop_init(void)
{
    paddr_t base = boot_info.init_text.base;
    uint64_t start = (uint64_t)(uintptr_t)text_end;
    uint64_t bytes = (uint64_t)(init_text_end - text_end);

    for (uint64_t at = start; at < start + bytes; at += PAGE_SIZE) {
        *entry_at(at, 0) = 0;
        arch_tlb_flush_page(at, false);
    }
    bool mapped = map((uint64_t)(uintptr_t)arch_direct_map(base), base, bytes, READ_WRITE, false);
    ASSERT(mapped);
}

void kernelmap_share(paddr_t root)
{
    const pte_t *kernel = arch_direct_map(kernelmap_root);
    pte_t *table = arch_direct_map(root);

    for (unsigned i = ARCH_PT_USER_ROOT_ENTRIES; ARCH_PT_ROOT_IS_SHARED && i < ARCH_PT_ENTRIES; i++)
        table[i] = kernel[i];
}

/* ── The heap's region ────────────────────────────────────────────────────────────────────────────────────────────── */

bool kernelmap_prepare(uint64_t address, uint64_t bytes)
{
    return entry_at(address, 0) != NULL && complete(address, bytes);
}

pte_t *kernelmap_entries(uint64_t address)
{
    return entry_at(address, 0);
}

void kernelmap_changed(uint64_t address, uint64_t count)
{
    pte_t *entries = entry_at(address, 0);

    for (uint64_t i = 0; ENTRIES_ARE_LATE && i < count; i++)
        __atomic_fetch_and(&entries[i], ~(pte_t)ARCH_PT_LATE_BIT, __ATOMIC_RELAXED);
    arch_pt_synchronise();
}

/* What is not a leaf there has none of the bits below a page's. */
bool kernelmap_is_late(uint64_t address)
{
    bool is_heap = address >= ARCH_HEAP_BASE && address < ARCH_HEAP_END;
    bool is_shadow =
        KASAN_IS_ON && address >= shadow_of(ARCH_HEAP_BASE) && address < shadow_of(ARCH_HEAP_END);
    pte_t *entry = is_heap || is_shadow ? walk(address, 0, false) : NULL;

    if (ARCH_PT_LATE_BIT == 0 || entry == NULL || (*entry & (PAGE_SIZE - 1)) == 0)
        return false;
    __atomic_fetch_or(entry, ARCH_PT_LATE_BIT, __ATOMIC_RELAXED);
    arch_pt_synchronise();
    arch_cpu_local()->changed = true; /* where the user goes on is in the context alone */
    return true;
}

/* ── Stacks ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

uint64_t kernelmap_stack_top(uint32_t id, uint32_t index)
{
    uint64_t pages = 1 + KERNEL_STACK_PAGES + index * (1 + FAULT_STACK_PAGES);

    return ARCH_STACKS_BASE + id * STACK_SLOT_BYTES + pages * PAGE_SIZE;
}

static INIT_TEXT bool map_stack(uint64_t top, uint64_t pages)
{
    for (uint64_t i = 1; i <= pages; i++)
        if (!page_map(top - i * PAGE_SIZE))
            return false;
    return complete(top - pages * PAGE_SIZE, pages * PAGE_SIZE);
}

INIT_TEXT uint64_t kernelmap_stacks(uint32_t id)
{
    bool mapped = map_stack(kernelmap_stack_top(id, 0), KERNEL_STACK_PAGES);

    for (uint32_t i = 1; i <= ARCH_FAULT_STACKS; i++)
        mapped = mapped && map_stack(kernelmap_stack_top(id, i), FAULT_STACK_PAGES);
    return mapped ? kernelmap_stack_top(id, 0) : 0;
}

bool kernelmap_is_stack(uint64_t address)
{
    uint64_t slot = ARCH_STACKS_BASE + arch_cpu_local()->id * STACK_SLOT_BYTES;
    uint64_t data = (uint64_t)(uintptr_t)rodata_end, end = (uint64_t)(uintptr_t)image_end;

    return (address & 7) == 0 && ((address >= slot && address <= slot + STACK_SLOT_BYTES - 16) ||
                                  (address >= data && address <= end - 16));
}

/* ── Devices ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

INIT_TEXT void *kernelmap_device(paddr_t base, uint64_t bytes)
{
    uint64_t offset = base & (PAGE_SIZE - 1);
    uint64_t address = device_next;
    uint64_t end;

    if (bytes == 0 || __builtin_add_overflow(base, bytes, &end) ||
        end > arch_pte_address(UINT64_MAX))
        return NULL;
    bytes = (bytes + offset + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    if (bytes >= ARCH_DEVICE_END - address || !map(address, base - offset, bytes, READ_WRITE, true))
        return NULL;
    device_next += bytes + PAGE_SIZE;
    return (void *)(uintptr_t)(address + offset);
}

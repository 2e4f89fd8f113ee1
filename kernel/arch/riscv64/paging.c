/* The kernel's page tables, and what an address space needs of the hart.
 *
 * The root's upper half is the same in every address space: its entries are made once, here, and copied by arch_aspace_root_init().
 * What is mapped:
 *   direct map   all RAM, writable and never executable, in the largest pages that fit; but not the image's text and read-only data
 *   devices      arch_map_device(), an unmapped page after each
 *   stacks       a slot for each CPU, an unmapped page below each stack
 *   image        text executable, read-only data neither, data and bss writable
 * So nothing is writable and executable, and no page has a writable alias of one that is executable. All of it is global.
 * Invariant: entries of these tables are only ever added, and only while the boot CPU brings the machine up (arch_init), so there
 * is no lock and no other CPU needs to be told.
 *
 * Translations carry a number (ASID), and each hart keeps its own books of them: the number of an address space is a hash of its root,
 * and asid_generation says which generation's translations have that number here. Loading another one's flushes that number first.
 *
 * Fetch is not coherent with stores. Code that appears in an address space is announced by raising code_generation; a hart that runs that
 * very address space is told by the firmware (SBI RFENCE), every other looks when it next loads one. */
#include <arch.h>
#include <arch_cpu.h>
#include <mm/phys.h>

#include "csr.h"
#include "layout.h"
#include "local.h"

paddr_t arch_kernel_root;
unsigned arch_pt_levels;
uint64_t arch_direct_map_base;
uint64_t arch_user_end;
uint64_t arch_pte_device_bits = PTE_DEVICE;
uint64_t hart_satp;

static bool use_allocator;
static uint64_t device_next = DEVICE_BASE;
static uint32_t asid_count; /* numbers in use beside the kernel's own, 0; a power of two, or none */
static uint64_t code_generation; /* atomic */

static uint64_t direct_map_of(unsigned levels)
{
    return levels == 3 ? DIRECT_MAP_SV39 : DIRECT_MAP_SV48;
}

void paging_mode_set(unsigned levels)
{
    arch_pt_levels = levels;
    arch_direct_map_base = direct_map_of(levels);
    arch_user_end = levels == 3 ? USER_END_SV39 : USER_END_SV48;
}

uint64_t paging_direct_map_bytes(unsigned levels)
{
    return levels == 3 ? KASAN_SHADOW_SV39 - DIRECT_MAP_SV39 : KASAN_SHADOW_SV48 - DIRECT_MAP_SV48;
}

static uint64_t satp_mode(void)
{
    return arch_pt_levels == 3 ? SATP_SV39 : SATP_SV48;
}

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

/** map_range() and shadow for it. The hart may have kept that there was nothing. */
static bool map_checked(uint64_t address, paddr_t base, uint64_t bytes, uint32_t flags,
                        unsigned level_max, bool device)
{
    bool mapped =
        map_range(address, base, bytes, flags, level_max, device) && shadow_map(address, bytes);

    __asm__ volatile("sfence.vma" : : : "memory");
    return mapped;
}

/* ── Building ─────────────────────────────────────────────────────────────────────────────────────────────────────── */

/** [@base, @end) of RAM at @direct_map, without the image's text and read-only data. */
static void map_direct(uint64_t direct_map, paddr_t base, paddr_t end)
{
    paddr_t hole = image_physical(image_start);
    paddr_t hole_end = image_physical(rodata_end);
    bool mapped = true;

    if (base < hole_end && hole < end) {
        if (base < hole)
            mapped =
                map_checked(direct_map + base, base, hole - base, MAP_READ | MAP_WRITE, 2, false);
        base = hole_end;
    }
    if (base < end)
        mapped &= map_checked(direct_map + base, base, end - base, MAP_READ | MAP_WRITE, 2, false);
    ASSERT(mapped); /* early_frame panics by itself */
}

static void map_image(const char *start, const char *end, uint32_t flags)
{
    uint64_t address = (uint64_t)(uintptr_t)start;

    bool mapped =
        map_checked(address, image_physical(start), (uint64_t)(end - start), flags, 0, false);
    ASSERT(mapped);
}

/** How many bits of a number satp holds: found by trying (privileged specification, 4.1.11). */
static void asids_find(void)
{
    csr_write("satp", hart_satp | SATP_ASID_MASK << SATP_ASID_SHIFT);
    uint64_t bits = csr_read("satp") >> SATP_ASID_SHIFT & SATP_ASID_MASK;

    csr_write("satp", hart_satp);
    asid_count = ASID_SLOTS;
    while (asid_count > bits)
        asid_count /= 2;
}

void paging_build(unsigned levels)
{
    /* early_frame shrinks boot_info.ram while we map it: what it takes is mapped all the same. */
    static struct boot_range ram[BOOT_RANGES_MAX];
    uint32_t ram_count = boot_info.ram_count;
    uint64_t direct_map = direct_map_of(levels);

    for (uint32_t i = 0; i < ram_count; i++)
        ram[i] = boot_info.ram[i];
    arch_pt_levels =
        levels; /* the new tables', which are written through the boot tables' direct map */
    arch_kernel_root = early_frame();
    for (uint32_t i = 0; i < ram_count; i++)
        map_direct(direct_map, ram[i].base, ram[i].base + ram[i].bytes);
    for (uint32_t i = 0; i < boot_info.reserved_count; i++)
        map_direct(direct_map, boot_info.reserved[i].base,
                   boot_info.reserved[i].base + boot_info.reserved[i].bytes);
    map_image(image_start, text_end, MAP_READ | MAP_EXECUTE);
    map_image(text_end, rodata_end, MAP_READ);
    map_image(rodata_end, image_end, MAP_READ | MAP_WRITE);
    /* The root entries of what is mapped later must exist before the first address space copies them. */
    ASSERT(kernel_entry(DEVICE_BASE, ARCH_PT_LEVELS - 2) != NULL);
    ASSERT(kernel_entry(STACKS_BASE, ARCH_PT_LEVELS - 2) != NULL);
    hart_satp = satp_mode() | arch_kernel_root >> PAGE_SHIFT;
    boot_switch_tables(hart_satp);
    paging_mode_set(levels);
    asids_find();
}

/* ── Stacks ───────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool map_stack(uint64_t top, uint64_t pages)
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
    bool mapped = map_stack(top, KERNEL_STACK_PAGES) &&
                  map_stack(top + OVERFLOW_STACK_OFFSET, OVERFLOW_STACK_PAGES);

    return mapped ? top : 0;
}

/* ── Devices ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

void *arch_map_device(paddr_t base, uint64_t bytes)
{
    uint64_t offset = base & (PAGE_SIZE - 1);
    uint64_t address = device_next;
    uint64_t end;

    if (bytes == 0 || __builtin_add_overflow(base, bytes, &end) ||
        end > PTE_PPN_MASK >> PTE_PPN_SHIFT << PAGE_SHIFT)
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

static void fetch_synchronise(struct arch_cpu *arch, uint64_t generation)
{
    arch->fetch_generation = generation;
    __asm__ volatile("fence.i" : : : "memory");
}

/** Forget this hart's translations with number @asid, but for global ones. */
static void asid_flush(uint64_t asid)
{
    __asm__ volatile("sfence.vma zero, %0" : : "r"(asid) : "memory");
}

void arch_aspace_activate(paddr_t root, uint64_t generation)
{
    struct arch_cpu *arch = arch_cpu_of(arch_cpu_local());
    uint64_t satp = satp_mode() | root >> PAGE_SHIFT;
    uint64_t slot = (root >> PAGE_SHIFT) & (asid_count - 1);

    if (generation == 0) {
        csr_write("satp", satp);
        return;
    }
    uint64_t code = __atomic_load_n(&code_generation, __ATOMIC_ACQUIRE);

    if (arch->fetch_generation != code)
        fetch_synchronise(arch, code);
    if (asid_count == 0) {
        csr_write("satp", satp);
        asid_flush(0);
        return;
    }
    csr_write("satp", satp | (slot + 1) << SATP_ASID_SHIFT);
    if (arch->asid_generation[slot] != generation) {
        asid_flush(slot + 1);
        arch->asid_generation[slot] = generation;
    }
}

void arch_tlb_flush_page(uint64_t address)
{
    __asm__ volatile("sfence.vma %0" : : "r"(address) : "memory");
}

/* ── Instruction fetch ────────────────────────────────────────────────────────────────────────────────────────────── */

/* Either the hart that loads the address space sees the new generation, or who raised it sees cpu->aspace (mm/aspace.c). */
void arch_icache_sync(const struct aspace *aspace, paddr_t base, uint64_t bytes)
{
    const struct cpu *self = arch_cpu_local();
    uint64_t generation = __atomic_add_fetch(&code_generation, 1, __ATOMIC_SEQ_CST);

    (void)base;
    (void)bytes; /* fence.i knows no addresses */
    fetch_synchronise(arch_cpu_of(self), generation);
    for (uint32_t i = 0; aspace != NULL && i < cpu_count; i++) {
        if (cpus[i] != self && __atomic_load_n(&cpus[i]->aspace, __ATOMIC_SEQ_CST) == aspace)
            (void)sbi_call(SBI_RFENCE, SBI_RFENCE_FENCE_I, 1, cpus[i]->arch_id, 0);
    }
}

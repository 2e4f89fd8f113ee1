/* The flattened device tree (Devicetree Specification 0.4), for what the kernel must know before user space: RAM, CPUs, interrupt
 * controllers, the boot archive. All else is devmgr's, which reads the same tree with the same lib/devicetree. The whole blob is checked
 * first, so reading it later cannot leave it.
 * Runs before shadow memory is mapped, so it is not instrumented (mk/kernel.mk). */
#include <arch_pt.h>
#include <boot.h>
#include <devicetree/devicetree.h>

#define FDT_ALIGNMENT 8u
#define SEED_PROPERTY "rng-seed"

static void *tree(void)
{
    return arch_direct_map(boot_info.fdt);
}

static bool found(int offset, struct boot_fdt_node *node)
{
    node->offset = offset;
    return offset >= 0 && dt_is_enabled(tree(), offset);
}

bool boot_fdt_reg(const struct boot_fdt_node *node, uint32_t index, paddr_t *base, uint64_t *bytes)
{
    return dt_registers(tree(), node->offset, index, base, bytes);
}

/* ── Finding nodes ───────────────────────────────────────────────────────────────────────────────────────────────── */

bool boot_fdt_path(const char *path, struct boot_fdt_node *node)
{
    return found(fdt_path_offset(tree(), path), node);
}

bool boot_fdt_find(const char *compatible, uint32_t index, struct boot_fdt_node *node)
{
    for (int at = -1;;) {
        at = fdt_node_offset_by_compatible(tree(), at, compatible);
        if (at < 0)
            return false;
        if (found(at, node) && index-- == 0)
            return true;
    }
}

bool boot_fdt_child(const struct boot_fdt_node *parent, const char *name,
                    struct boot_fdt_node *node)
{
    return found(fdt_subnode_offset(tree(), parent->offset, name), node);
}

/** The CPU that was asked for last, for the next is likely to be the one after it. Node 0: not looked for yet. */
static struct {
    uint32_t index;
    int node;
} cpu_cursor;

static void cpu_cursor_reset(void)
{
    cpu_cursor.index = 0;
    cpu_cursor.node = 0;
}

/** The next CPU below @folder after @at, the first after 0; negative: none. */
static int cpu_after(int folder, int at)
{
    do {
        at = at == 0 ? fdt_first_subnode(tree(), folder) : fdt_next_subnode(tree(), at);
    } while (at >= 0 &&
             (!dt_string_is(tree(), at, "device_type", "cpu") || !dt_is_enabled(tree(), at)));
    return at;
}

bool boot_fdt_cpu(uint32_t index, struct boot_fdt_node *node, uint64_t *hardware_id)
{
    int folder = fdt_path_offset(tree(), "/cpus");
    struct dt_cells reg;

    if (index < cpu_cursor.index)
        cpu_cursor_reset();
    if (folder < 0)
        return false;
    if (cpu_cursor.node == 0)
        cpu_cursor.node = cpu_after(folder, 0);
    for (; cpu_cursor.node >= 0 && cpu_cursor.index < index; cpu_cursor.index++)
        cpu_cursor.node = cpu_after(folder, cpu_cursor.node);
    node->offset = cpu_cursor.node;
    return node->offset >= 0 && dt_cells(tree(), node->offset, "reg", &reg) &&
           dt_take(&reg, fdt_address_cells(tree(), folder), hardware_id);
}

/* ── Values ──────────────────────────────────────────────────────────────────────────────────────────────────────── */

bool boot_fdt_cell(const struct boot_fdt_node *node, const char *property, uint32_t index,
                   uint32_t *value)
{
    struct dt_cells cells;

    if (!dt_cells(tree(), node->offset, property, &cells) || index >= (uint32_t)cells.count)
        return false;
    *value = fdt32_to_cpu(cells.at[index]);
    return true;
}

uint32_t boot_fdt_u32(const struct boot_fdt_node *node, const char *property, uint32_t otherwise)
{
    return dt_u32(tree(), node->offset, property, otherwise);
}

bool boot_fdt_string(const struct boot_fdt_node *node, const char *property, const char **text)
{
    *text = dt_string(tree(), node->offset, property);
    return *text != NULL;
}

/* ── Filling boot_info ───────────────────────────────────────────────────────────────────────────────────────────── */

static void check(void)
{
    if (boot_info.fdt % FDT_ALIGNMENT != 0)
        panic("device tree: %#llx is not aligned", (unsigned long long)boot_info.fdt);
    const char *wrong = dt_check(tree());

    if (wrong != NULL)
        panic("device tree: at %#llx: %s", (unsigned long long)boot_info.fdt, wrong);
    boot_info.fdt_bytes = fdt_totalsize(tree());
}

static void read_memory(void)
{
    struct boot_fdt_node node = {-1};
    uint64_t base, bytes;

    for (;;) {
        node.offset = fdt_node_offset_by_prop_value(tree(), node.offset, "device_type", "memory",
                                                    sizeof("memory"));
        if (node.offset < 0)
            break;
        for (uint32_t i = 0;
             dt_is_enabled(tree(), node.offset) && boot_fdt_reg(&node, i, &base, &bytes); i++)
            boot_ram_add(base, base + bytes);
    }
    if (boot_info.ram_count == 0)
        panic("device tree: no memory");
}

static void subtract(uint64_t base, uint64_t bytes)
{
    boot_ram_subtract(base, bytes > UINT64_MAX - base ? UINT64_MAX : base + bytes);
}

/** Both lists of what is not ours: the header's, and /reserved-memory (3.5), where what has no address yet is nobody's. */
static void read_reserved(void)
{
    struct boot_fdt_node node;
    uint64_t base, bytes;

    for (int i = 0; i < fdt_num_mem_rsv(tree()); i++) {
        if (fdt_get_mem_rsv(tree(), i, &base, &bytes) == 0)
            subtract(base, bytes);
    }
    int parent = fdt_path_offset(tree(), "/reserved-memory");

    for (node.offset = parent < 0 ? parent : fdt_first_subnode(tree(), parent); node.offset >= 0;
         node.offset = fdt_next_subnode(tree(), node.offset)) {
        for (uint32_t i = 0;
             dt_is_enabled(tree(), node.offset) && boot_fdt_reg(&node, i, &base, &bytes); i++)
            subtract(base, bytes);
    }
}

/** An address in /chosen: of one cell or two. */
static bool chosen_address(int chosen, const char *property, uint64_t *value)
{
    struct dt_cells cells;

    return dt_cells(tree(), chosen, property, &cells) && dt_take(&cells, cells.count, value);
}

static bool is_ram(uint64_t base, uint64_t end)
{
    for (uint32_t i = 0; i < boot_info.ram_count; i++) {
        const struct boot_range *ram = &boot_info.ram[i];

        if (base >= ram->base && end <= ram->base + ram->bytes)
            return base < end;
    }
    return false;
}

static void read_archive(int chosen)
{
    uint64_t base, end;

    if (!chosen_address(chosen, "linux,initrd-start", &base) ||
        !chosen_address(chosen, "linux,initrd-end", &end))
        return;
    if (!is_ram(base, end))
        panic("device tree: the boot archive, %#llx to %#llx, is not in RAM",
              (unsigned long long)base, (unsigned long long)end);
    boot_info.archive = base;
    boot_info.archive_bytes = end - base;
}

static void read_cmdline(int chosen)
{
    const char *text = dt_string(tree(), chosen, "bootargs");

    for (size_t i = 0; text != NULL && i < sizeof(boot_info.cmdline) - 1 && text[i] != '\0'; i++)
        boot_info.cmdline[i] = text[i];
}

/** Each byte is used once: who reads the tree later must not learn what our secrets came from. */
static void take_seed(int chosen)
{
    int bytes;
    uint8_t *seed = fdt_getprop_w(tree(), chosen, SEED_PROPERTY, &bytes);

    for (int i = 0; seed != NULL && i < bytes; i++) {
        boot_info.seed[(size_t)i % sizeof(boot_info.seed)] ^= seed[i];
        seed[i] = 0;
    }
}

/** Check the tree and make it ours; its node /chosen, negative if there is none. */
static int open_tree(paddr_t fdt)
{
    boot_info.fdt = fdt;
    cpu_cursor_reset();
    check();
    return fdt_path_offset(tree(), "/chosen");
}

void boot_fdt_attach(paddr_t fdt)
{
    int chosen = open_tree(fdt);

    if (chosen >= 0)
        take_seed(chosen);
    read_reserved();
    boot_reserve(fdt, fdt + boot_info.fdt_bytes);
}

void boot_fdt_read(paddr_t fdt)
{
    int chosen = open_tree(fdt);

    read_memory();
    if (chosen >= 0) {
        read_archive(chosen);
        read_cmdline(chosen);
        take_seed(chosen);
    }
    read_reserved();
    boot_reserve(fdt, fdt + boot_info.fdt_bytes);
    if (boot_info.archive_bytes != 0)
        boot_reserve(boot_info.archive, boot_info.archive + boot_info.archive_bytes);
}

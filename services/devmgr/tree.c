/* See tree.h. Numbers in comments are sections of the Devicetree Specification 0.4; what it says nothing of (PCI, interrupt controllers) is
 * in the bindings that the comments name. */
#include "tree.h"

#include <devicetree/devicetree.h>
#include <string.h>

#define FLAG_LEVEL 1u
#define FLAG_ACTIVE_LOW 2u
/* The senses of an interrupt that most controllers share: rising 1, falling 2, high 4, low 8. */
#define SENSE_LEVEL 0xcu
#define SENSE_LOW 0xau

int tree_next(const void *tree, int node)
{
    do
        node = fdt_next_node(tree, node, NULL);
    while (node >= 0 && !dt_is_enabled(tree, node));
    return node;
}

bool tree_is(const void *tree, int node, const char *name)
{
    return fdt_node_check_compatible(tree, node, name) == 0;
}

int tree_console(const void *tree)
{
    int chosen = fdt_path_offset(tree, "/chosen");
    const char *path = chosen < 0 ? NULL : dt_string(tree, chosen, "stdout-path");
    /* Behind a colon the path has the speed of the line and the like. */
    return path == NULL ? -1 : fdt_path_offset_namelen(tree, path, (int)strcspn(path, ":"));
}

uint32_t tree_clock_hz(const void *tree, int node)
{
    uint32_t own = dt_u32(tree, node, "clock-frequency", 0);
    int clock = own != 0 ? -1 : fdt_node_offset_by_phandle(tree, dt_u32(tree, node, "clocks", 0));
    return clock < 0 ? own : dt_u32(tree, clock, "clock-frequency", 0);
}

/* ── Interrupts ──────────────────────────────────────────────────────────────────────────────────────────────────── */

static uint32_t sense_flags(uint32_t sense)
{
    return ((sense & SENSE_LEVEL) != 0 ? FLAG_LEVEL : 0) |
           ((sense & SENSE_LOW) != 0 ? FLAG_ACTIVE_LOW : 0);
}

/* Bindings arm,gic and arm,gic-v3: kind (0 shared, 1 private), number, sense. */
static bool gic_interrupt(const uint32_t cells[], struct irq_line *line)
{
    *line = (struct irq_line){.number = cells[1] + (cells[0] == 0 ? 32 : 16),
                              .flags = sense_flags(cells[2])};
    return cells[0] <= 1 && cells[1] <= 1019;
}

/* Binding sifive,plic-1.0.0: the number; all are levels. */
static bool plic_interrupt(const uint32_t cells[], struct irq_line *line)
{
    *line = (struct irq_line){.number = cells[0], .flags = FLAG_LEVEL};
    return true;
}

/* Binding riscv,aplic: number, sense. */
static bool aplic_interrupt(const uint32_t cells[], struct irq_line *line)
{
    *line = (struct irq_line){.number = cells[0], .flags = sense_flags(cells[1])};
    return true;
}

static const struct controller {
    const char *compatible;
    int cells;
    bool (*translate)(const uint32_t cells[], struct irq_line *line);
} controllers[] = {
    {"arm,gic-v3", 3, gic_interrupt},    {"arm,cortex-a15-gic", 3, gic_interrupt},
    {"riscv,plic0", 1, plic_interrupt},  {"sifive,plic-1.0.0", 1, plic_interrupt},
    {"riscv,aplic", 2, aplic_interrupt},
};
#define SPECIFIER_CELLS_MAX 4

static const struct controller *controller_of(const void *tree, int node)
{
    for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); i++)
        if (node >= 0 && tree_is(tree, node, controllers[i].compatible))
            return &controllers[i];
    return NULL;
}

/* The specifier of an interrupt at controller @node. */
static bool take_specifier(const void *tree, int node, struct dt_cells *cells,
                           struct irq_line *line)
{
    const struct controller *controller = controller_of(tree, node);
    uint32_t values[SPECIFIER_CELLS_MAX] = {0};
    int width = node < 0 ? -1 : (int)dt_u32(tree, node, "#interrupt-cells", 0);
    if (controller == NULL || width < controller->cells || width > SPECIFIER_CELLS_MAX)
        return false;
    for (int i = 0; i < width; i++) {
        uint64_t value;
        if (!dt_take(cells, 1, &value))
            return false;
        values[i] = (uint32_t)value;
    }
    return controller->translate(values, line);
}

/* 2.4.1.2: its own interrupt-parent, or that of whoever is above. */
static int interrupt_parent(const void *tree, int node)
{
    for (; node >= 0; node = fdt_parent_offset(tree, node)) {
        uint32_t phandle = dt_u32(tree, node, "interrupt-parent", 0);
        if (phandle != 0)
            return fdt_node_offset_by_phandle(tree, phandle);
    }
    return -1;
}

bool tree_interrupt(const void *tree, int node, uint32_t index, struct irq_line *line)
{
    int parent = interrupt_parent(tree, node);
    struct dt_cells cells;
    if (parent < 0 || !dt_cells(tree, node, "interrupts", &cells))
        return false;
    do
        if (!take_specifier(tree, parent, &cells, line))
            return false;
    while (index-- != 0);
    return true;
}

/* ── PCI (IEEE 1275 binding for the PCI bus 2.1; binding pci-host-ecam-generic) ─────────────────────────────────────── */

#define SPACE_MASK 0x03000000u
#define SPACE_MEMORY_32 0x02000000u
#define SPACE_MEMORY_64 0x03000000u
#define ECAM_BUS_BYTES (UINT64_C(1) << 20)
#define BELOW_4_GIB (UINT64_C(1) << 32)

/* An entry of `ranges`: the address on the bus in three cells, of which the first says in which space; the CPUs' address; the size. */
static bool take_window(const void *tree, int node, int parent, struct dt_cells *cells,
                        uint64_t *space, struct pci_window *window)
{
    uint64_t end;
    bool taken = dt_take(cells, 1, space) && dt_take(cells, 2, &window->bus) &&
                 dt_take(cells, fdt_address_cells(tree, parent), &window->cpu) &&
                 dt_take(cells, fdt_size_cells(tree, node), &window->bytes);
    window->next = window->bus;
    return taken && !__builtin_add_overflow(window->bus, window->bytes, &end);
}

/* The biggest window of each kind. */
static void take_windows(const void *tree, int node, struct pci_host *host)
{
    int parent = fdt_parent_offset(tree, node);
    struct pci_window window;
    struct dt_cells cells;
    uint64_t space;
    if (parent < 0 || !dt_cells(tree, node, "ranges", &cells))
        return;
    while (take_window(tree, node, parent, &cells, &space, &window)) {
        struct pci_window *kept =
            (space & SPACE_MASK) == SPACE_MEMORY_64 ? &host->high : &host->low;
        bool fits = kept == &host->high || ((space & SPACE_MASK) == SPACE_MEMORY_32 &&
                                            window.bus + window.bytes <= BELOW_4_GIB);
        if (fits && window.bytes > kept->bytes &&
            dt_translate(tree, parent, &window.cpu, window.bytes))
            *kept = window;
    }
}

bool tree_pci_host(const void *tree, int node, struct pci_host *host)
{
    struct dt_cells buses;
    uint64_t bytes, first = 0, last = 255;
    *host = (struct pci_host){.node = node};
    if (!dt_registers(tree, node, 0, &host->ecam, &bytes))
        return false;
    if (dt_cells(tree, node, "bus-range", &buses) &&
        (!dt_take(&buses, 1, &first) || !dt_take(&buses, 1, &last)))
        return false;
    if (first > last || last > 255 || bytes < (last - first + 1) * ECAM_BUS_BYTES ||
        host->ecam % PAGE_SIZE != 0)
        return false;
    host->first_bus = (uint8_t)first;
    host->last_bus = (uint8_t)last;
    take_windows(tree, node, host);
    return true;
}

/* 2.4.4: rows of child address (three cells) and pin, the controller, the controller's address cells, the specifier there. */
bool tree_pci_line(const void *tree, int node, uint32_t address, uint32_t pin,
                   struct irq_line *line)
{
    struct dt_cells map, mask;
    uint64_t unit = (uint64_t)address << 8, unit_mask = UINT32_MAX, pin_mask = UINT32_MAX, ignored;
    uint64_t row_unit, row_pin, phandle;
    if (!dt_cells(tree, node, "interrupt-map", &map))
        return false;
    if (dt_cells(tree, node, "interrupt-map-mask", &mask) &&
        !(dt_take(&mask, 1, &unit_mask) && dt_take(&mask, 2, &ignored) &&
          dt_take(&mask, 1, &pin_mask)))
        return false;
    while (dt_take(&map, 1, &row_unit) && dt_take(&map, 2, &ignored) &&
           dt_take(&map, 1, &row_pin) && dt_take(&map, 1, &phandle)) {
        int controller = fdt_node_offset_by_phandle(tree, (uint32_t)phandle);
        if (controller < 0 ||
            !dt_take(&map, (int)dt_u32(tree, controller, "#address-cells", 0), &ignored) ||
            !take_specifier(tree, controller, &map, line))
            return false;
        if (row_unit == (unit & unit_mask) && row_pin == (pin & pin_mask))
            return true;
    }
    return false;
}

/* Binding pci-msi: rows of first function, controller, first number there, how many. */
static bool map_source(struct dt_cells *map, uint32_t address, uint32_t *source)
{
    uint64_t first, phandle, number, count;
    while (dt_take(map, 1, &first) && dt_take(map, 1, &phandle) && dt_take(map, 1, &number) &&
           dt_take(map, 1, &count)) {
        if (address >= first && address - first < count) {
            *source = (uint32_t)(number + (address - first));
            return true;
        }
    }
    return false;
}

bool tree_msi_source(const void *tree, int node, uint32_t address, uint32_t *source)
{
    struct dt_cells map;
    if (dt_cells(tree, node, "msi-map", &map))
        return map_source(&map, address & dt_u32(tree, node, "msi-map-mask", UINT16_MAX), source);
    *source = address;
    return dt_cells(tree, node, "msi-parent", &map);
}

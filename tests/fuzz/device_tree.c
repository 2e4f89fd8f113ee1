/* libFuzzer target of lib/devicetree and of devmgr's reader: all that is read of any tree that dt_check() accepts. */
#include "target.h"

#include <devicetree/devicetree.h>
#include <tree.h>

static uint64_t total;

static void read_node(const void *tree, int node)
{
    struct pci_host host;
    struct irq_line line = {0};
    struct dt_cells cells;
    uint64_t base, bytes;
    uint32_t source;
    if (dt_cells(tree, node, "reg", &cells))
        while (dt_take(&cells, 2, &base))
            total += base;
    for (uint32_t i = 0; i < 4; i++) {
        total += dt_registers(tree, node, i, &base, &bytes);
        total += tree_interrupt(tree, node, i, &line);
        total += tree_pci_line(tree, node, i << 8 | i << 3, i + 1, &line);
    }
    const char *text = dt_string(tree, node, "device_type");
    total += text != NULL ? strlen(text) : 0;
    total +=
        tree_clock_hz(tree, node) + dt_u32(tree, node, "phandle", 1) + tree_is(tree, node, "a");
    total += tree_pci_host(tree, node, &host) + tree_msi_source(tree, node, 8, &source);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t stated;
    /* The caller sees to it that what the header states can be read. */
    if (size < sizeof(struct fdt_header))
        return 0;
    void *tree = aligned_alloc(8, (size + 7) & ~(size_t)7);
    HOLDS(tree != NULL);
    memcpy(tree, data, size);
    stated = fdt32_to_cpu(((const struct fdt_header *)tree)->totalsize);
    if (stated <= size && dt_check(tree) == NULL) {
        for (int node = tree_next(tree, -1); node >= 0; node = tree_next(tree, node))
            read_node(tree, node);
        total += (uint64_t)tree_console(tree);
    }
    free(tree);
    return 0;
}

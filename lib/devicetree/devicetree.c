/* See devicetree.h. Numbers in comments are sections of the specification.
 * The kernel's runs before shadow memory is mapped, so it is not instrumented there (mk/kernel.mk). */
#include <devicetree/devicetree.h>

const char *dt_check(const void *tree)
{
    if (fdt_check_header(tree) != 0 || fdt_totalsize(tree) > DT_BYTES_MAX)
        return "there is none";
    /* 5.6; what libfdt reads without looking. */
    if (fdt_off_mem_rsvmap(tree) % 8 != 0 || fdt_off_dt_struct(tree) % 4 != 0)
        return "its blocks are not aligned";
    return fdt_check_full(tree, fdt_totalsize(tree)) == 0 ? NULL : "it is malformed";
}

const char *dt_string(const void *tree, int node, const char *property)
{
    int bytes;
    const char *text = fdt_getprop(tree, node, property, &bytes);

    return text != NULL && memchr(text, '\0', (size_t)bytes) != NULL ? text : NULL;
}

bool dt_string_is(const void *tree, int node, const char *property, const char *wanted)
{
    const char *text = dt_string(tree, node, property);

    return text != NULL && strlen(text) == strlen(wanted) &&
           memcmp(text, wanted, strlen(wanted)) == 0;
}

bool dt_is_enabled(const void *tree, int node)
{
    return dt_string(tree, node, "status") == NULL || dt_string_is(tree, node, "status", "okay") ||
           dt_string_is(tree, node, "status", "ok");
}

bool dt_cells(const void *tree, int node, const char *property, struct dt_cells *cells)
{
    int bytes;

    cells->at = fdt_getprop(tree, node, property, &bytes);
    cells->count = cells->at == NULL ? 0 : bytes / (int)sizeof(fdt32_t);
    return cells->at != NULL;
}

bool dt_take(struct dt_cells *cells, int width, uint64_t *value)
{
    if (width < 0 || width > 2 || width > cells->count)
        return false;
    *value = 0;
    for (int i = 0; i < width; i++)
        *value = *value << 32 | fdt32_to_cpu(*cells->at++);
    cells->count -= width;
    return true;
}

uint32_t dt_u32(const void *tree, int node, const char *property, uint32_t otherwise)
{
    struct dt_cells cells;
    uint64_t value;

    return dt_cells(tree, node, property, &cells) && dt_take(&cells, 1, &value) ? (uint32_t)value
                                                                                : otherwise;
}

/** Addresses of the children of @bus become addresses of its parent's children. False: they cannot be seen from there. */
static bool translate_once(const void *tree, int bus, int parent, uint64_t *address, uint64_t bytes)
{
    struct dt_cells ranges;
    int child_width = fdt_address_cells(tree, bus), size_width = fdt_size_cells(tree, bus);
    int parent_width = fdt_address_cells(tree, parent);
    uint64_t from, to, span;

    if (!dt_cells(tree, bus, "ranges", &ranges))
        return false;
    if (ranges.count == 0)
        return true;
    while (dt_take(&ranges, child_width, &from) && dt_take(&ranges, parent_width, &to) &&
           dt_take(&ranges, size_width, &span)) {
        if (*address < from || *address - from >= span || bytes > span - (*address - from))
            continue;
        return !__builtin_add_overflow(*address - from, to, address);
    }
    return false;
}

bool dt_translate(const void *tree, int bus, uint64_t *address, uint64_t bytes)
{
    for (int parent; bus > 0; bus = parent) {
        parent = fdt_parent_offset(tree, bus);
        if (parent < 0 || !translate_once(tree, bus, parent, address, bytes))
            return false;
    }
    return true;
}

bool dt_registers(const void *tree, int node, uint32_t index, uint64_t *base, uint64_t *bytes)
{
    int bus = fdt_parent_offset(tree, node);
    struct dt_cells reg;
    uint64_t end;

    if (bus < 0 || !dt_cells(tree, node, "reg", &reg))
        return false;
    do {
        if (!dt_take(&reg, fdt_address_cells(tree, bus), base) ||
            !dt_take(&reg, fdt_size_cells(tree, bus), bytes))
            return false;
    } while (index-- != 0);
    return dt_translate(tree, bus, base, *bytes) && !__builtin_add_overflow(*base, *bytes, &end);
}

/* The sizes of the BARs, asked of each function once in a boot.
 *
 * To ask, decoding is off and all address bits are written: for that moment the machine's address map is another one. Where the emulator
 * runs CPUs in parallel (QEMU before 8.2), what they write meanwhile to their interrupt controllers can go astray. So no driver's death and
 * no death of ours may move a BAR: the answers are kept in a Memory of init's ("devices") and believed as long as the same function has its
 * BARs at the same addresses. Decoding stays on; what ends with a driver is bus mastering. */
#include "devmgr.h"

#include <os/memory.h>
#include <os/start.h>
#include <string.h>
#include <veridian/syscalls.h>

struct kept {
    uint32_t address, id; /* id 0: a free place */
    struct pci_bar bars[DEVICE_WINDOWS];
};

#define KEPT_MAX (DEVICES_KEPT_BYTES / sizeof(struct kept))

/* The Memory, or, if there is none, the answers of this life. */
static struct kept *kept_table(void)
{
    static struct kept own[KEPT_MAX];
    static struct kept *table;
    void *mapped;
    if (table != NULL)
        return table;
    table = own;
    if (status_is_ok(
            memory_map(os_cap("devices"), 0, DEVICES_KEPT_BYTES, MAP_READ | MAP_WRITE, &mapped)))
        table = mapped;
    return table;
}

static bool is_where_it_was(const struct pci_function *f, const struct kept *kept)
{
    struct pci_bar now[DEVICE_WINDOWS];
    pci_read_bars(f, now);
    for (uint32_t i = 0; i < DEVICE_WINDOWS; i++)
        if (kept->bars[i].bytes != 0 &&
            (now[i].base != kept->bars[i].base || now[i].ports != kept->bars[i].ports))
            return false;
    return true;
}

/* The entry of @f, or a free one; NULL: there is no room. */
static struct kept *find(const struct pci_function *f)
{
    struct kept *table = kept_table();
    for (uint32_t i = 0; i < KEPT_MAX; i++)
        if (table[i].id == 0 || table[i].address == f->address)
            return &table[i];
    return NULL;
}

void sizes_get(const struct pci_function *f, struct pci_bar bars[DEVICE_WINDOWS])
{
    const struct kept *kept = find(f);
    if (kept != NULL && kept->id == pci_read32(f, 0) && is_where_it_was(f, kept)) {
        memcpy(bars, kept->bars, sizeof(kept->bars));
        return;
    }
    pci_size_bars(f, bars);
    sizes_keep(f, bars);
}

void sizes_keep(const struct pci_function *f, const struct pci_bar bars[DEVICE_WINDOWS])
{
    struct kept *kept = find(f);
    if (kept == NULL)
        return;
    kept->address = f->address;
    memcpy(kept->bars, bars, sizeof(kept->bars));
    kept->id = pci_read32(f, 0);
}

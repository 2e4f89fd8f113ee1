/* libFuzzer target of the catalogue: whatever catalogue_open() accepts can be read wholly, by every function. */
#include "target.h"

#include <os/catalogue.h>

static size_t total;

static void read_texts(struct catalogue_list list)
{
    for (uint32_t i = 0; i < list.count; i++)
        total += strlen(catalogue_text(list, i));
}

static void read_entry(const struct catalogue *catalogue, uint32_t index)
{
    struct catalogue_entry entry, found;
    uint32_t at;
    catalogue_at(catalogue, index, &entry);
    read_texts(entry.needs);
    read_texts(entry.wants);
    read_texts(entry.roots);
    read_texts(entry.args);
    read_texts(entry.env);
    read_texts(entry.match);
    for (uint32_t i = 0; i < entry.ioports.count; i++)
        total += catalogue_number(entry.ioports, i);
    HOLDS(catalogue_find(catalogue, entry.name, &found, &at) == STATUS_OK);
    HOLDS(at < catalogue->count && strcmp(found.name, entry.name) == 0);
    if (entry.provides[0] != '\0' &&
        catalogue_provider(catalogue, entry.provides, &at) == STATUS_OK)
        HOLDS(at < catalogue->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct catalogue catalogue;
    if (catalogue_open(data, size, &catalogue) != STATUS_OK)
        return 0;
    for (uint32_t i = 0; i < catalogue.count; i++)
        read_entry(&catalogue, i);
    return 0;
}

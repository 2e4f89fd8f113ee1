#include <os/catalogue.h>

#include <stdbool.h>
#include <string.h>

#define MAGIC "VERICAT1"
#define MAGIC_BYTES 8u
#define HEADER_BYTES (MAGIC_BYTES + 5 * 4u)

/* The words of an entry, as tools/mkcatalogue writes them. */
enum {
    FIELD_NAME,
    FIELD_KIND,
    FIELD_PROVIDES,
    FIELD_RESTART,
    FIELD_PRIORITY,
    FIELD_SVC,
    FIELD_MEMORY,
    FIELD_KERNEL,
    FIELD_STACK,
    FIELD_DMA,
    FIELD_SHARE,
    FIELD_NEEDS,
    FIELD_WANTS = FIELD_NEEDS + 2,
    FIELD_ROOTS = FIELD_WANTS + 2,
    FIELD_IOPORTS = FIELD_ROOTS + 2,
    FIELD_ARGS = FIELD_IOPORTS + 2,
    FIELD_ENV = FIELD_ARGS + 2,
    FIELD_MATCH = FIELD_ENV + 2,
    FIELDS = FIELD_MATCH + 2,
};
#define ENTRY_BYTES (FIELDS * 4u)

static uint32_t word_at(const struct catalogue *catalogue, uint64_t offset)
{
    uint32_t word;
    memcpy(&word, catalogue->data + offset, sizeof(word));
    return word;
}

static uint32_t field_of(const struct catalogue *catalogue, uint32_t index, uint32_t field)
{
    return word_at(catalogue, HEADER_BYTES + (uint64_t)index * ENTRY_BYTES + field * 4u);
}

static const char *string_at(const struct catalogue *catalogue, uint32_t offset)
{
    return (const char *)catalogue->data + catalogue->strings_at + offset;
}

/** Every word of the list of strings in @field names one inside @string_bytes. */
static bool list_is_sound(const struct catalogue *catalogue, uint32_t index, uint32_t field,
                          uint32_t words, uint32_t string_bytes)
{
    uint32_t first = field_of(catalogue, index, field),
             count = field_of(catalogue, index, field + 1);
    if (first > words || count > words - first) {
        return false;
    }
    for (uint32_t i = 0; field != FIELD_IOPORTS && i < count; i++) {
        if (word_at(catalogue, catalogue->words_at + (uint64_t)(first + i) * 4) >= string_bytes) {
            return false;
        }
    }
    return field != FIELD_IOPORTS || count % 2 == 0;
}

static bool entry_is_sound(const struct catalogue *catalogue, uint32_t index, uint32_t words,
                           uint32_t string_bytes)
{
    uint32_t kind = field_of(catalogue, index, FIELD_KIND);
    if (field_of(catalogue, index, FIELD_NAME) >= string_bytes ||
        field_of(catalogue, index, FIELD_PROVIDES) >= string_bytes || kind < CATALOGUE_SERVICE ||
        kind > CATALOGUE_PROGRAM) {
        return false;
    }
    for (uint32_t field = FIELD_NEEDS; field < FIELDS; field += 2) {
        if (!list_is_sound(catalogue, index, field, words, string_bytes)) {
            return false;
        }
    }
    return true;
}

status_t catalogue_open(const void *data, uint64_t bytes, struct catalogue *catalogue)
{
    *catalogue = (struct catalogue){.data = data};
    if (bytes < HEADER_BYTES || memcmp(data, MAGIC, MAGIC_BYTES) != 0) {
        return STATUS_CORRUPT;
    }
    uint32_t words = word_at(catalogue, MAGIC_BYTES + 8);
    uint32_t string_bytes = word_at(catalogue, MAGIC_BYTES + 16);
    catalogue->count = word_at(catalogue, MAGIC_BYTES);
    catalogue->words_at = word_at(catalogue, MAGIC_BYTES + 4);
    catalogue->strings_at = word_at(catalogue, MAGIC_BYTES + 12);
    if (catalogue->words_at != HEADER_BYTES + (uint64_t)catalogue->count * ENTRY_BYTES ||
        catalogue->strings_at != catalogue->words_at + (uint64_t)words * 4 || string_bytes == 0 ||
        (uint64_t)catalogue->strings_at + string_bytes > bytes ||
        *string_at(catalogue, string_bytes - 1) != 0) {
        return STATUS_CORRUPT;
    }
    for (uint32_t i = 0; i < catalogue->count; i++) {
        if (!entry_is_sound(catalogue, i, words, string_bytes)) {
            return STATUS_CORRUPT;
        }
    }
    return STATUS_OK;
}

static struct catalogue_list list_of(const struct catalogue *catalogue, uint32_t index,
                                     uint32_t field)
{
    return (struct catalogue_list){catalogue, field_of(catalogue, index, field),
                                   field_of(catalogue, index, field + 1)};
}

void catalogue_at(const struct catalogue *catalogue, uint32_t index, struct catalogue_entry *entry)
{
    *entry = (struct catalogue_entry){
        .name = string_at(catalogue, field_of(catalogue, index, FIELD_NAME)),
        .provides = string_at(catalogue, field_of(catalogue, index, FIELD_PROVIDES)),
        .kind = field_of(catalogue, index, FIELD_KIND),
        .restart = field_of(catalogue, index, FIELD_RESTART),
        .priority = field_of(catalogue, index, FIELD_PRIORITY),
        .svc = field_of(catalogue, index, FIELD_SVC),
        .memory_kib = field_of(catalogue, index, FIELD_MEMORY),
        .kernel_kib = field_of(catalogue, index, FIELD_KERNEL),
        .stack_kib = field_of(catalogue, index, FIELD_STACK),
        .dma = field_of(catalogue, index, FIELD_DMA),
        .share = field_of(catalogue, index, FIELD_SHARE),
        .needs = list_of(catalogue, index, FIELD_NEEDS),
        .wants = list_of(catalogue, index, FIELD_WANTS),
        .roots = list_of(catalogue, index, FIELD_ROOTS),
        .ioports = list_of(catalogue, index, FIELD_IOPORTS),
        .args = list_of(catalogue, index, FIELD_ARGS),
        .env = list_of(catalogue, index, FIELD_ENV),
        .match = list_of(catalogue, index, FIELD_MATCH),
    };
}

status_t catalogue_find(const struct catalogue *catalogue, const char *name,
                        struct catalogue_entry *entry, uint32_t *index)
{
    for (*index = 0; *index < catalogue->count; ++*index) {
        if (strcmp(string_at(catalogue, field_of(catalogue, *index, FIELD_NAME)), name) == 0) {
            catalogue_at(catalogue, *index, entry);
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

status_t catalogue_provider(const struct catalogue *catalogue, const char *name, uint32_t *index)
{
    for (*index = 0; *index < catalogue->count; ++*index) {
        if (field_of(catalogue, *index, FIELD_KIND) == CATALOGUE_SERVICE &&
            strcmp(string_at(catalogue, field_of(catalogue, *index, FIELD_PROVIDES)), name) == 0) {
            return STATUS_OK;
        }
    }
    return STATUS_NOT_FOUND;
}

const char *catalogue_text(struct catalogue_list list, uint32_t index)
{
    return string_at(list.catalogue, catalogue_number(list, index));
}

uint32_t catalogue_number(struct catalogue_list list, uint32_t index)
{
    return word_at(list.catalogue, list.catalogue->words_at + (uint64_t)(list.first + index) * 4);
}

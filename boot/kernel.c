/* Loading the kernel from its ELF file to the physical addresses of its segments, or, where it can run anywhere, to a place of the alignment
 * that it needs. The file is a part of the signed image, so what is checked here is that it was built as it should be. */
#include <arch.h>

#include "loader.h"

/* System V ABI, "Object Files" */
#define ELF_IDENT \
    "\x7f"        \
    "ELF\2\1\1"
#define ELF_PT_LOAD 1u
#define KERNEL_BYTES_MAX (UINT64_C(1) << 30)

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_headers, section_headers;
    uint32_t flags;
    uint16_t header_bytes, program_header_bytes, program_header_count;
};

struct elf_program_header {
    uint32_t type, flags;
    uint64_t offset, address, physical, file_bytes, memory_bytes, align;
};

/** The kernel's file. */
struct file {
    const uint8_t *data;
    uint64_t bytes;
    const struct elf_header *header;
    const struct elf_program_header *segments;
    uint64_t base, end; /* physical addresses as linked */
    uint64_t entry;
};

static bool file_open(struct file *file)
{
    file->data = payload_kernel;
    file->bytes = (uint64_t)(payload_kernel_end - payload_kernel);
    file->header = (const void *)file->data;
    if (file->bytes < sizeof(struct elf_header))
        return false;
    const struct elf_header *h = file->header;

    if (memcmp(h->ident, ELF_IDENT, sizeof(ELF_IDENT) - 1) != 0 || h->machine != LOADER_MACHINE ||
        h->program_header_bytes != sizeof(struct elf_program_header) ||
        h->program_headers % 8 != 0 || h->program_headers > file->bytes ||
        h->program_header_count * sizeof(struct elf_program_header) >
            file->bytes - h->program_headers)
        return false;
    file->segments = (const void *)(file->data + h->program_headers);
    return true;
}

static bool is_loaded(const struct elf_program_header *segment)
{
    return segment->type == ELF_PT_LOAD && segment->memory_bytes != 0;
}

/** Check the segments; base, end, and the entry's physical address. */
static bool file_measure(struct file *file)
{
    file->base = UINT64_MAX;
    file->end = 0;
    file->entry = UINT64_MAX;
    for (uint32_t i = 0; i < file->header->program_header_count; i++) {
        const struct elf_program_header *s = &file->segments[i];

        if (!is_loaded(s))
            continue;
        if (s->file_bytes > s->memory_bytes || s->offset > file->bytes ||
            s->file_bytes > file->bytes - s->offset || s->memory_bytes > KERNEL_BYTES_MAX ||
            s->physical > UINT64_MAX - KERNEL_BYTES_MAX)
            return false;
        if (s->physical < file->base)
            file->base = s->physical;
        if (s->physical + s->memory_bytes > file->end)
            file->end = s->physical + s->memory_bytes;
        if (file->header->entry - s->address < s->memory_bytes)
            file->entry = file->header->entry - s->address + s->physical;
    }
    return file->base < file->end && file->base % EFI_PAGE_BYTES == 0 &&
           file->end - file->base <= KERNEL_BYTES_MAX && file->entry != UINT64_MAX;
}

/** Memory for the kernel: where it is linked, or anywhere of LOADER_KERNEL_ALIGN. */
static bool place(struct loader *loader, const struct file *file)
{
    uint64_t bytes = file->end - file->base, address = file->base;
    uint32_t how = EFI_ALLOCATE_ADDRESS;

    loader->kernel_bytes = bytes;
    if (LOADER_KERNEL_ALIGN != 0) {
        how = EFI_ALLOCATE_MAX_ADDRESS;
        address = LOADER_MEMORY_END - 1;
        bytes += LOADER_KERNEL_ALIGN;
    }
    if (loader->system->boot->allocate_pages(how, EFI_LOADER_CODE,
                                             (bytes + EFI_PAGE_BYTES - 1) / EFI_PAGE_BYTES,
                                             &address) != EFI_SUCCESS)
        return false;
    if (LOADER_KERNEL_ALIGN != 0)
        address = (address + LOADER_KERNEL_ALIGN - 1) / LOADER_KERNEL_ALIGN * LOADER_KERNEL_ALIGN;
    loader->kernel = address;
    return true;
}

const char *kernel_load(struct loader *loader)
{
    struct file file;

    if (!file_open(&file) || !file_measure(&file))
        return "the kernel in the image is malformed";
    if (!place(loader, &file))
        return "the memory where the kernel must be is in use";
    uint8_t *to = (uint8_t *)loader->kernel;

    memset(to, 0, loader->kernel_bytes);
    for (uint32_t i = 0; i < file.header->program_header_count; i++) {
        const struct elf_program_header *s = &file.segments[i];

        if (is_loaded(s))
            memcpy(to + (s->physical - file.base), file.data + s->offset, s->file_bytes);
    }
    loader->entry = file.entry - file.base + loader->kernel;
    return NULL;
}

#include <os/elf.h>

#include <elf.h>
#include <stdbool.h>
#include <string.h>

#undef PAGE_OFFSET
#define PAGE_OFFSET(x) ((x) & (PAGE_SIZE - 1))

/** The end of a range of @bytes at @start; false: it lies beyond @limit. */
static bool range_end(uint64_t start, uint64_t bytes, uint64_t limit, uint64_t *end)
{
    return !__builtin_add_overflow(start, bytes, end) && *end <= limit;
}

static status_t check_identity(const Elf64_Ehdr *header, uint32_t machine)
{
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_ident[EI_VERSION] != EV_CURRENT || header->e_version != EV_CURRENT) {
        return STATUS_CORRUPT;
    }
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
        header->e_type != ET_DYN || header->e_machine != machine) {
        return STATUS_UNSUPPORTED;
    }
    return STATUS_OK;
}

static status_t check_headers(const Elf64_Ehdr *header, size_t head_bytes)
{
    uint64_t end;
    if (header->e_ehsize != sizeof(*header) || header->e_phentsize != sizeof(Elf64_Phdr) ||
        header->e_phnum == 0 || header->e_phoff < sizeof(*header) ||
        header->e_phoff % _Alignof(Elf64_Phdr) != 0) {
        return STATUS_CORRUPT;
    }
    uint64_t bytes = (uint64_t)header->e_phnum * sizeof(Elf64_Phdr);
    return range_end(header->e_phoff, bytes, head_bytes, &end) ? STATUS_OK : STATUS_CORRUPT;
}

static uint32_t segment_prot(uint32_t flags)
{
    return (flags & PF_R ? MAP_READ : 0) | (flags & PF_W ? MAP_WRITE : 0) |
           (flags & PF_X ? MAP_EXECUTE : 0);
}

static bool segment_is_sound(const Elf64_Phdr *header, uint64_t file_bytes)
{
    uint64_t end;
    return header->p_filesz <= header->p_memsz &&
           range_end(header->p_offset, header->p_filesz, file_bytes, &end) &&
           range_end(header->p_vaddr, header->p_memsz, ELF_SPAN_MAX, &end) &&
           PAGE_OFFSET(header->p_vaddr) == PAGE_OFFSET(header->p_offset) &&
           (header->p_flags & PF_R) != 0 && (header->p_flags & (PF_W | PF_X)) != (PF_W | PF_X);
}

static status_t add_segment(const Elf64_Phdr *header, uint64_t file_bytes, struct elf_image *image)
{
    if (header->p_memsz == 0) {
        return STATUS_OK;
    }
    if (!segment_is_sound(header, file_bytes) || image->segment_count == ELF_SEGMENTS_MAX ||
        header->p_vaddr - PAGE_OFFSET(header->p_vaddr) < image->span) {
        return STATUS_CORRUPT;
    }
    image->segments[image->segment_count++] = (struct elf_segment){
        .address = header->p_vaddr,
        .file_offset = header->p_offset,
        .file_bytes = header->p_filesz,
        .memory_bytes = header->p_memsz,
        .prot = segment_prot(header->p_flags),
    };
    image->span = (header->p_vaddr + header->p_memsz + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    return STATUS_OK;
}

/** Where the bytes of the file from @offset are in memory; 0: not there. */
static uint64_t address_of(const struct elf_image *image, uint64_t offset, uint64_t bytes)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        if (offset >= segment->file_offset &&
            offset - segment->file_offset <= segment->file_bytes &&
            bytes <= segment->file_bytes - (offset - segment->file_offset)) {
            return segment->address + (offset - segment->file_offset);
        }
    }
    return 0;
}

static bool entry_is_code(const struct elf_image *image)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        if ((segment->prot & MAP_EXECUTE) != 0 && image->entry >= segment->address &&
            image->entry - segment->address < segment->file_bytes) {
            return true;
        }
    }
    return false;
}

status_t elf_parse(const void *head, size_t head_bytes, uint64_t file_bytes, uint32_t machine,
                   struct elf_image *image)
{
    Elf64_Ehdr header;
    memset(image, 0, sizeof(*image));
    if (head_bytes > file_bytes) {
        head_bytes = (size_t)file_bytes;
    }
    if (head_bytes < sizeof(header)) {
        return STATUS_CORRUPT;
    }
    memcpy(&header, head, sizeof(header));
    status_t status = check_identity(&header, machine);
    if (status_is_ok(status)) {
        status = check_headers(&header, head_bytes);
    }
    for (size_t i = 0; status_is_ok(status) && i < header.e_phnum; i++) {
        Elf64_Phdr program;
        memcpy(&program, (const uint8_t *)head + header.e_phoff + i * sizeof(program),
               sizeof(program));
        if (program.p_type == PT_LOAD) {
            status = add_segment(&program, file_bytes, image);
        } else if (program.p_type == PT_INTERP) {
            status = STATUS_UNSUPPORTED;
        }
    }
    if (!status_is_ok(status)) {
        return status;
    }
    image->entry = header.e_entry;
    image->header_count = header.e_phnum;
    image->headers =
        address_of(image, header.e_phoff, (uint64_t)header.e_phnum * sizeof(Elf64_Phdr));
    return entry_is_code(image) ? STATUS_OK : STATUS_CORRUPT;
}

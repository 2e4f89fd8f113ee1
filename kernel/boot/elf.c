/* A checked reader of ELF files (System V gABI chapters 4 and 5). It only reads the file and says what should be mapped where; every
 * number is checked against the file's size and for overflow before use, so a hostile file yields a sentence and nothing else. */
#include "elf.h"

#include <arch_elf.h>
#include <kstring.h>

#define ET_EXEC 2u
#define ET_DYN 3u
#define EV_CURRENT 1u
#define PT_LOAD 1u
#define PT_INTERP 3u
#define PF_X 1u
#define PF_W 2u
#define HEADERS_MAX 64u

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf_header) == 64, "gABI: Elf64_Ehdr");

struct program_header {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct program_header) == 56, "gABI: Elf64_Phdr");

/* Magic, ELFCLASS64, ELFDATA2LSB, EV_CURRENT. */
static const uint8_t wanted_ident[7] = {0x7f, 'E', 'L', 'F', 2, 1, 1};

static const char *header_check(const struct elf_header *header, uint64_t bytes)
{
    if (memcmp(header->ident, wanted_ident, sizeof(wanted_ident)) != 0)
        return "not a 64-bit little-endian ELF file";
    if (header->version != EV_CURRENT || (header->type != ET_EXEC && header->type != ET_DYN))
        return "not an executable";
    if (header->machine != ARCH_ELF_MACHINE)
        return "for another machine";
    if (header->phentsize != sizeof(struct program_header) || header->phnum == 0 ||
        header->phnum > HEADERS_MAX)
        return "bad program header count or size";
    if (header->phoff > bytes ||
        bytes - header->phoff < header->phnum * sizeof(struct program_header))
        return "program headers beyond the end of the file";
    return NULL;
}

static const char *segment_check(const struct program_header *p, uint64_t bytes,
                                 const struct elf_image *image)
{
    uint64_t end;

    if (p->filesz > p->memsz)
        return "a segment has more bytes in the file than in memory";
    if (p->offset > bytes || p->filesz > bytes - p->offset)
        return "a segment reaches beyond the end of the file";
    if (__builtin_add_overflow(p->vaddr, p->memsz, &end) || end > UINT64_MAX - PAGE_SIZE)
        return "a segment wraps round the address space";
    if ((p->flags & PF_W) != 0 && (p->flags & PF_X) != 0)
        return "a segment is both writable and executable";
    if (image->segment_count == ELF_SEGMENTS_MAX)
        return "too many segments";
    if (image->segment_count == 0)
        return NULL;
    const struct elf_segment *before = &image->segments[image->segment_count - 1];

    if ((before->address + before->memory_bytes - 1) / PAGE_SIZE >= p->vaddr / PAGE_SIZE)
        return "segments out of order or in the same page";
    if (end - image->segments[0].address > ELF_SPAN_MAX)
        return "too big";
    return NULL;
}

static void segment_add(const struct program_header *p, struct elf_image *image)
{
    uint32_t prot = MAP_READ | ((p->flags & PF_W) != 0 ? MAP_WRITE : 0) |
                    ((p->flags & PF_X) != 0 ? MAP_EXECUTE : 0);

    image->segments[image->segment_count++] = (struct elf_segment){
        .file_offset = p->offset,
        .file_bytes = p->filesz,
        .address = p->vaddr,
        .memory_bytes = p->memsz,
        .prot = prot,
    };
}

static const char *segments_read(const unsigned char *file, uint64_t bytes,
                                 const struct elf_header *header, struct elf_image *image)
{
    for (uint32_t i = 0; i < header->phnum; i++) {
        struct program_header p;

        memcpy(&p, file + header->phoff + i * sizeof(p), sizeof(p));
        if (p.type == PT_INTERP)
            return "it needs an interpreter";
        if (p.type != PT_LOAD || p.memsz == 0)
            continue;
        const char *wrong = segment_check(&p, bytes, image);

        if (wrong != NULL)
            return wrong;
        segment_add(&p, image);
    }
    if (image->segment_count == 0)
        return "nothing to load";
    return image->segments[0].memory_bytes > ELF_SPAN_MAX ? "too big" : NULL;
}

static bool entry_is_executable(const struct elf_image *image)
{
    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];

        if ((s->prot & MAP_EXECUTE) != 0 && image->entry >= s->address &&
            image->entry - s->address < s->memory_bytes)
            return true;
    }
    return false;
}

/* Where the program finds its own headers, if they are in the file's part of a segment. */
static uint64_t headers_address(const struct elf_header *header, const struct elf_image *image)
{
    uint64_t length = header->phnum * sizeof(struct program_header);

    for (uint32_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];

        if (header->phoff >= s->file_offset && header->phoff - s->file_offset <= s->file_bytes &&
            length <= s->file_bytes - (header->phoff - s->file_offset))
            return s->address + (header->phoff - s->file_offset);
    }
    return 0;
}

const char *elf_parse(const void *file, uint64_t bytes, struct elf_image *image)
{
    struct elf_header header;

    memset(image, 0, sizeof(*image));
    if (bytes < sizeof(header))
        return "too short for an ELF file";
    memcpy(&header, file, sizeof(header));
    const char *wrong = header_check(&header, bytes);

    if (wrong == NULL)
        wrong = segments_read(file, bytes, &header, image);
    if (wrong != NULL)
        return wrong;
    image->relocatable = header.type == ET_DYN;
    image->entry = header.entry;
    image->headers = headers_address(&header, image);
    image->header_count = header.phnum;
    return entry_is_executable(image) ? NULL : "the entry is in no executable segment";
}

#include "test.h"

#include <elf.h>
#include <os/elf.h>
#include <string.h>

#define MACHINE EM_X86_64
#define FILE_BYTES 0x5800u
#define PAGES(x) ((x) & ~(PAGE_SIZE - 1))

struct file {
    Elf64_Ehdr header;
    Elf64_Phdr programs[6];
};

/** A sound program: headers and constants, code, data with zeroed memory behind it. */
static struct file sound_file(void)
{
    struct file file = {
        .header =
            {
                .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
                            EV_CURRENT},
                .e_type = ET_DYN,
                .e_machine = MACHINE,
                .e_version = EV_CURRENT,
                .e_entry = 0x1100,
                .e_phoff = sizeof(Elf64_Ehdr),
                .e_ehsize = sizeof(Elf64_Ehdr),
                .e_phentsize = sizeof(Elf64_Phdr),
                .e_phnum = 6,
            },
        .programs =
            {
                {.p_type = PT_PHDR,
                 .p_flags = PF_R,
                 .p_offset = 64,
                 .p_vaddr = 64,
                 .p_filesz = 336,
                 .p_memsz = 336},
                {.p_type = PT_LOAD, .p_flags = PF_R, .p_filesz = 0xf00, .p_memsz = 0xf00},
                {.p_type = PT_LOAD,
                 .p_flags = PF_R | PF_X,
                 .p_offset = 0x1000,
                 .p_vaddr = 0x1000,
                 .p_filesz = 0x3000,
                 .p_memsz = 0x3000},
                {.p_type = PT_LOAD,
                 .p_flags = PF_R | PF_W,
                 .p_offset = 0x4800,
                 .p_vaddr = 0x5800,
                 .p_filesz = 0x1000,
                 .p_memsz = 0x4000},
                {.p_type = PT_TLS,
                 .p_flags = PF_R,
                 .p_offset = 0x4800,
                 .p_vaddr = 0x5800,
                 .p_filesz = 8,
                 .p_memsz = 32},
                {.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W},
            },
    };
    return file;
}

static status_t parse(const struct file *file, struct elf_image *image)
{
    return elf_parse(file, sizeof(*file), FILE_BYTES, MACHINE, image);
}

static void test_elf_accepts_a_sound_program(void)
{
    struct file file = sound_file();
    struct elf_image image;
    CHECK(parse(&file, &image) == STATUS_OK);
    CHECK(image.segment_count == 3 && image.entry == 0x1100 && image.span == 0xa000 &&
          image.headers == 64 && image.header_count == 6);
    CHECK(image.segments[1].prot == (MAP_READ | MAP_EXECUTE) &&
          image.segments[2].memory_bytes == 0x4000);
}

/** A change of a sound program, and what becomes of it. */
static void expect(const char *what, const struct file *file, status_t wanted)
{
    struct elf_image image;
    status_t status = parse(file, &image);
    if (status != wanted) {
        printf("# %s: %s\n", what, status_name(status));
        test_failures++;
    }
}

#define EXPECT(change, wanted)        \
    do {                              \
        struct file f = sound_file(); \
        change;                       \
        expect(#change, &f, wanted);  \
    } while (0)

static void test_elf_refuses_malformed_headers(void)
{
    EXPECT(f.header.e_ident[0] = 0, STATUS_CORRUPT);
    EXPECT(f.header.e_version = 0, STATUS_CORRUPT);
    EXPECT(f.header.e_ident[EI_CLASS] = ELFCLASS32, STATUS_UNSUPPORTED);
    EXPECT(f.header.e_ident[EI_DATA] = ELFDATA2MSB, STATUS_UNSUPPORTED);
    EXPECT(f.header.e_type = ET_EXEC, STATUS_UNSUPPORTED);
    EXPECT(f.header.e_machine = EM_AARCH64, STATUS_UNSUPPORTED);
    EXPECT(f.header.e_phentsize = 55, STATUS_CORRUPT);
    EXPECT(f.header.e_phnum = 0, STATUS_CORRUPT);
    EXPECT(f.header.e_phnum = 7, STATUS_CORRUPT);
    EXPECT(f.header.e_phnum = 65535, STATUS_CORRUPT);
    EXPECT(f.header.e_phoff = UINT64_MAX - 7, STATUS_CORRUPT);
    EXPECT(f.header.e_phoff = 65, STATUS_CORRUPT);
    EXPECT(f.header.e_entry = 0x100, STATUS_CORRUPT);
    EXPECT(f.header.e_entry = 0x4000, STATUS_CORRUPT);
    EXPECT(f.programs[0].p_type = PT_INTERP, STATUS_UNSUPPORTED);
}

static void test_elf_refuses_malformed_segments(void)
{
    EXPECT(f.programs[2].p_filesz = 0x3001, STATUS_CORRUPT);
    EXPECT(f.programs[3].p_filesz = 0x1001, STATUS_CORRUPT);
    EXPECT(f.programs[3].p_offset = UINT64_MAX - 0x7ff, STATUS_CORRUPT);
    EXPECT(f.programs[3].p_memsz = UINT64_MAX, STATUS_CORRUPT);
    EXPECT(f.programs[3].p_memsz = ELF_SPAN_MAX, STATUS_CORRUPT);
    EXPECT(f.programs[3].p_vaddr = 0x5801, STATUS_CORRUPT);
    EXPECT(f.programs[3].p_vaddr = 0x3800, STATUS_CORRUPT);
    EXPECT(f.programs[3].p_vaddr = ELF_SPAN_MAX + 0x800, STATUS_CORRUPT);
    EXPECT(f.programs[3].p_flags = PF_R | PF_W | PF_X, STATUS_CORRUPT);
    EXPECT(f.programs[3].p_flags = PF_W, STATUS_CORRUPT);
    EXPECT(f.programs[2].p_flags = PF_R, STATUS_CORRUPT);
    EXPECT(f.programs[1].p_memsz = 0x1001, STATUS_CORRUPT);
    EXPECT((f.programs[3].p_memsz = 0, f.programs[3].p_filesz = 0), STATUS_OK);
}

static void test_elf_refuses_short_files(void)
{
    struct file file = sound_file();
    struct elf_image image;
    for (size_t bytes = 0; bytes < sizeof(file); bytes++) {
        // An allocation of just that size, so that the sanitizer sees any read beyond it.
        void *head = malloc(bytes ? bytes : 1);
        memcpy(head, &file, bytes);
        CHECK(elf_parse(head, bytes, FILE_BYTES, MACHINE, &image) == STATUS_CORRUPT);
        CHECK(elf_parse(head, bytes, bytes, MACHINE, &image) == STATUS_CORRUPT);
        free(head);
    }
}

/** What the header of <os/elf.h> promises. */
static void check_promises(const struct elf_image *image)
{
    uint64_t end = 0;
    bool entry_is_code = false;
    CHECK(image->segment_count >= 1 && image->segment_count <= ELF_SEGMENTS_MAX &&
          image->span <= ELF_SPAN_MAX);
    for (size_t i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        CHECK(segment->memory_bytes > 0 && segment->file_bytes <= segment->memory_bytes);
        CHECK(segment->file_offset <= FILE_BYTES &&
              segment->file_bytes <= FILE_BYTES - segment->file_offset);
        CHECK(PAGES(segment->address) >= end);
        CHECK(segment->address % PAGE_SIZE == segment->file_offset % PAGE_SIZE);
        CHECK((segment->prot & (MAP_WRITE | MAP_EXECUTE)) != (MAP_WRITE | MAP_EXECUTE) &&
              segment->prot & MAP_READ);
        end = PAGES(segment->address + segment->memory_bytes + PAGE_SIZE - 1);
        entry_is_code |= (segment->prot & MAP_EXECUTE) && image->entry >= segment->address &&
                         image->entry < segment->address + segment->file_bytes;
    }
    CHECK(end == image->span && image->span % PAGE_SIZE == 0 && entry_is_code);
}

static void test_elf_mutations_keep_all_promises(void)
{
    static const uint64_t interesting[] = {0,         1,          0xfff,     0x1000,
                                           0x5800,    UINT32_MAX, INT64_MAX, UINT64_MAX - 0xfff,
                                           UINT64_MAX};
    int accepted = 0;
    for (int round = 0; round < 400000; round++) {
        struct file file = sound_file();
        struct elf_image image;
        uint8_t *bytes = (uint8_t *)&file;
        for (uint64_t changes = test_random() % 3 + 1; changes > 0; changes--) {
            uint64_t number = test_random();
            if (number & 1) {
                size_t at = (number >> 8) % (sizeof(file) / 8) * 8;
                memcpy(bytes + at, &interesting[(number >> 32) % (sizeof(interesting) / 8)], 8);
            } else {
                bytes[(number >> 8) % sizeof(file)] = (uint8_t)(number >> 56);
            }
        }
        if (parse(&file, &image) == STATUS_OK) {
            check_promises(&image);
            accepted++;
        }
    }
    printf("# %d of 400000 accepted\n", accepted);
    CHECK(accepted > 1000 && accepted < 399000);
}

void elf_tests(void)
{
    RUN(test_elf_accepts_a_sound_program);
    RUN(test_elf_refuses_malformed_headers);
    RUN(test_elf_refuses_malformed_segments);
    RUN(test_elf_refuses_short_files);
    RUN(test_elf_mutations_keep_all_promises);
}

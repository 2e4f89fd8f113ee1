/* The boot archive and ELF readers, with what they should accept and with hostile input. Every input is a heap block of just its size, so
 * that reading beyond it is found. */
#include "tests.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../../kernel/boot/cpio.h"
#include "../../../kernel/boot/elf.h"

struct image {
    unsigned char *bytes;
    size_t count;
};

static void image_append(struct image *image, const void *data, size_t count)
{
    unsigned char *grown = malloc(image->count + count + 1);

    if (image->count != 0)
        memcpy(grown, image->bytes, image->count);
    if (count != 0)
        memcpy(grown + image->count, data, count);
    free(image->bytes);
    image->bytes = grown;
    image->count += count;
}

static void image_align(struct image *image)
{
    while (image->count % 4 != 0)
        image_append(image, "", 1);
}

static void entry_append(struct image *image, const char *name, unsigned mode, const void *data,
                         unsigned bytes)
{
    char header[111];

    snprintf(header, sizeof(header), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
             1u, mode, 0u, 0u, 1u, 0u, bytes, 0u, 0u, 0u, 0u, (unsigned)strlen(name) + 1, 0u);
    image_append(image, header, 110);
    image_append(image, name, strlen(name) + 1);
    image_align(image);
    image_append(image, data, bytes);
    image_align(image);
}

static struct image archive_make(void)
{
    struct image image = {0};

    entry_append(&image, "bin", 0040555, "", 0);
    entry_append(&image, "catalogue", 0100444, "abc", 3);
    entry_append(&image, "init", 0100555, "\177ELF and so on", 14);
    entry_append(&image, "TRAILER!!!", 0, "", 0);
    return image;
}

/* cpio_find on an exact copy; checks that what it found is inside. */
static const char *find_in(const unsigned char *bytes, size_t count, const char *name,
                           uint64_t *found_bytes)
{
    unsigned char *copy = malloc(count == 0 ? 1 : count);
    const void *data = NULL;
    uint64_t data_bytes = 0;

    if (count != 0)
        memcpy(copy, bytes, count);
    const char *wrong = cpio_find(copy, count, name, &data, &data_bytes);

    if (wrong == NULL) {
        CHECK((const unsigned char *)data >= copy && data_bytes <= count);
        CHECK((const unsigned char *)data + data_bytes <= copy + count);
        *found_bytes = data_bytes;
    }
    free(copy);
    return wrong;
}

static void test_cpio_finds_files(void)
{
    struct image image = archive_make();
    uint64_t bytes = 0;

    CHECK(find_in(image.bytes, image.count, "init", &bytes) == NULL && bytes == 14);
    CHECK(find_in(image.bytes, image.count, "catalogue", &bytes) == NULL && bytes == 3);
    CHECK(find_in(image.bytes, image.count, "ini", &bytes) != NULL);
    CHECK(find_in(image.bytes, image.count, "initx", &bytes) != NULL);
    CHECK(find_in(image.bytes, image.count, "bin", &bytes) != NULL);
    free(image.bytes);
}

static void test_cpio_refuses_every_truncation(void)
{
    struct image image = archive_make();
    uint64_t bytes;

    for (size_t count = 0; count < image.count; count++) {
        const char *wrong = find_in(image.bytes, count, "nothing", &bytes);

        CHECK(wrong != NULL && wrong[0] != '\0');
    }
    free(image.bytes);
}

static void test_cpio_survives_mutations(void)
{
    struct image image = archive_make();
    uint64_t bytes;

    srand(1);
    for (unsigned round = 0; round < 20000; round++) {
        size_t at = (size_t)rand() % image.count;
        unsigned char kept = image.bytes[at];

        image.bytes[at] =
            round % 2 == 0 ? (unsigned char)rand() : (unsigned char)"0f9F"[rand() % 4];
        (void)find_in(image.bytes, image.count, "init", &bytes);
        if (round % 3 != 0)
            image.bytes[at] = kept;
    }
    free(image.bytes);
}

static void test_cpio_refuses_huge_sizes(void)
{
    struct image image = archive_make();
    uint64_t bytes;

    memcpy(image.bytes + 6 + 6 * 8, "ffffffff", 8);
    CHECK(find_in(image.bytes, image.count, "init", &bytes) != NULL);
    free(image.bytes);
    image = archive_make();
    memcpy(image.bytes + 6 + 11 * 8, "ffffffff", 8);
    CHECK(find_in(image.bytes, image.count, "init", &bytes) != NULL);
    memcpy(image.bytes + 6 + 11 * 8, "00000000", 8);
    CHECK(find_in(image.bytes, image.count, "init", &bytes) != NULL);
    free(image.bytes);
}

/* ── ELF ─────────────────────────────────────────────────────────────────────────────────────────────────────────── */

struct ehdr {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct program {
    struct ehdr header;
    struct phdr segments[3];
    unsigned char code[64];
};

static struct program program_make(void)
{
    return (struct program){
        .header = {.ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
                   .type = 3,
                   .machine = 62,
                   .version = 1,
                   .entry = 0x1010,
                   .phoff = 64,
                   .ehsize = 64,
                   .phentsize = 56,
                   .phnum = 3},
        .segments =
            {
                {.type = 1,
                 .flags = 4,
                 .offset = 0,
                 .vaddr = 0,
                 .filesz = 232,
                 .memsz = 232,
                 .align = 4096},
                {.type = 1,
                 .flags = 5,
                 .offset = 232,
                 .vaddr = 0x1000,
                 .filesz = 64,
                 .memsz = 64,
                 .align = 4096},
                {.type = 1,
                 .flags = 6,
                 .offset = 0,
                 .vaddr = 0x2000,
                 .filesz = 0,
                 .memsz = 0x5000,
                 .align = 4096},
            },
    };
}

static const char *parse_bytes(const void *bytes, size_t count, struct elf_image *image)
{
    unsigned char *copy = malloc(count == 0 ? 1 : count);

    if (count != 0)
        memcpy(copy, bytes, count);
    const char *wrong = elf_parse(copy, count, image);

    free(copy);
    return wrong;
}

static const char *parse(const struct program *program, struct elf_image *image)
{
    return parse_bytes(program, sizeof(*program), image);
}

static void test_elf_reads_a_program(void)
{
    struct program program = program_make();
    struct elf_image image;

    CHECK(parse(&program, &image) == NULL);
    CHECK(image.relocatable && image.entry == 0x1010 && image.segment_count == 3);
    CHECK(image.headers == 64 && image.header_count == 3);
    CHECK(image.segments[1].prot == (MAP_READ | MAP_EXECUTE) &&
          image.segments[1].address == 0x1000);
    CHECK(image.segments[2].prot == (MAP_READ | MAP_WRITE) &&
          image.segments[2].memory_bytes == 0x5000);
    program.header.type = 2;
    CHECK(parse(&program, &image) == NULL && !image.relocatable);
}

/* One field of the program is changed at a time; each must be refused. */
static void test_elf_refuses_bad_fields(void)
{
    struct elf_image image;
    struct program p;

#define REFUSED(change)                   \
    do {                                  \
        p = program_make();               \
        change;                           \
        CHECK(parse(&p, &image) != NULL); \
    } while (0)
    REFUSED(p.header.ident[0] = 0);
    REFUSED(p.header.ident[4] = 1);
    REFUSED(p.header.ident[5] = 2);
    REFUSED(p.header.type = 1);
    REFUSED(p.header.machine = 3);
    REFUSED(p.header.version = 0);
    REFUSED(p.header.phentsize = 32);
    REFUSED(p.header.phnum = 0);
    REFUSED(p.header.phnum = 65535);
    REFUSED(p.header.phoff = UINT64_MAX);
    REFUSED(p.header.phoff = sizeof(p) - 8);
    REFUSED(p.header.entry = 0x2000);
    REFUSED(p.header.entry = 0x1040);
    REFUSED(p.header.entry = UINT64_MAX);
    REFUSED(p.segments[0].type = 3);
    REFUSED(p.segments[1].flags = 7);
    REFUSED(p.segments[1].offset = UINT64_MAX);
    REFUSED(p.segments[1].offset = UINT64_MAX - 63);
    REFUSED(p.segments[1].filesz = 65);
    REFUSED(p.segments[1].filesz = UINT64_MAX);
    REFUSED((p.segments[1].filesz = UINT64_MAX, p.segments[1].memsz = UINT64_MAX));
    REFUSED(p.segments[2].memsz = UINT64_MAX);
    REFUSED(p.segments[2].memsz = UINT64_MAX - 0x2000);
    REFUSED(p.segments[2].memsz = ELF_SPAN_MAX);
    REFUSED(p.segments[2].vaddr = 0x1fff);
    REFUSED(p.segments[2].vaddr = 0);
    REFUSED(p.segments[1].memsz = 0x1001);
    REFUSED((p.segments[0].type = 0, p.segments[1].type = 0, p.segments[2].type = 0));
#undef REFUSED
}

static void test_elf_refuses_every_truncation(void)
{
    struct program program = program_make();
    struct elf_image image;

    for (size_t count = 0; count < 232 + 64; count++)
        CHECK(parse_bytes(&program, count, &image) != NULL);
}

/* Whatever is accepted lies inside the file and is never writable and executable. */
static void test_elf_survives_mutations(void)
{
    struct elf_image image;

    srand(2);
    for (unsigned round = 0; round < 50000; round++) {
        struct program program = program_make();
        unsigned char *bytes = (unsigned char *)&program;

        for (unsigned i = 0; i < 1 + round % 4; i++)
            bytes[(size_t)rand() % (64 + 3 * 56)] = (unsigned char)rand();
        if (parse(&program, &image) != NULL)
            continue;
        for (uint32_t i = 0; i < image.segment_count; i++) {
            const struct elf_segment *s = &image.segments[i];

            CHECK(s->file_offset <= sizeof(program) &&
                  s->file_bytes <= sizeof(program) - s->file_offset);
            CHECK(s->file_bytes <= s->memory_bytes && s->address + s->memory_bytes > s->address);
            CHECK((s->prot & (MAP_WRITE | MAP_EXECUTE)) != (MAP_WRITE | MAP_EXECUTE));
        }
    }
}

const struct test boot_tests[] = {
    TEST(test_cpio_finds_files),
    TEST(test_cpio_refuses_every_truncation),
    TEST(test_cpio_survives_mutations),
    TEST(test_cpio_refuses_huge_sizes),
    TEST(test_elf_reads_a_program),
    TEST(test_elf_refuses_bad_fields),
    TEST(test_elf_refuses_every_truncation),
    TEST(test_elf_survives_mutations),
    {0},
};

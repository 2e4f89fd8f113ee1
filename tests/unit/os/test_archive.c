#include "test.h"

#include <os/archive.h>
#include <string.h>
#include <unistd.h>

/** The archive that tools/mkboot makes of three files; *@bytes long; free() it. */
static uint8_t *make_archive(size_t *bytes)
{
    char folder[] = "/tmp/os-unit-XXXXXX", command[600];
    CHECK(mkdtemp(folder) != NULL);
    snprintf(
        command, sizeof(command),
        "printf first > %s/1; head -c 9000 /dev/zero > %s/2; : > %s/3; tools/mkboot --out %s/out a=%s/1 dir/b=%s/2 c=%s/3",
        folder, folder, folder, folder, folder, folder, folder);
    CHECK(system(command) == 0);
    snprintf(command, sizeof(command), "%s/out", folder);
    FILE *file = fopen(command, "rb");
    CHECK(file != NULL);
    uint8_t *data = malloc(1 << 20);
    *bytes = file ? fread(data, 1, 1 << 20, file) : 0;
    if (file) {
        fclose(file);
    }
    snprintf(command, sizeof(command), "rm -r %s", folder);
    CHECK(system(command) == 0);
    uint8_t *exact = malloc(*bytes);
    memcpy(exact, data, *bytes);
    free(data);
    return exact;
}

static void test_archive_finds_files_at_pages(void)
{
    size_t bytes;
    uint64_t offset, file_bytes;
    struct process_image image;
    uint8_t *archive = make_archive(&bytes);
    CHECK(archive_find(archive, bytes, "a", &offset, &file_bytes) == STATUS_OK && file_bytes == 5);
    CHECK(memcmp(archive + offset, "first", 5) == 0 && offset % PAGE_SIZE == 0);
    CHECK(archive_find(archive, bytes, "dir/b", &offset, &file_bytes) == STATUS_OK &&
          file_bytes == 9000);
    CHECK(archive_find(archive, bytes, "c", &offset, &file_bytes) == STATUS_OK && file_bytes == 0);
    CHECK(archive_find(archive, bytes, "b", &offset, &file_bytes) == STATUS_NOT_FOUND);
    CHECK(archive_image(7, archive, bytes, "dir/b", &image) == STATUS_OK && image.memory == 7 &&
          image.bytes == 9000);
    free(archive);
}

static void test_archive_damaged_is_never_read_beyond_its_end(void)
{
    size_t bytes;
    uint8_t *archive = make_archive(&bytes);
    for (int round = 0; round < 20000; round++) {
        size_t kept = test_random() % 4 == 0 ? test_random() % bytes : bytes;
        uint8_t *copy = malloc(kept ? kept : 1);
        uint64_t offset, file_bytes;
        memcpy(copy, archive, kept);
        for (int i = 0; i < 4 && kept; i++) {
            // Headers are at the ends of the page-aligned data; most changes shall hit one.
            uint64_t number = test_random();
            size_t at =
                number & 1 ? (number >> 8) % kept : (number >> 8) % (kept < 110 ? kept : 110);
            copy[at] = (uint8_t)"0123456789abcdefF\0x"[(number >> 40) % 19];
        }
        status_t status = archive_find(copy, kept, "dir/b", &offset, &file_bytes);
        if (status == STATUS_OK) {
            CHECK(offset <= kept && file_bytes <= kept - offset);
        } else {
            CHECK(status == STATUS_CORRUPT || status == STATUS_NOT_FOUND);
        }
        free(copy);
    }
    free(archive);
}

void archive_tests(void)
{
    RUN(test_archive_finds_files_at_pages);
    RUN(test_archive_damaged_is_never_read_beyond_its_end);
}

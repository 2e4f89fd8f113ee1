/* libFuzzer target of the ext4 reader: the input is an image. Checksums would stop nearly every
 * mutation at the first structure, so the super block's flag for them is cleared unless the input's
 * length is odd.
 *
 * Build: clang -g -O1 -fsanitize=fuzzer,address,undefined with this file, tests/unit/ext4/walk.c
 * and all sources of fs/ext4/core; -I for those two folders and for the generated headers. Seeds:
 * small images, as "mke2fs -t ext4 -b 1024 -O ^has_journal,^resize_inode -N 64 -d folder image
 * 128K" makes. Run:   with -max_len=262144 -timeout=10
 */
#include <ext4.h>
#include <stdlib.h>
#include <string.h>
#include <walk.h>

#define SUPER_RO_COMPAT_HIGH (1024u + 0x65u)
#define METADATA_CSUM_HIGH 0x4u
#define INODES_MAX 200u

struct input {
    uint8_t *bytes;
    size_t size;
};

static status_t input_read(void *context, uint64_t offset, void *buffer, size_t bytes)
{
    const struct input *input = context;
    if (offset > input->size || bytes > input->size - offset)
        abort();
    memcpy(buffer, input->bytes + offset, bytes);
    return STATUS_OK;
}

static void *allocate(void *context, size_t bytes)
{
    (void)context;
    return malloc(bytes);
}

static void release(void *context, void *memory)
{
    (void)context;
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {.bytes = malloc(size + 1), .size = size};
    struct ext4_device device = {.context = &input, .read = input_read, .size_bytes = size};
    struct ext4_options options = {.allocate = allocate, .release = release, .cache_bytes = 0};
    struct walk_result result;
    struct ext4_fs *fs;
    if (input.bytes == NULL)
        return 0;
    memcpy(input.bytes, data, size);
    if (size % 2 == 0 && size > SUPER_RO_COMPAT_HIGH)
        input.bytes[SUPER_RO_COMPAT_HIGH] &= (uint8_t)~METADATA_CSUM_HIGH;
    if (ext4_mount(&device, &options, &fs) == STATUS_OK) {
        walk_image(fs, INODES_MAX, &result);
        ext4_unmount(fs);
    }
    free(input.bytes);
    return 0;
}

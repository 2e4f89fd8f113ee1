#include "harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_BYTES ((size_t)256 << 10)

static unsigned int checks_done;
static unsigned int checks_failed;
static char scratch_path[256];
static size_t held_bytes;
static size_t allocations_until_failure;

void check(bool good, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    checks_failed += !good;
    printf("%sok %u - ", good ? "" : "not ", ++checks_done);
    vprintf(format, arguments);
    putchar('\n');
    fflush(stdout);
    va_end(arguments);
}

void give_up(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("Bail out! ");
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    exit(2);
}

const char *scratch(void)
{
    return scratch_path;
}

int run(bool may_fail, const char *format, ...)
{
    char command[2048];
    char line[2400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof(command), format, arguments);
    va_end(arguments);
    snprintf(line, sizeof(line),
             "( cd '%s' && PATH=$PATH:/usr/sbin:/sbin && %s ) >'%s/output' 2>&1", scratch_path,
             command, scratch_path);
    int status = system(line);
    if (status != 0 && !may_fail) {
        snprintf(line, sizeof(line), "sed 's/^/# /' '%s/output'", scratch_path);
        (void)!system(line);
        give_up("failed: %s", command);
    }
    return status;
}

/* --- memory --- */

size_t memory_held(void)
{
    return held_bytes;
}

void memory_fail_at(size_t n)
{
    allocations_until_failure = n;
}

static void *allocate(void *context, size_t bytes)
{
    (void)context;
    if (allocations_until_failure != 0 && --allocations_until_failure == 0)
        return NULL;
    size_t *block = malloc(bytes + 16);
    if (block == NULL)
        return NULL;
    block[0] = bytes;
    held_bytes += bytes;
    memset(block + 2, 0xa5, bytes);
    return block + 2;
}

static void release(void *context, void *memory)
{
    (void)context;
    size_t *block = (size_t *)memory - 2;
    held_bytes -= block[0];
    free(block);
}

/* --- images --- */

struct image *image_open(const char *path)
{
    char full[512];
    struct stat stat;
    struct image *image = calloc(1, sizeof(*image));
    snprintf(full, sizeof(full), "%s/%s", scratch_path, path);
    int file = open(full, O_RDONLY);
    if (image == NULL || file < 0 || fstat(file, &stat) != 0)
        give_up("cannot open %s", full);
    image->size = image->map_bytes = (size_t)stat.st_size;
    image->bytes = mmap(NULL, image->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    close(file);
    if (image->bytes == MAP_FAILED)
        give_up("cannot map %s", full);
    return image;
}

struct image *image_copy(const struct image *from)
{
    struct image *image = calloc(1, sizeof(*image));
    image->size = from->size;
    image->bytes = malloc(from->size);
    memcpy(image->bytes, from->bytes, from->size);
    return image;
}

void image_close(struct image *image)
{
    if (image->map_bytes != 0)
        munmap(image->bytes, image->map_bytes);
    else
        free(image->bytes);
    free(image->seen);
    free(image);
}

static status_t image_read(void *context, uint64_t offset, void *buffer, size_t bytes)
{
    struct image *image = context;
    uint32_t align = image->align != 0 ? image->align : 1024;
    if (offset % align != 0 || bytes % align != 0 || offset > image->size ||
        bytes > image->size - offset) {
        check(false, "device read at %llu of %zu bytes breaks the contract",
              (unsigned long long)offset, bytes);
        return STATUS_IO;
    }
    image->reads++;
    if (image->reads_limit != 0 && image->reads > image->reads_limit)
        give_up("more than %llu reads", (unsigned long long)image->reads_limit);
    if (image->reads == image->fail_at)
        return STATUS_IO;
    if (bytes > image->largest_read)
        image->largest_read = bytes;
    if (image->seen != NULL && image->seen_count < image->seen_limit)
        image->seen[image->seen_count++] = offset;
    memcpy(buffer, image->bytes + offset, bytes);
    return STATUS_OK;
}

static void image_message(void *context, const char *text)
{
    struct image *image = context;
    size_t length = strlen(image->messages);
    snprintf(image->messages + length, sizeof(image->messages) - length, "%s\n", text);
}

status_t image_mount(struct image *image, struct ext4_fs **out)
{
    struct ext4_device device = {.context = image, .read = image_read, .size_bytes = image->size};
    struct ext4_options options = {
        .context = image,
        .allocate = allocate,
        .release = release,
        .message = image_message,
        .cache_bytes = CACHE_BYTES,
    };
    image->messages[0] = 0;
    return ext4_mount(&device, &options, out);
}

/* --- main --- */

static void scratch_remove(void)
{
    char command[512];
    snprintf(command, sizeof(command), "rm -rf '%s'", scratch_path);
    (void)!system(command);
}

int main(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(scratch_path, sizeof(scratch_path), "%s/ext4-unit.XXXXXX",
             base != NULL ? base : "/tmp");
    if (mkdtemp(scratch_path) == NULL)
        give_up("no scratch folder");
    atexit(scratch_remove);
    umask(022);
    run(false, "mke2fs -V && e2fsck -V && debugfs -V");
    test_hash();
    test_images();
    test_features();
    test_server();
    test_mutations();
    check(memory_held() == 0, "all memory is given back");
    printf("1..%u\n", checks_done);
    return checks_failed != 0;
}

/* Features one by one: refusals, messages, checksums, attributes, times, unwritten extents, errors
 * of the device. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>

#define SUPER 1024u

static struct image *make(const char *options, const char *size, const char *then)
{
    run(false, "rm -f image && mke2fs -q -F %s -d small image %s", options, size);
    if (then != NULL)
        run(false, "%s", then);
    return image_open("image");
}

static void expect_mount(struct image *image, status_t expected, const char *message,
                         const char *label)
{
    struct ext4_fs *fs = NULL;
    status_t s = image_mount(image, &fs);
    bool told =
        message == NULL ? image->messages[0] == 0 : strstr(image->messages, message) != NULL;
    check(s == expected && told, "test_ext4_%s", label);
    if (s != expected || !told)
        printf("# messages: %s\n", image->messages);
    if (s == STATUS_OK)
        ext4_unmount(fs);
}

/* Without metadata checksums nothing protects the super block, so each field must be checked by
 * itself. */
static void expect_refused(size_t offset, size_t bytes, uint32_t value, const char *label)
{
    struct image *image = image_open("image");
    image->bytes[SUPER + 0x65] &= (uint8_t)~0x4u;
    for (size_t i = 0; i < bytes; i++)
        image->bytes[SUPER + offset + i] = (uint8_t)(value >> 8 * i);
    struct ext4_fs *fs;
    status_t s = image_mount(image, &fs);
    check(s == STATUS_CORRUPT && image->messages[0] != 0, "test_ext4_mount_refuses_%s", label);
    if (s == STATUS_OK)
        ext4_unmount(fs);
    image_close(image);
}

static void test_mount(void)
{
    struct image *image = make("-t ext4 -b 4096", "8M", NULL);
    expect_mount(image, STATUS_OK, NULL, "mount_of_a_clean_image_says_nothing");
    image->bytes[SUPER + 0x30]++;
    expect_mount(image, STATUS_CORRUPT, "checksum", "mount_verifies_the_super_block");
    image->size = 2048;
    expect_mount(image, STATUS_CORRUPT, "too small", "mount_refuses_a_tiny_device");
    image_close(image);
    expect_refused(0x38, 2, 0xef54, "a_wrong_magic_number");
    expect_refused(0x18, 4, 7, "blocks_of_128k");
    expect_refused(0x58, 2, 100, "odd_inodes");
    expect_refused(0x58, 2, 8192, "huge_inodes");
    expect_refused(0x4, 4, 0x7fffffff, "more_blocks_than_the_device_has");
    expect_refused(0x20, 4, 0, "empty_groups");
    expect_refused(0x28, 4, 0, "groups_without_inodes");
    expect_refused(0x28, 4, 0xffffff, "groups_with_too_many_inodes");
    expect_refused(0x0, 4, 0xffffffff, "more_inodes_than_groups_hold");
    expect_refused(0xfe, 2, 48, "odd_descriptors");
    expect_refused(0x14, 4, 99, "a_far_first_block");
    image = make("-t ext4 -O encrypt", "8M", NULL);
    expect_mount(image, STATUS_UNSUPPORTED, "features 0x00010000", "mount_names_unknown_features");
    image_close(image);
    image = make("-t ext4 -b 4096", "8M", "debugfs -w -R 'feature needs_recovery' image");
    expect_mount(image, STATUS_OK, "journal needs recovery", "mount_tells_of_a_dirty_journal");
    image_close(image);
    image = make("-t ext4 -b 4096", "8M", "debugfs -w -R 'set_super_value state 2' image");
    expect_mount(image, STATUS_OK, "errors", "mount_tells_of_errors");
    image_close(image);
}

static void test_times(void)
{
    struct image *image = make(
        "-t ext4 -b 4096", "8M",
        "printf 'sif one mtime @0x7fffffff\\nsif one mtime_extra 0x%x\\nsif one atime 0x80000000\\n"
        "sif one atime_extra 0\\nsif one crtime @0x10\\nsif one crtime_extra 0x%x\\n' "
        "$((987654321 * 4 + 2)) $((5 * 4 + 3)) > script && debugfs -w -f script image");
    struct ext4_fs *fs;
    struct ext4_stat stat;
    if (image_mount(image, &fs) != STATUS_OK)
        give_up("cannot mount");
    struct ext4_inode *inode = open_path(fs, "one");
    ext4_inode_stat(inode, &stat);
    check(stat.modified.seconds == 0x27fffffffll && stat.modified.nanoseconds == 987654321,
          "test_ext4_times_have_34_bits_and_nanoseconds");
    check(stat.accessed.seconds == -0x80000000ll && stat.accessed.nanoseconds == 0,
          "test_ext4_times_before_1970");
    check(stat.created.seconds == 0x300000010ll && stat.created.nanoseconds == 5,
          "test_ext4_times_of_creation");
    ext4_inode_close(inode);
    ext4_unmount(fs);
    image_close(image);
}

static bool count_attribute(void *context, const char *name, size_t value_bytes)
{
    unsigned int *count = context;
    *count += strncmp(name, "user.", 5) == 0 && value_bytes != 0;
    return true;
}

static bool attribute_is(struct ext4_inode *inode, const char *name, const char *first,
                         size_t expected)
{
    static char value[100000];
    size_t bytes;
    status_t s = ext4_xattr_get(inode, name, value, sizeof(value), &bytes);
    return s == STATUS_OK && bytes == expected && memcmp(value, first, strlen(first)) == 0;
}

static void attributes_test(const char *label, const char *options, size_t large)
{
    char then[1024];
    snprintf(
        then, sizeof(then),
        "yes valuevalue | head -c 700 > v1 && yes largelarge | head -c %zu > v2 && printf 'ea_set two user.small tiny\\n"
        "ea_set -f v1 two user.middle\\nea_set -f v2 two user.large\\nea_set one trusted.t 12345\\n' > script && "
        "debugfs -w -f script image && { e2fsck -fy image; true; }",
        large);
    struct image *image = make(options, "8M", then);
    struct ext4_fs *fs;
    unsigned int count = 0;
    size_t bytes;
    char small[2];
    if (image_mount(image, &fs) != STATUS_OK)
        give_up("cannot mount");
    struct ext4_inode *two = open_path(fs, "two");
    struct ext4_inode *one = open_path(fs, "one");
    check(attribute_is(two, "user.small", "tiny", 4) &&
              attribute_is(two, "user.middle", "valuevalue\n", 700) &&
              attribute_is(two, "user.large", "largelarge\n", large) &&
              attribute_is(one, "trusted.t", "12345", 5),
          "test_ext4_xattr_%s_values_agree", label);
    check(ext4_xattr_iterate(two, count_attribute, &count) == STATUS_OK && count == 3,
          "test_ext4_xattr_%s_listed", label);
    check(ext4_xattr_get(two, "user.small", small, 2, &bytes) == STATUS_RANGE && bytes == 4 &&
              ext4_xattr_get(two, "user.smal", small, 2, &bytes) == STATUS_NOT_FOUND,
          "test_ext4_xattr_%s_statuses", label);
    ext4_inode_close(one);
    ext4_inode_close(two);
    ext4_unmount(fs);
    image_close(image);
}

static void test_unwritten(void)
{
    struct image *image = make(
        "-t ext4 -b 4096", "8M",
        "touch empty && printf 'write empty f\\nfallocate f 2 9\\nsif f size 40960\\n' > script && "
        "debugfs -w -f script image");
    struct ext4_fs *fs;
    static uint8_t bytes[50000];
    static uint8_t zeros[50000];
    size_t done = 0;
    if (image_mount(image, &fs) != STATUS_OK)
        give_up("cannot mount");
    struct ext4_inode *inode = open_path(fs, "f");
    struct ext4_stat stat;
    ext4_inode_stat(inode, &stat);
    memset(bytes, 1, sizeof(bytes));
    status_t s = ext4_read(inode, 0, bytes, sizeof(bytes), &done);
    check(s == STATUS_OK && done == 40960 && memcmp(bytes, zeros, done) == 0 &&
              stat.blocks_512 == 64,
          "test_ext4_unwritten_extents_read_as_zeros");
    ext4_inode_close(inode);
    ext4_unmount(fs);
    image_close(image);
}

static void test_requests(void)
{
    run(false,
        "mkdir big && head -c 8388608 /dev/urandom > big/file && mke2fs -q -F -t ext4 -b 4096 -d big image 32M");
    struct image *image = image_open("image");
    struct ext4_fs *fs;
    uint8_t *bytes = malloc(8388608);
    size_t done = 0;
    if (image_mount(image, &fs) != STATUS_OK)
        give_up("cannot mount");
    struct ext4_inode *inode = open_path(fs, "file");
    uint64_t before = image->reads;
    status_t s = ext4_read(inode, 0, bytes, 8388608, &done);
    check(s == STATUS_OK && done == 8388608 && image->reads - before <= 4 &&
              image->largest_read >= 4194304,
          "test_ext4_read_asks_for_whole_extents (%llu reads)",
          (unsigned long long)(image->reads - before));
    check(ext4_directory_iterate(inode, &(uint64_t){0}, NULL, NULL) == STATUS_WRONG_TYPE &&
              ext4_lookup(inode, "x", 1, &(uint32_t){0}, &(enum ext4_type){0}) ==
                  STATUS_WRONG_TYPE &&
              ext4_readlink(inode, (char *)bytes, 10, &done) == STATUS_WRONG_TYPE,
          "test_ext4_operations_know_their_types");
    ext4_inode_close(inode);
    inode = open_path(fs, "");
    char name[300];
    memset(name, 'x', sizeof(name));
    check(ext4_lookup(inode, name, 256, &(uint32_t){0}, &(enum ext4_type){0}) == STATUS_RANGE &&
              ext4_lookup(inode, name, 0, &(uint32_t){0}, &(enum ext4_type){0}) == STATUS_INVALID &&
              ext4_lookup(inode, name, 255, &(uint32_t){0}, &(enum ext4_type){0}) ==
                  STATUS_NOT_FOUND &&
              ext4_read(inode, 0, name, 10, &done) == STATUS_WRONG_TYPE,
          "test_ext4_lookup_checks_names");
    ext4_inode_close(inode);
    check(ext4_inode_open(fs, 0, &inode) == STATUS_NOT_FOUND &&
              ext4_inode_open(fs, 8, &inode) == STATUS_NOT_FOUND &&
              ext4_inode_open(fs, 0xffffffff, &inode) == STATUS_NOT_FOUND &&
              ext4_inode_open(fs, 2000, &inode) == STATUS_NOT_FOUND,
          "test_ext4_inode_open_knows_what_is_there");
    ext4_unmount(fs);
    image_close(image);
    free(bytes);
}

/* Damage each place that has a checksum; what depends on it, and nothing else, is CORRUPT. */
static void test_checksums(void)
{
    struct image *image =
        make("-t ext4 -b 1024", "8M",
             "{ e2fsck -fyD image; true; } && debugfs -R 'imap one' image > imap-one && "
             "debugfs -R 'blocks many' image > blocks-many");
    struct ext4_fs *fs;
    char path[300];
    unsigned int number = 0, group = 0, offset = 0, blocks[3] = {0};
    unsigned long block = 0;
    snprintf(path, sizeof(path), "%s/imap-one", scratch());
    FILE *file = fopen(path, "r");
    bool parsed = fscanf(file, "Inode %u is part of block group %u located at block %lu, offset %x",
                         &number, &group, &block, &offset) == 4;
    fclose(file);
    snprintf(path, sizeof(path), "%s/blocks-many", scratch());
    file = fopen(path, "r");
    parsed = parsed && fscanf(file, "%u %u %u", &blocks[0], &blocks[1], &blocks[2]) == 3;
    fclose(file);
    if (!parsed || image_mount(image, &fs) != STATUS_OK)
        give_up("cannot find inodes by debugfs");
    image->bytes[block * 1024 + offset + 0x10] ^= 1;
    image->bytes[blocks[0] * 1024 + 40] ^= 1;
    struct ext4_inode *inode;
    uint32_t found;
    enum ext4_type type;
    check(ext4_inode_open(fs, number, &inode) == STATUS_CORRUPT, "test_ext4_checksum_of_inode");
    inode = open_path(fs, "many");
    check(ext4_lookup(inode, "entry-1-short", 13, &found, &type) == STATUS_CORRUPT,
          "test_ext4_checksum_of_index");
    image->bytes[blocks[0] * 1024 + 40] ^= 1;
    check(ext4_lookup(inode, "entry-1-short", 13, &found, &type) == STATUS_OK,
          "test_ext4_checksum_is_tried_again");
    ext4_inode_close(inode);
    ext4_unmount(fs);
    image_close(image);
}

/* Any one read, and any one allocation, may fail: that status comes out, and nothing leaks or is
 * left pinned. */
static void test_failures(void)
{
    struct image *image = make("-t ext4 -b 1024", "8M", "{ e2fsck -fyD image; true; }");
    struct ext4_inode *inode;
    struct ext4_fs *fs;
    unsigned int wrong = 0;
    size_t held = memory_held();
    for (unsigned int n = 1; n < 60; n++) {
        image->reads = 0;
        image->fail_at = n % 2 == 1 ? n / 2 + 1 : 0;
        memory_fail_at(n % 2 == 0 ? n / 2 : 0);
        if (image_mount(image, &fs) == STATUS_OK) {
            inode = open_path(fs, "many/entry-200-short");
            if (inode != NULL)
                ext4_inode_close(inode);
            memory_fail_at(0);
            image->fail_at = 0;
            inode = open_path(fs, "many/entry-200-short");
            wrong += inode == NULL;
            if (inode != NULL)
                ext4_inode_close(inode);
            ext4_unmount(fs);
        }
        memory_fail_at(0);
        wrong += memory_held() != held;
    }
    check(wrong == 0, "test_ext4_failures_of_device_and_memory_pass");
    image_close(image);
}

void test_features(void)
{
    tree_small("small");
    test_mount();
    test_times();
    attributes_test("block", "-t ext4 -b 4096", 2000);
    attributes_test("inode", "-t ext4 -b 4096 -O ea_inode", 4096);
    test_unwritten();
    test_requests();
    test_checksums();
    test_failures();
}

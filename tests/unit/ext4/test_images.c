/* Images of every flavour against the trees that they were made from. */
#include "harness.h"

#include <string.h>

#define FLAG_INDEX 0x1000u

struct flavour {
    const char *label;
    const char *tree;
    const char *options; /* of mke2fs; or null: begin with many.img */
    const char *size;
    const char *then; /* a command on the image, $I; or null */
};

/* e2fsck -D builds the indexes, which mke2fs -d does not; its status 1 says that it changed
 * something. */
#define INDEXED(hash) \
    "tune2fs -E hash_alg=" hash " $I && { e2fsck -fyD $I; [ $? -le 1 ]; } && e2fsck -fn $I"
#define UNSIGNED "debugfs -w -R 'set_super_value flags 2' $I && "

static const struct flavour flavours[] = {
    {"default", "mixed", "-t ext4 -b 4096", "200M", NULL},
    {"1k", "mixed1k", "-t ext4 -b 1024", "200M", NULL},
    {"2k_no_csum", "mixed1k", "-t ext4 -b 2048 -O ^metadata_csum,uninit_bg", "200M", NULL},
    {"64k", "mixed", "-t ext4 -b 65536", "800M", NULL},
    {"inline", "mixed_inline", "-t ext4 -b 4096 -O inline_data", "200M", NULL},
    {"inline_1k_inodes", "mixed_inline", "-t ext4 -b 4096 -O inline_data -I 1024 -N 4000", "200M",
     NULL},
    {"csum_seed", "mixed", "-t ext4 -b 4096 -O metadata_csum_seed,orphan_file", "200M",
     "tune2fs -U random $I"},
    {"32bit_meta_bg", "mixed", "-t ext4 -b 4096 -O ^64bit,meta_bg,^resize_inode", "600M", NULL},
    {"64bit_meta_bg_1k", "mixed1k", "-t ext4 -b 1024 -g 8192 -O meta_bg,^resize_inode,^flex_bg",
     "200M", NULL},
    {"ext3", "mixed1k", "-t ext3 -b 1024", "200M", NULL},
    {"ext3_4k", "mixed", "-t ext3 -b 4096", "200M", NULL},
    {"ext2_128", "mixed",
     "-t ext2 -b 4096 -I 128 -O ^filetype,^dir_index,^sparse_super,^resize_inode", "200M", NULL},
    {"bigalloc", "mixed", "-t ext4 -b 4096 -O bigalloc -C 16384", "200M", NULL},
    {"many_linear", "many", "-t ext4 -b 4096 -N 12000", "64M", "cp --sparse=always $I many.img"},
    {"many_md4", "many", NULL, NULL, INDEXED("half_md4")},
    {"many_md4_unsigned", "many", NULL, NULL, UNSIGNED INDEXED("half_md4")},
    {"many_tea", "many", NULL, NULL, INDEXED("tea")},
    {"many_tea_unsigned_no_csum", "many", NULL, NULL,
     "tune2fs -O ^metadata_csum $I && " UNSIGNED INDEXED("tea")},
    {"many_legacy", "many", NULL, NULL, INDEXED("legacy")},
    {"two_levels", "some", "-t ext4 -b 1024", "64M", INDEXED("half_md4")},
    {"two_levels_ext3", "some", "-t ext3 -b 1024", "64M", INDEXED("legacy")},
    {"some_inline", "some", "-t ext4 -b 4096 -O inline_data", "64M", INDEXED("half_md4")},
    {"some_64k", "some", "-t ext4 -b 65536 -N 12000", "256M", INDEXED("half_md4")},
};

/* Is the directory of many names indexed? What has been through e2fsck -D must be, or the index is
 * not tested. */
static void check_index(const struct flavour *flavour, struct ext4_fs *fs)
{
    struct ext4_inode *directory = open_path(fs, "many");
    struct ext4_stat stat = {0};
    if (directory != NULL) {
        ext4_inode_stat(directory, &stat);
        ext4_inode_close(directory);
    }
    bool expected = strstr(flavour->then, "e2fsck -fyD") != NULL;
    check(((stat.flags & FLAG_INDEX) != 0) == expected, "test_ext4_%s_is_%sindexed", flavour->label,
          expected ? "" : "not ");
}

static void flavour_test(const struct flavour *flavour)
{
    struct ext4_fs *fs;
    struct image *image;
    if (flavour->options != NULL)
        run(false, "rm -f image && mke2fs -q -F -E root_owner=0:0 %s -d %s image %s",
            flavour->options, flavour->tree, flavour->size);
    else
        run(false, "cp --sparse=always many.img image");
    if (flavour->then != NULL)
        run(false, "I=image; %s", flavour->then);
    image = image_open("image");
    status_t s = image_mount(image, &fs);
    check(s == STATUS_OK, "test_ext4_%s_mounts", flavour->label);
    if (s == STATUS_OK) {
        struct ext4_statfs statfs;
        ext4_statfs(fs, &statfs);
        image->align = statfs.block_bytes;
        compare_tree(flavour->label, fs, flavour->tree);
        if (flavour->then != NULL && strstr(flavour->then, "tune2fs -U") == NULL)
            check_index(flavour, fs);
        ext4_unmount(fs);
    } else {
        printf("# %s\n", image->messages);
    }
    image_close(image);
}

void test_images(void)
{
    tree_mixed("mixed", 4000, true);
    tree_mixed("mixed1k", 1000, true);
    /* With inline data, mke2fs loses a hole at the end of a file. */
    tree_mixed("mixed_inline", 4000, false);
    tree_many("many", 10000);
    tree_many("some", 4500);
    for (size_t i = 0; i < sizeof(flavours) / sizeof(flavours[0]); i++)
        flavour_test(&flavours[i]);
}

/* What the ext4 tests share: TAP output, scratch files, images, and a device over one. */
#pragma once

#include <ext4.h>
#include <stdarg.h>
#include <stdio.h>

/* --- harness.c --- */

/** Print one TAP line. */
void check(bool good, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** End the run: the machine lacks something that the test needs. */
_Noreturn void give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** The scratch folder, removed at the end. */
const char *scratch(void);
/** Run a shell command; its output is shown only if it fails, which ends the run unless @may_fail.
 */
int run(bool may_fail, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** An image in memory as a block device that counts, and that checks what the library promises of
 *  its reads. */
struct image {
    uint8_t *bytes;
    size_t size;
    size_t map_bytes; /* 0: bytes is from malloc */
    uint32_t align;
    uint64_t reads;
    uint64_t reads_limit; /* 0: none */
    size_t largest_read;
    uint64_t fail_at; /* the read with this number fails; 0: none */
    /** Offsets of all reads, if not null; at most @seen_limit. */
    uint64_t *seen;
    size_t seen_count;
    size_t seen_limit;
    char messages[512];
};

struct image *image_open(const char *path);
struct image *image_copy(const struct image *from);
void image_close(struct image *image);
/** Mount with a small cache, so that it turns over. */
status_t image_mount(struct image *image, struct ext4_fs **out);
/** Memory that the library holds; 0 when all is given back. */
size_t memory_held(void);
/** Let the n-th allocation from now on fail; 0: none. */
void memory_fail_at(size_t n);

/* --- trees.c: folders of the host to make images from; all in scratch() --- */

void tree_mixed(const char *name, size_t link_max, bool holes_at_end);
void tree_many(const char *name, unsigned int entries);
void tree_small(const char *name);

/* --- compare.c --- */

/** Compare the whole image with the folder @tree of scratch(): names, stat, contents, links. */
void compare_tree(const char *label, struct ext4_fs *fs, const char *tree);
/** Open the file at @path of the image, or null. */
struct ext4_inode *open_path(struct ext4_fs *fs, const char *path);

/* --- the groups of tests --- */

void test_images(void);
void test_features(void);
void test_hash(void);
void test_server(void);
void test_mutations(void);

/* Trees of files with what is awkward in a file system: sizes at the edges of inline data and
 * blocks, holes, many extents, long names and links, deep and large directories. Contents are
 * pseudo-random, by name, so a mix-up shows. */
#include "harness.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static uint64_t random_state;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void random_seed(const char *name)
{
    random_state = 0x9e3779b97f4a7c15u;
    for (; *name != 0; name++)
        random_state = (random_state ^ (uint8_t)*name) * 0x100000001b3u;
    random_state |= 1;
}

static void write_at(int file, off_t offset, size_t bytes)
{
    uint64_t block[512];
    while (bytes != 0) {
        for (size_t i = 0; i < 512; i++)
            block[i] = random_next();
        size_t part = bytes < sizeof(block) ? bytes : sizeof(block);
        if (pwrite(file, block, part, offset) != (ssize_t)part)
            give_up("cannot write to the scratch folder");
        offset += (off_t)part;
        bytes -= part;
    }
}

static int create(const char *path)
{
    random_seed(path);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0)
        give_up("cannot create %s", path);
    return file;
}

static void file_make(const char *path, size_t bytes)
{
    int file = create(path);
    write_at(file, 0, bytes);
    close(file);
}

/* @count pieces of @bytes, one at each multiple of @step from @start on; then a hole up to @size.
 */
static void sparse_make(const char *path, off_t start, off_t step, unsigned int count, size_t bytes,
                        off_t size)
{
    int file = create(path);
    for (unsigned int i = 0; i < count; i++)
        write_at(file, start + (off_t)i * step, bytes);
    if (ftruncate(file, size) != 0)
        give_up("cannot truncate %s", path);
    close(file);
}

static void enter(const char *name)
{
    if (chdir(scratch()) != 0 || mkdir(name, 0755) != 0 || chdir(name) != 0)
        give_up("cannot make tree %s", name);
}

static void leave(void)
{
    if (chdir("/") != 0)
        give_up("cannot leave");
}

static void link_make(size_t length)
{
    char target[4096];
    char name[32];
    random_seed("link");
    for (size_t i = 0; i < length; i++)
        target[i] = (char)('a' + random_next() % 26);
    target[length] = 0;
    snprintf(name, sizeof(name), "link-%zu", length);
    if (symlink(target, name) != 0)
        give_up("cannot make %s", name);
}

static void deep_make(unsigned int depth)
{
    char name[32];
    int top = open(".", O_RDONLY | O_DIRECTORY);
    for (unsigned int i = 0; i < depth; i++) {
        snprintf(name, sizeof(name), "deep%u", i);
        if (mkdir(name, 0750) != 0 || chdir(name) != 0)
            give_up("cannot make %s", name);
        file_make("file", i * 10);
    }
    if (fchdir(top) != 0)
        give_up("cannot return");
    close(top);
}

static void names_make(void)
{
    char name[256];
    for (unsigned int i = 0; i < 300; i++) {
        size_t length = 1 + i * 254 / 299;
        for (size_t k = 0; k < length; k++) {
            name[k] = (char)(1 + (i * 131 + k * 37) % 255);
            if (name[k] == '/')
                name[k] = '_';
        }
        snprintf(name + (length > 8 ? length - 8 : 0), 9, "%.*u", (int)(length > 8 ? 8 : length),
                 i);
        name[length] = 0;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            file_make(name, i % 3);
    }
}

static void special_make(void)
{
    if (mkfifo("fifo", 0600) != 0 || link("size-4097", "hard-link") != 0)
        give_up("cannot make special files");
    (void)!chmod("size-100", 04711);
    if (mknod("device-old", S_IFCHR | 0620, makedev(4, 64)) != 0 ||
        mknod("device-new", S_IFBLK | 0660, makedev(259, 70000)) != 0)
        return; /* only root may, and the comparison goes by what is there */
    (void)!chown("size-1", 70000, 90001);
}

void tree_mixed(const char *name, size_t link_max, bool holes_at_end)
{
    static const size_t sizes[] = {0,    1,    2,    59,    60,    61,    100,         128,
                                   150,  156,  157,  160,   161,   1023,  1024,        1025,
                                   2000, 4095, 4096, 4097,  8192,  12288, 700,         800,
                                   900,  960,  1000, 65535, 65536, 65537, 1048576 + 7, 5000000};
    static const size_t links[] = {1,   2,   58,  59,  60,   61,   100,  155, 156,
                                   160, 161, 200, 511, 1000, 1022, 2000, 4000};
    char path[64];
    enter(name);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        snprintf(path, sizeof(path), "size-%zu", sizes[i]);
        file_make(path, sizes[i]);
    }
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        if (links[i] <= link_max)
            link_make(links[i]);
    off_t hole = holes_at_end ? 30000 : 0;
    sparse_make("sparse-holes", 3 << 20, 5 << 20, 4, 10000, (18 << 20) + 10000 + hole * 100);
    sparse_make("sparse-empty", 0, 1, 0, 0, (off_t)3 << 30);
    sparse_make("sparse-far", 80 << 20, 1, 1, 5000, (80 << 20) + 5000);
    sparse_make("sparse-many", 0, 128 << 10, 700, 4096, 699 * (128 << 10) + 4096 + hole);
    sparse_make("sparse-huge", ((off_t)6 << 30) + 12345, 1, 1, 70000,
                ((off_t)6 << 30) + 82345 + hole);
    deep_make(70);
    special_make();
    if (mkdir("names", 0755) != 0 || chdir("names") != 0)
        give_up("cannot make names");
    names_make();
    leave();
}

void tree_many(const char *name, unsigned int entries)
{
    char path[64];
    enter(name);
    if (mkdir("many", 0755) != 0 || mkdir("few", 0755) != 0)
        give_up("cannot make many");
    for (unsigned int i = 0; i < entries; i++) {
        snprintf(path, sizeof(path), "many/entry number %u \xc3\xa9%s", i,
                 i % 7 == 0 ? " and more of a name" : "");
        file_make(path, i % 50 == 0 ? 30 : 0);
    }
    for (unsigned int i = 0; i < 40; i++) {
        snprintf(path, sizeof(path), "few/%u", i);
        file_make(path, i);
    }
    leave();
}

void tree_small(const char *name)
{
    char path[64];
    enter(name);
    file_make("one", 10);
    file_make("two", 20000);
    sparse_make("holes", 0, 16384, 12, 1000, 300000);
    link_make(30);
    link_make(300);
    link_make(100);
    deep_make(4);
    if (mkdir("many", 0755) != 0 || mkdir("few", 0755) != 0)
        give_up("cannot make many");
    for (unsigned int i = 0; i < 300; i++) {
        snprintf(path, sizeof(path), "many/entry-%u-%s", i,
                 i % 3 ? "short" : "with a name that is longer than it needs");
        file_make(path, 0);
    }
    file_make("few/a", 5);
    file_make("few/b", 70);
    file_make("few/c", 120);
    leave();
}

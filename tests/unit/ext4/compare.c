/* Comparison of an image with the folder that it was made from. One TAP line for each aspect of the
 * whole tree; what differs is shown before it. */
#include "harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define WHOLE_MAX ((uint64_t)32 << 20)
#define CHUNK ((size_t)1 << 20)

struct comparison {
    struct ext4_fs *fs;
    unsigned int bad_names;
    unsigned int bad_stats;
    unsigned int bad_data;
    unsigned int bad_links;
    unsigned int entries;
};

#define COMPLAIN(counter, ...)        \
    do {                              \
        if (++(counter) <= 5) {       \
            printf("# " __VA_ARGS__); \
            putchar('\n');            \
        }                             \
    } while (0)

struct name_list {
    struct ext4_entry entries[12000];
    char names[12000][256];
    size_t count;
    unsigned int burst;
    uint64_t next;
};

static bool collect(void *context, const struct ext4_entry *entry)
{
    struct name_list *list = context;
    if (list->burst-- == 0 || list->count == 12000)
        return false;
    list->next = entry->next;
    memcpy(list->names[list->count], entry->name, entry->name_bytes);
    list->names[list->count][entry->name_bytes] = 0;
    list->entries[list->count++] = *entry;
    return true;
}

static struct name_list *names_of(struct ext4_inode *directory)
{
    struct name_list *list = calloc(1, sizeof(*list));
    uint64_t cursor = 0;
    size_t before;
    do {
        before = list->count;
        list->burst = 1 + (unsigned int)(before * 7 % 60);
        if (ext4_directory_iterate(directory, &cursor, collect, list) != STATUS_OK)
            break;
        /* What an entry says is behind it does as well as where the listing stopped. */
        if (before % 2 == 0 && list->count != before)
            cursor = list->next;
    } while (list->count != before);
    return list;
}

static bool types_agree(enum ext4_type type, uint32_t mode)
{
    switch (type) {
    case EXT4_TYPE_REGULAR:
        return S_ISREG(mode);
    case EXT4_TYPE_DIRECTORY:
        return S_ISDIR(mode);
    case EXT4_TYPE_CHARACTER:
        return S_ISCHR(mode);
    case EXT4_TYPE_BLOCK:
        return S_ISBLK(mode);
    case EXT4_TYPE_FIFO:
        return S_ISFIFO(mode);
    case EXT4_TYPE_SOCKET:
        return S_ISSOCK(mode);
    case EXT4_TYPE_SYMLINK:
        return S_ISLNK(mode);
    case EXT4_TYPE_UNKNOWN:
        return true;
    default:
        return false;
    }
}

static void compare_stat(struct comparison *c, const char *path, struct ext4_inode *inode,
                         const struct stat *host)
{
    struct ext4_stat stat;
    ext4_inode_stat(inode, &stat);
    bool device = S_ISCHR(host->st_mode) || S_ISBLK(host->st_mode);
    if (stat.mode != host->st_mode || stat.uid != host->st_uid || stat.gid != host->st_gid ||
        stat.modified.seconds != host->st_mtim.tv_sec || !types_agree(stat.type, stat.mode))
        COMPLAIN(c->bad_stats, "%s: mode %o/%o uid %u/%u mtime %lld/%lld", path, stat.mode,
                 host->st_mode, stat.uid, host->st_uid, (long long)stat.modified.seconds,
                 (long long)host->st_mtim.tv_sec);
    if (!S_ISDIR(host->st_mode) &&
        (stat.size_bytes != (uint64_t)host->st_size || stat.links != (uint32_t)host->st_nlink))
        COMPLAIN(c->bad_stats, "%s: size %llu/%lld links %u/%lu", path,
                 (unsigned long long)stat.size_bytes, (long long)host->st_size, stat.links,
                 (unsigned long)host->st_nlink);
    if (device &&
        (stat.device_major != major(host->st_rdev) || stat.device_minor != minor(host->st_rdev)))
        COMPLAIN(c->bad_stats, "%s: device %u:%u", path, stat.device_major, stat.device_minor);
}

/* [@offset, @offset + @bytes) of both. */
static bool range_agrees(struct ext4_inode *file, int host, uint64_t offset, size_t bytes)
{
    static uint8_t ours[CHUNK], theirs[CHUNK];
    size_t done;
    ssize_t expected = pread(host, theirs, bytes, (off_t)offset);
    status_t s = ext4_read(file, offset, ours, bytes, &done);
    return s == STATUS_OK && expected >= 0 && done == (size_t)expected &&
           memcmp(ours, theirs, done) == 0;
}

/* The whole file in steps of odd sizes; of a file that is too big for that, all its data and a
 * little around it. */
static bool data_agrees(struct ext4_inode *file, int host, uint64_t size)
{
    bool good = range_agrees(file, host, size, 100) && range_agrees(file, host, size + 12345, 1);
    if (size <= WHOLE_MAX) {
        size_t step = size % 3 == 0 ? CHUNK : 300001;
        for (uint64_t offset = 0; good && offset < size; offset += step)
            good = range_agrees(file, host, offset, step);
    } else {
        off_t data = lseek(host, 0, SEEK_DATA);
        for (; good && data >= 0; data = lseek(host, data, SEEK_DATA)) {
            off_t end = lseek(host, data, SEEK_HOLE);
            uint64_t from = data > 5000 ? (uint64_t)data - 5000 : 0;
            for (uint64_t offset = from; good && offset < (uint64_t)end + 5000; offset += CHUNK)
                good = range_agrees(file, host, offset, CHUNK);
            data = end;
        }
        good = good && range_agrees(file, host, 4321, 99999) &&
               range_agrees(file, host, size - 1000, CHUNK);
    }
    for (uint64_t i = 1; good && size > 0 && size <= WHOLE_MAX && i < 20; i++)
        good = range_agrees(file, host, i * 0x9e3779b97f4a7c15u % size, (size_t)(i * 977));
    return good;
}

static void compare_inode(struct comparison *c, const char *path, struct ext4_inode *inode,
                          const struct stat *host)
{
    compare_stat(c, path, inode, host);
    if (S_ISREG(host->st_mode)) {
        int file = open(path, O_RDONLY);
        if (file < 0 || !data_agrees(inode, file, (uint64_t)host->st_size))
            COMPLAIN(c->bad_data, "%s: contents differ", path);
        close(file);
    } else if (S_ISLNK(host->st_mode)) {
        char ours[4096], theirs[4096];
        size_t bytes;
        ssize_t expected = readlink(path, theirs, sizeof(theirs));
        status_t s = ext4_readlink(inode, ours, sizeof(ours), &bytes);
        if (s != STATUS_OK || (ssize_t)bytes != expected || memcmp(ours, theirs, bytes) != 0)
            COMPLAIN(c->bad_links, "%s: target differs", path);
        if (ext4_readlink(inode, ours, (size_t)expected - 1, &bytes) != STATUS_RANGE)
            COMPLAIN(c->bad_links, "%s: target fits where it cannot", path);
    }
}

static void compare_folder(struct comparison *c, struct ext4_inode *directory, uint32_t number,
                           uint32_t parent);

static void compare_entry(struct comparison *c, struct ext4_inode *directory, const char *name,
                          const struct ext4_entry *listed, uint32_t folder)
{
    uint32_t number = 0;
    enum ext4_type type = EXT4_TYPE_UNKNOWN;
    struct ext4_inode *inode;
    struct stat host;
    c->entries++;
    status_t s = ext4_lookup(directory, name, strlen(name), &number, &type);
    if (s != STATUS_OK || number != listed->inode || type != listed->type ||
        lstat(name, &host) != 0 || !types_agree(type, host.st_mode) ||
        ext4_inode_open(c->fs, number, &inode) != STATUS_OK) {
        COMPLAIN(c->bad_names, "%s: lookup gives inode %u, the list %u", name, number,
                 listed->inode);
        return;
    }
    compare_inode(c, name, inode, &host);
    if (S_ISDIR(host.st_mode) && chdir(name) == 0) {
        compare_folder(c, inode, number, folder);
        (void)!chdir("..");
    }
    ext4_inode_close(inode);
}

static size_t host_entries(void)
{
    DIR *dir = opendir(".");
    size_t count = 0;
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

/* The number of names agrees, and each of ours is one of the host's, once: so they are the same. */
static void compare_folder(struct comparison *c, struct ext4_inode *directory, uint32_t number,
                           uint32_t parent)
{
    struct name_list *list = names_of(directory);
    size_t names = 0;
    for (size_t i = 0; i < list->count; i++) {
        const char *name = list->names[i];
        uint32_t found;
        enum ext4_type type;
        if (number == EXT4_ROOT_INODE && strcmp(name, "lost+found") == 0)
            continue;
        names++;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
            uint32_t expected = name[1] == 0 ? number : parent;
            if (list->entries[i].inode != expected ||
                ext4_lookup(directory, name, strlen(name), &found, &type) != STATUS_OK ||
                found != expected)
                COMPLAIN(c->bad_names, "%s is inode %u", name, list->entries[i].inode);
            continue;
        }
        compare_entry(c, directory, name, &list->entries[i], number);
    }
    if (names != host_entries())
        COMPLAIN(c->bad_names, "%zu names instead of %zu", names, host_entries());
    uint32_t found;
    enum ext4_type type;
    if (ext4_lookup(directory, "entry number", 12, &found, &type) != STATUS_NOT_FOUND)
        COMPLAIN(c->bad_names, "a name is found that is not there");
    free(list);
}

void compare_tree(const char *label, struct ext4_fs *fs, const char *tree)
{
    struct comparison c = {.fs = fs};
    struct ext4_inode *root;
    if (chdir(scratch()) != 0 || chdir(tree) != 0)
        give_up("no tree %s", tree);
    if (ext4_inode_open(fs, EXT4_ROOT_INODE, &root) != STATUS_OK) {
        check(false, "test_ext4_%s_root_opens", label);
        return;
    }
    compare_folder(&c, root, EXT4_ROOT_INODE, EXT4_ROOT_INODE);
    ext4_inode_close(root);
    check(c.bad_names == 0 && c.entries > 10, "test_ext4_%s_names_agree (%u entries)", label,
          c.entries);
    check(c.bad_stats == 0, "test_ext4_%s_stat_agrees", label);
    check(c.bad_data == 0, "test_ext4_%s_contents_agree", label);
    check(c.bad_links == 0, "test_ext4_%s_links_agree", label);
    (void)!chdir("/");
}

struct ext4_inode *open_path(struct ext4_fs *fs, const char *path)
{
    uint32_t number = EXT4_ROOT_INODE;
    enum ext4_type type;
    struct ext4_inode *inode;
    status_t s = ext4_inode_open(fs, number, &inode);
    while (s == STATUS_OK && *path != 0) {
        size_t length = strcspn(path, "/");
        s = ext4_lookup(inode, path, length, &number, &type);
        ext4_inode_close(inode);
        if (s == STATUS_OK)
            s = ext4_inode_open(fs, number, &inode);
        path += length + (path[length] == '/');
    }
    return s == STATUS_OK ? inode : NULL;
}

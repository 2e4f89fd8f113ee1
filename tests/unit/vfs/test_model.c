/* Random operations on a vfs with two tmpfs, one of them slow, against the model: every status, every byte. The cache is
 * so small that it is trimmed all the time. */
#include "harness.h"
#include "model.h"

#include <string.h>

#define OPEN_FILES 6

struct open_pair {
    struct vfs_file file;
    struct model_node *node;
};

struct match {
    struct store stores[2];
    struct tmpfs *tmpfs[2];
    struct slow_fs slow;
    struct vfs vfs;
    struct model model;
    struct random_state random;
    struct open_pair open[OPEN_FILES];
};

static struct vfs_call call;

static void match_begin(struct match *match, uint64_t seed)
{
    memset(match, 0, sizeof *match);
    match->random.state = seed;
    vfs_init(&match->vfs, 64);
    call = (struct vfs_call){0};
    for (int i = 0; i < 2; i++) {
        store_begin(&match->stores[i], 1024);
        CHECK_OK(tmpfs_open(&match->stores[i].store, &match->tmpfs[i]));
    }
    slow_begin(&match->slow, tmpfs_fs(match->tmpfs[0]));
    CHECK_OK(vfs_mount(&match->vfs, "/", &match->slow.fs, "slow", 1, false));
    CHECK_OK(vfs_mount(&match->vfs, "/m", tmpfs_fs(match->tmpfs[1]), "tmpfs", 2, false));
    model_begin(&match->model);
}

static void match_end(struct match *match)
{
    for (int i = 0; i < OPEN_FILES; i++) {
        if (match->open[i].node) {
            vfs_close(&match->vfs, &match->open[i].file);
            model_close(match->open[i].node);
        }
    }
    vfs_destroy(&match->vfs);
    CHECK(match->vfs.counts.dentries == 0 && match->vfs.counts.inodes == 0);
    for (int i = 0; i < 2; i++) {
        tmpfs_close(match->tmpfs[i]);
        store_end(&match->stores[i]);
    }
    model_end(&match->model);
}

/* A path of few names, so that most operations meet something. */
static void make_path(struct match *match, char *path, bool absolute)
{
    static const char *const names[] = {"a", "b", "c", "d", "m", "..", ".", "a", "b", "c"};
    static char long_name[258];
    memset(long_name, 'L', 257);
    uint32_t parts = random_below(&match->random, 5);
    path[0] = '\0';
    if (absolute) {
        strcpy(path, random_below(&match->random, 20) ? "/" : "///");
    }
    for (uint32_t i = 0; i < parts || (!absolute && i == 0); i++) {
        uint32_t odd = random_below(&match->random, 200);
        long_name[256] = '\0';
        long_name[255] = odd == 0 ? 'L' : '\0';
        strcat(path, odd < 3 ? long_name : names[random_below(&match->random, 10)]);
        if (i + 1 < parts || random_below(&match->random, 8) == 0) {
            strcat(path, random_below(&match->random, 10) ? "/" : "//");
        }
    }
}

static void do_open(struct match *match)
{
    static const uint32_t choices[] = {
        FILE_OPEN_READ,
        FILE_OPEN_READ | FILE_OPEN_WRITE | FILE_OPEN_CREATE,
        FILE_OPEN_READ | FILE_OPEN_WRITE | FILE_OPEN_CREATE | FILE_OPEN_EXCLUSIVE,
        FILE_OPEN_READ | FILE_OPEN_WRITE | FILE_OPEN_CREATE | FILE_OPEN_TRUNCATE,
        FILE_OPEN_READ | FILE_OPEN_WRITE | FILE_OPEN_CREATE | FILE_OPEN_NO_FOLLOW,
        FILE_OPEN_READ | FILE_OPEN_WRITE | FILE_OPEN_NO_FOLLOW,
    };
    char path[2000];
    make_path(match, path, true);
    uint32_t flags = choices[random_below(&match->random, 6)];
    struct model_node *node = NULL;
    struct vfs_file file;
    status_t expected = model_open(&match->model, path, flags, &node);
    status_t got = DRIVE(vfs_open(&match->vfs, &call, path, flags, 0644, &file));
    if (expected == STATUS_WRONG_TYPE && got == STATUS_OK) {
        /* The model opens no directories. */
        CHECK(flags == FILE_OPEN_READ);
        vfs_close(&match->vfs, &file);
        return;
    }
    CHECK_STATUS(got, expected);
    if (got != STATUS_OK) {
        return;
    }
    struct open_pair *slot = &match->open[random_below(&match->random, OPEN_FILES)];
    if (slot->node) {
        vfs_close(&match->vfs, &slot->file);
        model_close(slot->node);
    }
    *slot = (struct open_pair){.file = file, .node = node};
}

static void check_data(struct match *match, struct vfs_file *file, const struct model_node *node)
{
    static uint8_t got[MODEL_BYTES];
    uint64_t offset = random_below(&match->random, MODEL_BYTES);
    uint64_t bytes = random_below(&match->random, MODEL_BYTES);
    uint64_t expected = offset >= node->bytes ? 0 : node->bytes - offset;
    struct buffer_sink sink = sink_of(got, sizeof got);
    uint64_t done;
    CHECK_OK(DRIVE(vfs_read_at(&match->vfs, &call, file, offset, bytes, &sink.sink, &done)));
    CHECK(done == (expected < bytes ? expected : bytes));
    CHECK(memcmp(got, node->data + offset, (size_t)done) == 0);
}

static void do_data(struct match *match)
{
    struct open_pair *pair = &match->open[random_below(&match->random, OPEN_FILES)];
    if (!pair->node) {
        return;
    }
    static uint8_t data[MODEL_BYTES];
    uint32_t offset = random_below(&match->random, MODEL_BYTES);
    uint32_t bytes = random_below(&match->random, MODEL_BYTES - offset);
    switch (pair->file.flags & FILE_OPEN_WRITE ? random_below(&match->random, 3) : 0) {
    case 0:
        check_data(match, &pair->file, pair->node);
        break;
    case 1: {
        uint64_t done, end;
        memset(data, (int)random_next(&match->random), bytes);
        struct buffer_source source = source_of(data, bytes);
        CHECK_OK(DRIVE(vfs_write_at(&match->vfs, &call, &pair->file, offset, bytes, &source.source,
                                    &done, &end)));
        CHECK(done == bytes && end == offset + bytes);
        memcpy(pair->node->data + offset, data, bytes);
        if (bytes && end > pair->node->bytes) {
            pair->node->bytes = end;
        }
        break;
    }
    default:
        CHECK_OK(DRIVE(vfs_truncate(&match->vfs, &call, &pair->file, offset)));
        if (offset < pair->node->bytes) {
            memset(pair->node->data + offset, 0, pair->node->bytes - offset);
        }
        pair->node->bytes = offset;
    }
}

static void do_status(struct match *match)
{
    char path[2000];
    make_path(match, path, true);
    bool follow = random_below(&match->random, 2);
    struct file_status status;
    struct model_place place =
        model_walk(&match->model, path, follow ? MODEL_FOLLOW : MODEL_NO_FOLLOW);
    CHECK_STATUS(DRIVE(vfs_status(&match->vfs, &call, path, follow ? 0 : FILE_PATH_NO_FOLLOW,
                                  &status)),
                 place.status);
    if (place.status != STATUS_OK) {
        return;
    }
    CHECK(status.attributes.type == place.node->type &&
          status.mount == (uint64_t)place.node->mount);
    if (place.node->type == FS_TYPE_FILE) {
        CHECK(status.attributes.bytes == place.node->bytes &&
              status.attributes.links == (uint32_t)place.node->links);
    }
    if (place.node->type == FS_TYPE_SYMLINK) {
        char target[FS_LINK_BYTES];
        size_t length;
        CHECK_OK(DRIVE(vfs_readlink(&match->vfs, &call, path, target, sizeof target, &length)));
        CHECK(length == strlen(place.node->target) &&
              memcmp(target, place.node->target, length) == 0);
    }
}

static void do_names(struct match *match)
{
    char path[2000], other[2000];
    make_path(match, path, true);
    make_path(match, other, true);
    bool flag = random_below(&match->random, 4) == 0;
    switch (random_below(&match->random, 7)) {
    case 0:
    case 1:
        CHECK_STATUS(DRIVE(vfs_mkdir(&match->vfs, &call, path, 0755)),
                     model_make(&match->model, path, FS_TYPE_DIRECTORY, NULL));
        break;
    case 2:
        make_path(match, other, flag);
        CHECK_STATUS(DRIVE(vfs_symlink(&match->vfs, &call, other, path)),
                     model_make(&match->model, path, FS_TYPE_SYMLINK, other));
        break;
    case 3:
        CHECK_STATUS(DRIVE(vfs_link(&match->vfs, &call, path, other)),
                     model_link(&match->model, path, other));
        break;
    case 4:
        CHECK_STATUS(DRIVE(vfs_unlink(&match->vfs, &call, path)),
                     model_remove(&match->model, path, false));
        break;
    case 5:
        CHECK_STATUS(DRIVE(vfs_rmdir(&match->vfs, &call, path)),
                     model_remove(&match->model, path, true));
        break;
    default:
        CHECK_STATUS(DRIVE(vfs_rename(&match->vfs, &call, path, other,
                                      flag ? FS_RENAME_NO_REPLACE : 0)),
                     model_rename(&match->model, path, other, flag));
    }
}

static void compare_directory(struct match *match, const char *path, const struct model_node *node);

static void compare_entry(struct match *match, const char *path, const struct model_node *directory,
                          const struct fs_entry *entry, const char *name)
{
    char child[4000];
    snprintf(child, sizeof child, "%s%s%.*s", path, path[1] ? "/" : "", entry->name_bytes, name);
    const struct model_node *node = model_child(directory, strrchr(child, '/') + 1);
    CHECK(node && node->type == entry->type);
    if (node->type == FS_TYPE_DIRECTORY) {
        compare_directory(match, child, node);
    } else if (node->type == FS_TYPE_FILE) {
        struct vfs_file file;
        CHECK_OK(DRIVE(vfs_open(&match->vfs, &call, child, FILE_OPEN_READ, 0, &file)));
        check_data(match, &file, node);
        vfs_close(&match->vfs, &file);
    }
}

static void compare_directory(struct match *match, const char *path, const struct model_node *node)
{
    struct vfs_file file;
    _Alignas(8) uint8_t buffer[600];
    uint64_t cursor = 0;
    size_t used, count = 0;
    CHECK_OK(DRIVE(vfs_open(&match->vfs, &call, path, FILE_OPEN_READ, 0, &file)));
    for (;;) {
        CHECK_OK(DRIVE(
            vfs_readdir(&match->vfs, &call, &file, cursor, buffer, sizeof buffer, &used, &cursor)));
        if (used == 0) {
            break;
        }
        for (size_t at = 0; at < used; count++) {
            struct fs_entry entry;
            memcpy(&entry, buffer + at, sizeof entry);
            compare_entry(match, path, node, &entry, (const char *)buffer + at + sizeof entry);
            at += entry.record_bytes;
        }
    }
    CHECK(count == model_entry_count(node));
    vfs_close(&match->vfs, &file);
}

/* The service of the second mount dies and comes back with the same store; nothing is open there. */
static void restart(struct match *match)
{
    for (int i = 0; i < OPEN_FILES; i++) {
        if (match->open[i].node) {
            vfs_close(&match->vfs, &match->open[i].file);
            model_close(match->open[i].node);
            match->open[i].node = NULL;
        }
    }
    vfs_destroy(&match->vfs);
    for (int i = 0; i < 2; i++) {
        tmpfs_close(match->tmpfs[i]);
        CHECK_OK(tmpfs_open(&match->stores[i].store, &match->tmpfs[i]));
    }
    match->slow.below = tmpfs_fs(match->tmpfs[0]);
    vfs_init(&match->vfs, 64);
    CHECK_OK(vfs_mount(&match->vfs, "/", &match->slow.fs, "slow", 1, false));
    CHECK_OK(vfs_mount(&match->vfs, "/m", tmpfs_fs(match->tmpfs[1]), "tmpfs", 2, false));
}

static void run_match(uint64_t seed, int steps)
{
    static struct match match;
    match_begin(&match, seed);
    for (int step = 0; step < steps; step++) {
        switch (random_below(&match.random, 6)) {
        case 0:
            do_open(&match);
            break;
        case 1:
            do_data(&match);
            break;
        case 2:
            do_status(&match);
            break;
        default:
            do_names(&match);
        }
        CHECK(match.vfs.counts.dentries <= 64 + 2 * 5);
        if (step % 1500 == 1499) {
            compare_directory(&match, "/", match.model.root);
        }
        if (step % 4000 == 3999) {
            restart(&match);
            compare_directory(&match, "/", match.model.root);
        }
    }
    match_end(&match);
}

static void test_vfs_agrees_with_the_model(void)
{
    for (uint64_t seed = 1; seed <= 8; seed++) {
        run_match(seed, 20000);
    }
}

void run_model_tests(void)
{
    RUN(test_vfs_agrees_with_the_model);
}

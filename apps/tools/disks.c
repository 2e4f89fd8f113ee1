/* df, mount, stat, du, uname. */
#include "tools.h"

#include <arch_program.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"

static const char *type_name(uint32_t type)
{
    static const char *const names[] = {
        "unknown",          "regular file", "directory", "symbolic link",
        "character device", "block device", "fifo",      "socket"};
    return type < sizeof(names) / sizeof(names[0]) ? names[type] : names[0];
}

static void print_statistics(const char *source, const char *path, const struct fs_statistics *s,
                             bool human)
{
    uint64_t used = s->blocks - s->blocks_free, counted = used + s->blocks_available;
    uint64_t percent = counted ? (used * 100 + counted - 1) / counted : 0;
    if (human) {
        char size[HUMAN_BYTES], taken[HUMAN_BYTES], left[HUMAN_BYTES];
        human_bytes(s->blocks * s->block_bytes, size);
        human_bytes(used * s->block_bytes, taken);
        human_bytes(s->blocks_available * s->block_bytes, left);
        out_format("%-16s %10s %10s %10s %3" PRIu64 "%% %s\n", source, size, taken, left, percent,
                   path);
    } else {
        out_format("%-16s %10" PRIu64 " %10" PRIu64 " %10" PRIu64 " %3" PRIu64 "%% %s\n", source,
                   s->blocks * s->block_bytes / 1024, used * s->block_bytes / 1024,
                   s->blocks_available * s->block_bytes / 1024, percent, path);
    }
}

static int df_mounts(bool human)
{
    struct file_mount mount = {.mount = 0};
    int result = EXIT_SUCCESS;
    status_t status;
    while (status_is_ok(status = file_mount_next(mount.mount, &mount))) {
        if (mount.answers) {
            print_statistics(mount.source, mount.path, &mount.statistics, human);
        } else {
            complain("%s: it does not answer", mount.path);
            result = EXIT_FAILURE;
        }
    }
    return status == STATUS_NOT_FOUND ? result : complain_status("mounts", status);
}

int df_main(int argc, char **argv)
{
    bool human = false;
    int c, result = EXIT_SUCCESS;
    while ((c = getopt(argc, argv, "hk")) != -1) {
        if (c == '?') {
            return usage("[-hk] [path …]");
        }
        human = human || c == 'h';
    }
    out_format("%-16s %10s %10s %10s %4s %s\n", "file system", human ? "size" : "KiB", "used",
               "free", "use", "at");
    if (optind == argc) {
        return df_mounts(human);
    }
    for (int i = optind; i < argc; i++) {
        struct fs_statistics statistics;
        status_t status = file_statfs(argv[i], &statistics);
        if (status_is_ok(status)) {
            print_statistics(statistics.kind, argv[i], &statistics, human);
        } else {
            result = complain_status(argv[i], status);
        }
    }
    return result;
}

/** Mounts are made by the vfs service's own configuration; this shows them. */
int mount_main(int argc, char **argv)
{
    struct file_mount mount = {.mount = 0};
    (void)argv;
    if (argc > 1) {
        return usage("(shows what is mounted, and takes nothing)");
    }
    while (status_is_ok(file_mount_next(mount.mount, &mount))) {
        bool read_only = (mount.statistics.properties & FS_PROPERTY_READ_ONLY) != 0;
        out_format("%s on %s type %s (%s)\n", mount.source, mount.path,
                   mount.answers ? mount.statistics.kind : "?",
                   !mount.answers ? "it does not answer"
                   : read_only    ? "ro"
                                  : "rw");
    }
    return EXIT_SUCCESS;
}

int stat_main(int argc, char **argv)
{
    int result = EXIT_SUCCESS;
    if (argc < 2) {
        return usage("file …");
    }
    for (int i = 1; i < argc; i++) {
        struct file_status info;
        char time[TIME_BYTES];
        status_t status = file_status(argv[i], FILE_PATH_NO_FOLLOW, &info);
        if (!status_is_ok(status)) {
            result = complain_status(argv[i], status);
            continue;
        }
        const struct fs_attributes *a = &info.attributes;
        print_time(a->modified_ns, time);
        out_format("  File: %s\n  Size: %" PRIu64 "\tAllocated: %" PRIu64 "\t%s\n", argv[i],
                   a->bytes, a->allocated_bytes, type_name(a->type));
        out_format("Mount: %" PRIu64 "\tInode: %" PRIu64 "\tGeneration: %" PRIu64 "\tLinks: %u\n",
                   info.mount, a->inode, a->generation, a->links);
        out_format("Access: %04o\tUid: %u\tGid: %u\nModify: %s UTC\n", a->mode, a->uid, a->gid,
                   time);
    }
    return result;
}

/* --- du ---------------------------------------------------------------------------------------------------- */

static int du_result;

static uint64_t tree_bytes(const char *path, bool all, bool summary, unsigned depth)
{
    struct file_status info;
    struct strings names = {.items = NULL};
    status_t status = file_status(path, FILE_PATH_NO_FOLLOW, &info);
    if (!status_is_ok(status)) {
        du_result = complain_status(path, status);
        return 0;
    }
    uint64_t bytes = info.attributes.allocated_bytes;
    bool directory = info.attributes.type == FS_TYPE_DIRECTORY;
    if (directory && !status_is_ok(status = read_names(path, &names))) {
        du_result = complain_status(path, status);
    }
    for (size_t i = 0; i < names.count; i++) {
        char *below = path_join(path, names.items[i]);
        bytes += tree_bytes(below, all, summary, depth + 1);
        free(below);
    }
    strings_free(&names);
    if (depth == 0 || (!summary && (directory || all))) {
        out_format("%" PRIu64 "\t%s\n", (bytes + 1023) / 1024, path);
    }
    return bytes;
}

int du_main(int argc, char **argv)
{
    bool all = false, summary = false;
    int c;
    while ((c = getopt(argc, argv, "ask")) != -1) {
        if (c == '?') {
            return usage("[-as] [path …]");
        }
        all = all || c == 'a';
        summary = summary || c == 's';
    }
    if (optind == argc) {
        tree_bytes(".", all, summary, 0);
    }
    for (int i = optind; i < argc; i++) {
        tree_bytes(argv[i], all, summary, 0);
    }
    return du_result;
}

int uname_main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "-s";
    if (strcmp(what, "-m") == 0) {
        out_string(MACHINE_NAME "\n");
    } else if (strcmp(what, "-a") == 0) {
        out_string("VeridianOS " MACHINE_NAME "\n");
    } else if (strcmp(what, "-s") == 0) {
        out_string("VeridianOS\n");
    } else {
        return usage("[-s | -m | -a]");
    }
    return EXIT_SUCCESS;
}

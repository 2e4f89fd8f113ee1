/* cp and mv.
 *
 * A file that is half copied, because the disk is full or a read failed, is left and complained about: its name says what is missing.
 * A directory is copied after its own names were read, so a copy into itself ends (and is refused before it begins). */
#include "tools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"

struct copy_options {
    bool recursive, force, keep, verbose, no_clobber, update;
};

static struct copy_options options;

static int copy_tree(const char *from, const char *to);

static void keep_attributes(const char *to, const struct fs_attributes *attributes)
{
    struct fs_changes changes = {
        .mask = FS_CHANGE_MODE | FS_CHANGE_UID | FS_CHANGE_GID | FS_CHANGE_ACCESSED |
                FS_CHANGE_MODIFIED,
        .mode = attributes->mode,
        .uid = attributes->uid,
        .gid = attributes->gid,
        .accessed_ns = attributes->accessed_ns,
        .modified_ns = attributes->modified_ns,
    };
    status_t status = file_change(to, FILE_PATH_NO_FOLLOW, &changes);
    if (!status_is_ok(status) && status != STATUS_UNSUPPORTED) {
        complain_status(to, status);
    }
}

static int copy_bytes(struct file *in, const char *from, struct file *out, const char *to)
{
    struct file_ahead *ahead = NULL;
    const uint8_t *data;
    size_t bytes = 1, done;
    int result = EXIT_SUCCESS;
    status_t status = file_ahead_begin(in, &ahead);
    while (status_is_ok(status) && bytes > 0 && result == EXIT_SUCCESS) {
        status = file_ahead_next(ahead, &data, &bytes);
        status_t written =
            status_is_ok(status) && bytes > 0 ? file_write(out, data, bytes, &done) : STATUS_OK;
        result = status_is_ok(written) ? result : complain_status(to, written);
    }
    file_ahead_end(ahead);
    return status_is_ok(status) ? result : complain_status(from, status);
}

static bool same_file(const struct file_status *a, const struct file_status *b)
{
    return a->mount == b->mount && a->attributes.inode == b->attributes.inode &&
           a->attributes.generation == b->attributes.generation;
}

static int copy_file(const char *from, const char *to, const struct file_status *info)
{
    struct file *in, *out;
    status_t status = file_open(from, FILE_OPEN_READ, 0, &in);
    if (!status_is_ok(status)) {
        return complain_status(from, status);
    }
    status = file_open(to, FILE_OPEN_WRITE | FILE_OPEN_CREATE | FILE_OPEN_TRUNCATE,
                       info->attributes.mode & 0777, &out);
    if (status == STATUS_DENIED && options.force && status_is_ok(file_unlink(to))) {
        status =
            file_open(to, FILE_OPEN_WRITE | FILE_OPEN_CREATE, info->attributes.mode & 0777, &out);
    }
    if (!status_is_ok(status)) {
        file_close(in);
        return complain_status(to, status);
    }
    int result = copy_bytes(in, from, out, to);
    file_close(in);
    file_close(out);
    return result;
}

static int copy_link(const char *from, const char *to)
{
    char *target = must_have(malloc(FS_LINK_BYTES + 1));
    status_t status = file_readlink(from, target, FS_LINK_BYTES + 1);
    if (status_is_ok(status)) {
        status = file_symlink(target, to);
        if (status == STATUS_EXISTS && status_is_ok(file_unlink(to))) {
            status = file_symlink(target, to);
        }
    }
    free(target);
    return status_is_ok(status) ? EXIT_SUCCESS : complain_status(to, status);
}

/** Whether absolute @path is @directory or below it. */
static bool is_below(const char *path, const char *directory)
{
    char inner[FILE_PATH_BYTES + 1], outer[FILE_PATH_BYTES + 1];
    if (!status_is_ok(file_absolute(path, inner, sizeof(inner))) ||
        !status_is_ok(file_absolute(directory, outer, sizeof(outer)))) {
        return false;
    }
    size_t bytes = strlen(outer);
    return strncmp(inner, outer, bytes) == 0 &&
           (inner[bytes] == '\0' || inner[bytes] == '/' || bytes == 1);
}

static int copy_directory(const char *from, const char *to, const struct file_status *info)
{
    struct strings names = {.items = NULL};
    status_t status = read_names(from, &names);
    int result = EXIT_SUCCESS;
    if (!status_is_ok(status)) {
        strings_free(&names);
        return complain_status(from, status);
    }
    status = file_mkdir(to, (info->attributes.mode & 0777) | 0700);
    if (!status_is_ok(status) && !(status == STATUS_EXISTS && is_directory(to))) {
        strings_free(&names);
        return complain_status(to, status);
    }
    for (size_t i = 0; i < names.count; i++) {
        char *in = path_join(from, names.items[i]), *out = path_join(to, names.items[i]);
        if (copy_tree(in, out) != EXIT_SUCCESS) {
            result = EXIT_FAILURE;
        }
        free(in);
        free(out);
    }
    strings_free(&names);
    return result;
}

static int copy_any(const char *from, const char *to, const struct file_status *info)
{
    struct file_status there;
    bool exists = status_is_ok(file_status(to, 0, &there));
    if (exists && same_file(info, &there)) {
        return complain("%s and %s are the same file", from, to);
    }
    switch (info->attributes.type) {
    case FS_TYPE_FILE:
        return exists && there.attributes.type == FS_TYPE_DIRECTORY
                   ? complain("%s: is a directory", to)
                   : copy_file(from, to, info);
    case FS_TYPE_DIRECTORY:
        if (!options.recursive) {
            return complain("%s: is a directory (-r copies it)", from);
        }
        return copy_directory(from, to, info);
    case FS_TYPE_SYMLINK:
        return copy_link(from, to);
    default:
        return complain("%s: neither file, directory nor link", from);
    }
}

static int copy_tree(const char *from, const char *to)
{
    struct file_status info, there;
    status_t status = file_status(from, options.recursive ? FILE_PATH_NO_FOLLOW : 0, &info);
    if (!status_is_ok(status)) {
        return complain_status(from, status);
    }
    if (options.no_clobber && info.attributes.type != FS_TYPE_DIRECTORY &&
        status_is_ok(file_status(to, FILE_PATH_NO_FOLLOW, &there))) {
        return EXIT_SUCCESS;
    }
    int result = copy_any(from, to, &info);
    if (result == EXIT_SUCCESS && options.keep) {
        keep_attributes(to, &info.attributes);
    }
    if (result == EXIT_SUCCESS && options.verbose) {
        out_format("%s -> %s\n", from, to);
    }
    return result;
}

/** @path without slashes at its end, the caller's to free(). */
static char *trimmed(const char *path)
{
    size_t bytes = strlen(path);
    while (bytes > 1 && path[bytes - 1] == '/') {
        bytes--;
    }
    return must_have(strndup(path, bytes));
}

static int copy_one(const char *from, const char *to)
{
    if (options.recursive && is_directory(from) && is_below(to, from)) {
        return complain("%s: cannot be copied into itself, %s", from, to);
    }
    return copy_tree(from, to);
}

/** Call @one for each source with the name that it gets: the last argument, or below it if that is a directory. */
static int for_targets(int argc, char **argv, int (*one)(const char *from, const char *to))
{
    const char *target = argv[argc - 1];
    bool into = is_directory(target);
    int result = EXIT_SUCCESS;
    if (argc - optind > 2 && !into) {
        return complain("%s: not a directory", target);
    }
    for (int i = optind; i < argc - 1; i++) {
        char *from = trimmed(argv[i]);
        char *to = into ? path_join(target, path_base(from)) : must_have(strdup(target));
        if (one(from, to) != EXIT_SUCCESS) {
            result = EXIT_FAILURE;
        }
        free(from);
        free(to);
    }
    return result;
}

int cp_main(int argc, char **argv)
{
    static const char help[] = "[-rRafpnv] source … target";
    int c;
    while ((c = getopt(argc, argv, "rRafpnvd")) != -1) {
        if (c == '?') {
            return usage(help);
        }
        options.recursive = options.recursive || c == 'r' || c == 'R' || c == 'a';
        options.keep = options.keep || c == 'p' || c == 'a';
        options.force = options.force || c == 'f';
        options.no_clobber = options.no_clobber || c == 'n';
        options.verbose = options.verbose || c == 'v';
    }
    return argc - optind < 2 ? usage(help) : for_targets(argc, argv, copy_one);
}

/* --- rm, also for mv across file systems ------------------------------------------------------------------- */

static bool remove_force;

static int remove_tree(const char *path, bool recursive)
{
    struct file_status info;
    struct strings names = {.items = NULL};
    int result = EXIT_SUCCESS;
    status_t status = file_status(path, FILE_PATH_NO_FOLLOW, &info);
    if (status == STATUS_NOT_FOUND && remove_force) {
        return EXIT_SUCCESS;
    }
    if (!status_is_ok(status)) {
        return complain_status(path, status);
    }
    if (info.attributes.type != FS_TYPE_DIRECTORY) {
        status = file_unlink(path);
        return status_is_ok(status) ? EXIT_SUCCESS : complain_status(path, status);
    }
    if (!recursive) {
        return complain("%s: is a directory (-r removes it)", path);
    }
    status = read_names(path, &names);
    for (size_t i = 0; i < names.count; i++) {
        char *below = path_join(path, names.items[i]);
        if (remove_tree(below, true) != EXIT_SUCCESS) {
            result = EXIT_FAILURE;
        }
        free(below);
    }
    strings_free(&names);
    if (result == EXIT_SUCCESS && status_is_ok(status)) {
        status = file_rmdir(path);
    }
    return status_is_ok(status) ? result : complain_status(path, status);
}

int rm_main(int argc, char **argv)
{
    bool recursive = false;
    int c, result = EXIT_SUCCESS;
    while ((c = getopt(argc, argv, "rRf")) != -1) {
        if (c == '?') {
            return usage("[-rf] file …");
        }
        recursive = recursive || c == 'r' || c == 'R';
        remove_force = remove_force || c == 'f';
    }
    if (optind == argc && !remove_force) {
        return usage("[-rf] file …");
    }
    for (int i = optind; i < argc; i++) {
        char *path = trimmed(argv[i]);
        const char *base = path_base(path);
        int one = strcmp(base, ".") == 0 || strcmp(base, "..") == 0 || strcmp(path, "/") == 0
                      ? complain("%s: not that one", path)
                      : remove_tree(path, recursive);
        result = one != EXIT_SUCCESS ? one : result;
        free(path);
    }
    return result;
}

static int move_one(const char *from, const char *to)
{
    status_t status = file_rename(from, to, options.no_clobber ? FS_RENAME_NO_REPLACE : 0);
    if (status == STATUS_EXISTS && options.no_clobber) {
        return EXIT_SUCCESS;
    }
    if (status != STATUS_UNSUPPORTED) {
        return status_is_ok(status) ? EXIT_SUCCESS
                                    : complain("%s to %s: %s", from, to, status_words(status));
    }
    // To another file system: by way of a copy, which must be whole before the original goes.
    options.recursive = options.keep = true;
    int result = copy_one(from, to);
    return result == EXIT_SUCCESS ? remove_tree(from, true) : result;
}

int mv_main(int argc, char **argv)
{
    static const char help[] = "[-fn] source … target";
    int c;
    while ((c = getopt(argc, argv, "fnv")) != -1) {
        if (c == '?') {
            return usage(help);
        }
        options.no_clobber = options.no_clobber || c == 'n';
    }
    return argc - optind < 2 ? usage(help) : for_targets(argc, argv, move_one);
}

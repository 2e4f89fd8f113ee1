/* mkdir, rmdir, ln, readlink, touch, basename, dirname, realpath, chmod, truncate. */
#include "tools.h"

#include <os/clock.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"

/** Make the directories above @path that are not there. */
static status_t make_parents(char *path, uint32_t mode)
{
    for (char *at = path + 1; *at; at++) {
        if (*at == '/' && at[1]) {
            *at = '\0';
            status_t status = is_directory(path) ? STATUS_OK : file_mkdir(path, mode);
            *at = '/';
            if (!status_is_ok(status) && status != STATUS_EXISTS) {
                return status;
            }
        }
    }
    return STATUS_OK;
}

static bool parse_mode(const char *text, uint32_t *mode)
{
    char *end;
    unsigned long value = strtoul(text, &end, 8);
    *mode = (uint32_t)value;
    return *text >= '0' && *text <= '7' && *end == '\0' && value <= 07777;
}

int mkdir_main(int argc, char **argv)
{
    bool parents = false, wrong = false;
    uint32_t mode = 0755;
    int c, result = EXIT_SUCCESS;
    while ((c = getopt(argc, argv, "pm:")) != -1) {
        parents = parents || c == 'p';
        wrong = wrong || c == '?' || (c == 'm' && !parse_mode(optarg, &mode));
    }
    if (wrong || optind == argc) {
        return usage("[-p] [-m mode] directory …");
    }
    for (int i = optind; i < argc; i++) {
        status_t status = parents ? make_parents(argv[i], 0755) : STATUS_OK;
        if (status_is_ok(status)) {
            status = file_mkdir(argv[i], mode);
        }
        if (!status_is_ok(status) &&
            !(parents && status == STATUS_EXISTS && is_directory(argv[i]))) {
            result = complain_status(argv[i], status);
        }
    }
    return result;
}

int rmdir_main(int argc, char **argv)
{
    int result = EXIT_SUCCESS;
    if (argc < 2) {
        return usage("directory …");
    }
    for (int i = 1; i < argc; i++) {
        status_t status = file_rmdir(argv[i]);
        if (!status_is_ok(status)) {
            result = status == STATUS_EXISTS ? complain("%s: not empty", argv[i])
                                             : complain_status(argv[i], status);
        }
    }
    return result;
}

static status_t link_one(const char *target, const char *path, bool symbolic, bool force)
{
    status_t status = symbolic ? file_symlink(target, path) : file_link(target, path);
    if (status == STATUS_EXISTS && force) {
        status = file_unlink(path);
        if (status_is_ok(status)) {
            status = symbolic ? file_symlink(target, path) : file_link(target, path);
        }
    }
    return status;
}

int ln_main(int argc, char **argv)
{
    static const char help[] = "[-sfn] target … name";
    bool symbolic = false, force = false, plain = false;
    int c, result = EXIT_SUCCESS;
    while ((c = getopt(argc, argv, "sfn")) != -1) {
        if (c == '?') {
            return usage(help);
        }
        symbolic = symbolic || c == 's';
        force = force || c == 'f';
        plain = plain || c == 'n';
    }
    int count = argc - optind;
    if (count < 1) {
        return usage(help);
    }
    const char *last = count == 1 ? "." : argv[argc - 1];
    bool into = is_directory(last) && !(plain && count == 2);
    if (count > 2 && !into) {
        return complain("%s: not a directory", last);
    }
    for (int i = optind; i < (count == 1 ? argc : argc - 1); i++) {
        char *path = into ? path_join(last, path_base(argv[i])) : must_have(strdup(last));
        status_t status = link_one(argv[i], path, symbolic, force);
        if (!status_is_ok(status)) {
            result = complain_status(path, status);
        }
        free(path);
    }
    return result;
}

int readlink_main(int argc, char **argv)
{
    char target[FS_LINK_BYTES + 1];
    int result = EXIT_SUCCESS;
    if (argc < 2) {
        return usage("link …");
    }
    for (int i = 1; i < argc; i++) {
        status_t status = file_readlink(argv[i], target, sizeof(target));
        if (status_is_ok(status)) {
            out_format("%s\n", target);
        } else {
            result = complain_status(argv[i], status);
        }
    }
    return result;
}

/** The system has no calendar yet, so times of today are, as in the file systems, those since the start. */
static status_t touch_one(const char *path, bool create, int64_t time_ns)
{
    struct file *file;
    struct fs_changes changes = {
        .mask = FS_CHANGE_ACCESSED | FS_CHANGE_MODIFIED,
        .accessed_ns = time_ns,
        .modified_ns = time_ns,
    };
    status_t status = file_change(path, 0, &changes);
    if (status != STATUS_NOT_FOUND || !create) {
        return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    status = file_open(path, FILE_OPEN_WRITE | FILE_OPEN_CREATE, 0644, &file);
    if (status_is_ok(status)) {
        file_close(file);
    }
    return status;
}

int touch_main(int argc, char **argv)
{
    bool create = true;
    int64_t time_ns = (int64_t)clock_now_ns();
    int c, result = EXIT_SUCCESS;
    while ((c = getopt(argc, argv, "cd:")) != -1) {
        if (c == '?' || (c == 'd' && *optarg != '@')) {
            return usage("[-c] [-d @seconds] file …");
        }
        if (c == 'd' &&
            __builtin_mul_overflow(strtoll(optarg + 1, NULL, 10), INT64_C(1000000000), &time_ns)) {
            return complain("%s: too far away", optarg);
        }
        create = create && c != 'c';
    }
    for (int i = optind; i < argc; i++) {
        status_t status = touch_one(argv[i], create, time_ns);
        if (!status_is_ok(status)) {
            result = complain_status(argv[i], status);
        }
    }
    return result;
}

int chmod_main(int argc, char **argv)
{
    struct fs_changes changes = {.mask = FS_CHANGE_MODE};
    int result = EXIT_SUCCESS;
    if (argc < 3 || !parse_mode(argv[1], &changes.mode)) {
        return usage("octal-mode file …");
    }
    for (int i = 2; i < argc; i++) {
        status_t status = file_change(argv[i], 0, &changes);
        if (!status_is_ok(status)) {
            result = complain_status(argv[i], status);
        }
    }
    return result;
}

int truncate_main(int argc, char **argv)
{
    uint64_t bytes;
    int result = EXIT_SUCCESS;
    if (argc < 4 || strcmp(argv[1], "-s") != 0 || !parse_number(argv[2], &bytes)) {
        return usage("-s bytes file …");
    }
    for (int i = 3; i < argc; i++) {
        struct file *file;
        status_t status = file_open(argv[i], FILE_OPEN_WRITE | FILE_OPEN_CREATE, 0644, &file);
        if (status_is_ok(status)) {
            status = file_truncate(file, bytes);
            file_close(file);
        }
        if (!status_is_ok(status)) {
            result = complain_status(argv[i], status);
        }
    }
    return result;
}

int basename_main(int argc, char **argv)
{
    if (argc < 2) {
        return usage("path [suffix]");
    }
    const char *base = path_base(argv[1]);
    size_t bytes = strcspn(base, "/"), suffix = argc > 2 ? strlen(argv[2]) : 0;
    if (suffix > 0 && suffix < bytes && strncmp(base + bytes - suffix, argv[2], suffix) == 0) {
        bytes -= suffix;
    }
    out_format("%.*s\n", (int)(bytes ? bytes : strlen(base)), base);
    return EXIT_SUCCESS;
}

int dirname_main(int argc, char **argv)
{
    if (argc < 2) {
        return usage("path");
    }
    size_t bytes = (size_t)(path_base(argv[1]) - argv[1]);
    while (bytes > 1 && argv[1][bytes - 1] == '/') {
        bytes--;
    }
    out_format("%.*s\n", (int)(bytes ? bytes : 1), bytes ? argv[1] : ".");
    return EXIT_SUCCESS;
}

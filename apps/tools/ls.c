/* ls: what is in directories. */
#include "tools.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"

struct ls_options {
    bool all, directory, long_format, recursive, human, by_time, by_size, reverse, one_column,
        inode, classify;
};

struct item {
    char *name;
    char *path;
    struct file_status info;
};

static struct ls_options options;
static int result;

static int compare(const void *a, const void *b)
{
    const struct item *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    const struct fs_attributes *l = &left->info.attributes, *r = &right->info.attributes;
    if (options.by_time && l->modified_ns != r->modified_ns) {
        order = l->modified_ns < r->modified_ns ? 1 : -1;
    } else if (options.by_size && l->bytes != r->bytes) {
        order = l->bytes < r->bytes ? 1 : -1;
    }
    return options.reverse ? -order : order;
}

static char type_letter(uint32_t type)
{
    static const char letters[] = "?-dlcbps";
    return type < sizeof(letters) - 1 ? letters[type] : '?';
}

static void print_mode(const struct fs_attributes *attributes)
{
    char text[11] = "?rwxrwxrwx";
    text[0] = type_letter(attributes->type);
    for (unsigned bit = 0; bit < 9; bit++) {
        if (!(attributes->mode & (1u << (8 - bit)))) {
            text[bit + 1] = '-';
        }
    }
    if (attributes->mode & 04000) {
        text[3] = text[3] == 'x' ? 's' : 'S';
    }
    if (attributes->mode & 02000) {
        text[6] = text[6] == 'x' ? 's' : 'S';
    }
    if (attributes->mode & 01000) {
        text[9] = text[9] == 'x' ? 't' : 'T';
    }
    out_string(text);
}

static void print_long(const struct item *item, int width)
{
    char time[TIME_BYTES], size[HUMAN_BYTES];
    const struct fs_attributes *attributes = &item->info.attributes;
    print_mode(attributes);
    print_time(attributes->modified_ns, time);
    if (options.human) {
        human_bytes(attributes->bytes, size);
    } else if (attributes->type == FS_TYPE_CHAR_DEVICE ||
               attributes->type == FS_TYPE_BLOCK_DEVICE) {
        snprintf(size, sizeof(size), "%u,%u", attributes->device_major, attributes->device_minor);
    } else {
        snprintf(size, sizeof(size), "%" PRIu64, attributes->bytes);
    }
    out_format(" %2u %4u %4u %*s %.16s ", attributes->links, attributes->uid, attributes->gid,
               width, size, time);
}

static void print_item(const struct item *item, int width)
{
    char target[FILE_PATH_BYTES + 1];
    const struct fs_attributes *attributes = &item->info.attributes;
    if (options.inode) {
        out_format("%8" PRIu64 " ", attributes->inode);
    }
    if (options.long_format) {
        print_long(item, width);
    }
    out_string(item->name);
    if (options.classify && attributes->type == FS_TYPE_DIRECTORY) {
        out_char('/');
    }
    if (options.long_format && attributes->type == FS_TYPE_SYMLINK &&
        status_is_ok(file_readlink(item->path, target, sizeof(target)))) {
        out_format(" -> %s", target);
    }
    out_char('\n');
}

static int size_width(const struct item *items, size_t count)
{
    uint64_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i].info.attributes.bytes > largest) {
            largest = items[i].info.attributes.bytes;
        }
    }
    return options.human ? 5 : snprintf(NULL, 0, "%" PRIu64, largest);
}

/** Columns, as wide as the longest name needs. */
static void print_columns(const struct item *items, size_t count, size_t columns)
{
    size_t widest = 0;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = strlen(items[i].name);
        widest = bytes > widest ? bytes : widest;
    }
    size_t across = columns / (widest + 2);
    across = across ? across : 1;
    size_t down = (count + across - 1) / across;
    for (size_t row = 0; row < down; row++) {
        for (size_t i = row; i < count; i += down) {
            bool directory = items[i].info.attributes.type == FS_TYPE_DIRECTORY;
            out_string(items[i].name);
            out_string(directory && options.classify ? "/" : "");
            if (i + down < count) {
                out_format("%*s",
                           (int)(widest + 2 - strlen(items[i].name) -
                                 (directory && options.classify)),
                           "");
            }
        }
        out_char('\n');
    }
}

static void print_items(struct item *items, size_t count)
{
    struct stream_info info = {.kind = STREAM_BYTES};
    if (count == 0) {
        return;
    }
    qsort(items, count, sizeof(*items), compare);
    status_ignore(stream_describe(stream_out(), &info));
    if (!options.long_format && !options.one_column && !options.inode &&
        info.kind == STREAM_TERMINAL && info.columns > 0) {
        print_columns(items, count, info.columns);
        return;
    }
    int width = size_width(items, count);
    for (size_t i = 0; i < count; i++) {
        print_item(&items[i], width);
    }
}

static void free_items(struct item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(items[i].name);
        free(items[i].path);
    }
    free(items);
}

static bool need_attributes(void)
{
    return options.long_format || options.by_time || options.by_size || options.recursive ||
           options.classify || options.inode;
}

/** Fill @item with @name, found at @path. */
static bool make_item(struct item *item, const char *name, char *path, bool follow)
{
    *item = (struct item){.name = must_have(strdup(name)), .path = path};
    if (need_attributes() || follow) {
        status_t status = file_status(path, follow ? 0 : FILE_PATH_NO_FOLLOW, &item->info);
        if (!status_is_ok(status)) {
            result = complain_status(path, status);
            free(item->name);
            free(path);
            return false;
        }
    }
    return true;
}

static void list_directory(const char *path, bool headed);

static void list_below(const struct item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].info.attributes.type == FS_TYPE_DIRECTORY) {
            out_char('\n');
            list_directory(items[i].path, true);
        }
    }
}

static void list_directory(const char *path, bool headed)
{
    struct strings names = {.items = NULL};
    status_t status = read_names(path, &names);
    if (!status_is_ok(status)) {
        result = complain_status(path, status);
    }
    if (headed) {
        out_format("%s:\n", path);
    }
    struct item *items = must_have(calloc(names.count + 1, sizeof(*items)));
    size_t count = 0;
    for (size_t i = 0; i < names.count; i++) {
        if (options.all || names.items[i][0] != '.') {
            count +=
                make_item(&items[count], names.items[i], path_join(path, names.items[i]), false);
        }
    }
    strings_free(&names);
    print_items(items, count);
    if (options.recursive) {
        list_below(items, count);
    }
    free_items(items, count);
}

static int read_options(int argc, char **argv)
{
    int c;
    while ((c = getopt(argc, argv, "aAdlRhtSr1iFpn")) != -1) {
        switch (c) {
        case 'a':
        case 'A':
            options.all = true;
            break;
        case 'd':
            options.directory = true;
            break;
        case 'l':
        case 'n':
            options.long_format = true;
            break;
        case 'R':
            options.recursive = true;
            break;
        case 'h':
            options.human = true;
            break;
        case 't':
            options.by_time = true;
            break;
        case 'S':
            options.by_size = true;
            break;
        case 'r':
            options.reverse = true;
            break;
        case '1':
            options.one_column = true;
            break;
        case 'i':
            options.inode = true;
            break;
        case 'F':
        case 'p':
            options.classify = true;
            break;
        default:
            return usage("[-aAdlRhtSr1iFp] [file …]");
        }
    }
    return 0;
}

int ls_main(int argc, char **argv)
{
    static char *here[] = {"."};
    int wrong = read_options(argc, argv);
    if (wrong) {
        return wrong;
    }
    char **names = optind < argc ? argv + optind : here;
    size_t count = optind < argc ? (size_t)(argc - optind) : 1, files = 0, directories = 0;
    struct item *items = must_have(calloc(count, sizeof(*items)));
    struct item *folders = must_have(calloc(count, sizeof(*folders)));
    for (size_t i = 0; i < count; i++) {
        struct item item;
        bool follow = !options.long_format && !options.directory;
        struct file_status info;
        follow = follow && status_is_ok(file_status(names[i], 0, &info));
        if (!make_item(&item, names[i], must_have(strdup(names[i])), follow)) {
            continue;
        }
        if (!need_attributes() && !follow &&
            !status_is_ok(file_status(names[i], FILE_PATH_NO_FOLLOW, &item.info))) {
            result =
                complain_status(names[i], file_status(names[i], FILE_PATH_NO_FOLLOW, &item.info));
            free(item.name);
            free(item.path);
        } else if (item.info.attributes.type == FS_TYPE_DIRECTORY && !options.directory) {
            folders[directories++] = item;
        } else {
            items[files++] = item;
        }
    }
    print_items(items, files);
    qsort(folders, directories, sizeof(*folders), compare);
    for (size_t i = 0; i < directories; i++) {
        if (files > 0 || i > 0) {
            out_char('\n');
        }
        list_directory(folders[i].path, count > 1 || options.recursive);
    }
    free_items(items, files);
    free_items(folders, directories);
    return result;
}

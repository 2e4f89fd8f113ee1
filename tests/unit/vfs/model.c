/* See model.h. Statuses follow idl/files.idl. */
#include "model.h"

#include <idl/files.h>
#include <stdlib.h>
#include <string.h>

static struct model_node *node_new(uint32_t type, int mount, struct model_node *parent)
{
    struct model_node *node = calloc(1, sizeof *node);
    *node = (struct model_node){.type = type, .mount = mount, .parent = parent, .links = 1};
    if (type == FS_TYPE_FILE) {
        node->data = calloc(1, MODEL_BYTES);
    }
    return node;
}

static void node_put(struct model_node *node)
{
    if (node->links == 0 && node->opens == 0) {
        free(node->target);
        free(node->data);
        free(node);
    }
}

void model_close(struct model_node *node)
{
    node->opens--;
    node_put(node);
}

static void entry_add(struct model_node *directory, const char *name, struct model_node *node)
{
    struct model_entry *entry = malloc(sizeof *entry);
    *entry = (struct model_entry){.name = strdup(name), .node = node, .next = directory->entries};
    directory->entries = entry;
}

static void entry_remove(struct model_node *directory, const char *name)
{
    for (struct model_entry **at = &directory->entries; *at; at = &(*at)->next) {
        struct model_entry *entry = *at;
        if (strcmp(entry->name, name) == 0) {
            *at = entry->next;
            free(entry->name);
            free(entry);
            return;
        }
    }
}

struct model_node *model_child(const struct model_node *directory, const char *name)
{
    for (struct model_entry *entry = directory->entries; entry; entry = entry->next) {
        if (strcmp(entry->name, name) == 0) {
            return entry->node;
        }
    }
    return NULL;
}

size_t model_entry_count(const struct model_node *directory)
{
    size_t count = 0;
    for (struct model_entry *entry = directory->entries; entry; entry = entry->next) {
        count++;
    }
    return count;
}

void model_begin(struct model *model)
{
    model->root = node_new(FS_TYPE_DIRECTORY, 1, NULL);
    model->root->parent = model->root;
    model->mounted = node_new(FS_TYPE_DIRECTORY, 2, model->root);
    entry_add(model->root, "m", model->mounted);
}

static void destroy(struct model_node *node)
{
    while (node->entries) {
        struct model_node *child = node->entries->node;
        child->links--;
        if (child->type == FS_TYPE_DIRECTORY) {
            destroy(child);
        } else {
            node_put(child);
        }
        entry_remove(node, node->entries->name);
    }
    node->links = 0;
    node_put(node);
}

void model_end(struct model *model)
{
    destroy(model->root);
}

struct resolver {
    struct model *model;
    enum model_mode mode;
    int links;
};

static struct model_place resolve(struct resolver *r, struct model_node *at, const char *path);

static struct model_place fail(status_t status)
{
    return (struct model_place){.status = status};
}

/* The first component of @path is a link in @at: go on with its target and @rest. */
static struct model_place follow(struct resolver *r, struct model_node *at, struct model_node *link,
                                 bool slash, const char *rest)
{
    if (++r->links > 40) {
        return fail(STATUS_RANGE);
    }
    size_t need = strlen(link->target) + strlen(rest) + 2;
    if (need > 4096) {
        return fail(STATUS_RANGE);
    }
    char *path = malloc(need);
    strcpy(path, link->target);
    if (slash) {
        strcat(path, "/");
    }
    strcat(path, rest);
    struct model_place place = resolve(r, path[0] == '/' ? r->model->root : at, path);
    free(path);
    return place;
}

static struct model_place resolve(struct resolver *r, struct model_node *at, const char *path)
{
    while (*path == '/') {
        path++;
    }
    if (*path == '\0') {
        return (struct model_place){.status = STATUS_OK, .node = at, .parent = at->parent};
    }
    char name[300];
    size_t length = strcspn(path, "/");
    if (length > 255) {
        return fail(STATUS_INVALID);
    }
    memcpy(name, path, length);
    name[length] = '\0';
    const char *rest = path + length;
    bool slash = *rest == '/';
    while (*rest == '/') {
        rest++;
    }
    bool last = *rest == '\0';
    if (strcmp(name, ".") == 0) {
        return resolve(r, at, rest);
    }
    if (strcmp(name, "..") == 0) {
        return resolve(r, at->parent, rest);
    }
    struct model_node *node = model_child(at, name);
    struct model_place place = {
        .status = STATUS_OK, .parent = at, .node = node, .named = true, .slash = slash};
    strcpy(place.name, name);
    if (!node) {
        bool may_miss = r->mode >= MODEL_NAME;
        return last && may_miss ? place : fail(STATUS_NOT_FOUND);
    }
    bool follows = !last || r->mode == MODEL_FOLLOW || r->mode == MODEL_FOLLOW_MISSING ||
                   (slash && r->mode != MODEL_NAME);
    if (node->type == FS_TYPE_SYMLINK && follows) {
        return follow(r, at, node, slash, rest);
    }
    if ((slash || !last) && node->type != FS_TYPE_DIRECTORY) {
        return fail(STATUS_WRONG_TYPE);
    }
    if (last && node == r->model->mounted && r->mode != MODEL_NAME) {
        place.named = false;
    }
    return last ? place : resolve(r, node, rest);
}

struct model_place model_walk(struct model *model, const char *path, enum model_mode mode)
{
    struct resolver resolver = {.model = model, .mode = mode};
    return path[0] == '/' ? resolve(&resolver, model->root, path) : fail(STATUS_INVALID);
}

static void make(struct model_place *place, uint32_t type, const char *target)
{
    struct model_node *node = node_new(type, place->parent->mount, place->parent);
    node->target = target ? strdup(target) : NULL;
    entry_add(place->parent, place->name, node);
    place->node = node;
}

status_t model_make(struct model *model, const char *path, uint32_t type, const char *target)
{
    struct model_place place = model_walk(model, path, MODEL_NAME);
    if (place.status != STATUS_OK) {
        return place.status;
    }
    if (!place.named || place.node) {
        return STATUS_EXISTS;
    }
    if (place.slash && type != FS_TYPE_DIRECTORY) {
        return STATUS_WRONG_TYPE;
    }
    make(&place, type, target);
    return STATUS_OK;
}

status_t model_link(struct model *model, const char *existing, const char *path)
{
    struct model_place from = model_walk(model, existing, MODEL_NO_FOLLOW);
    if (from.status != STATUS_OK) {
        return from.status;
    }
    struct model_place to = model_walk(model, path, MODEL_NAME);
    if (to.status != STATUS_OK) {
        return to.status;
    }
    if (!to.named || to.node) {
        return STATUS_EXISTS;
    }
    if (from.node->type == FS_TYPE_DIRECTORY || to.slash) {
        return STATUS_WRONG_TYPE;
    }
    if (from.node->mount != to.parent->mount) {
        return STATUS_UNSUPPORTED;
    }
    entry_add(to.parent, to.name, from.node);
    from.node->links++;
    return STATUS_OK;
}

status_t model_remove(struct model *model, const char *path, bool directory)
{
    struct model_place place = model_walk(model, path, MODEL_NAME);
    if (place.status != STATUS_OK) {
        return place.status;
    }
    if (!place.named || place.node == model->mounted) {
        return directory ? STATUS_BUSY : STATUS_WRONG_TYPE;
    }
    if (!place.node) {
        return STATUS_NOT_FOUND;
    }
    if ((place.node->type == FS_TYPE_DIRECTORY) != directory) {
        return STATUS_WRONG_TYPE;
    }
    if (place.node->entries) {
        return STATUS_EXISTS;
    }
    entry_remove(place.parent, place.name);
    place.node->links--;
    node_put(place.node);
    return STATUS_OK;
}

status_t model_rename(struct model *model, const char *from_path, const char *to_path,
                      bool no_replace)
{
    struct model_place from = model_walk(model, from_path, MODEL_NAME);
    if (from.status != STATUS_OK) {
        return from.status;
    }
    if (!from.named || from.node == model->mounted) {
        return STATUS_BUSY;
    }
    if (!from.node) {
        return STATUS_NOT_FOUND;
    }
    struct model_place to = model_walk(model, to_path, MODEL_NAME);
    if (to.status != STATUS_OK) {
        return to.status;
    }
    bool directory = from.node->type == FS_TYPE_DIRECTORY;
    if (!to.named || to.node == model->mounted) {
        return STATUS_BUSY;
    }
    if (from.parent->mount != to.parent->mount) {
        return STATUS_UNSUPPORTED;
    }
    if (to.node && no_replace) {
        return STATUS_EXISTS;
    }
    if ((to.node && (to.node->type == FS_TYPE_DIRECTORY) != directory) ||
        (to.slash && !directory)) {
        return STATUS_WRONG_TYPE;
    }
    if (to.node == from.node) {
        return STATUS_OK;
    }
    for (struct model_node *up = to.parent; directory; up = up->parent) {
        if (up == from.node) {
            return STATUS_INVALID;
        }
        if (up == up->parent) {
            break;
        }
    }
    if (to.node && to.node->entries) {
        return STATUS_EXISTS;
    }
    if (to.node) {
        entry_remove(to.parent, to.name);
        to.node->links--;
        node_put(to.node);
    }
    entry_remove(from.parent, from.name);
    entry_add(to.parent, to.name, from.node);
    from.node->parent = to.parent;
    return STATUS_OK;
}

status_t model_open(struct model *model, const char *path, uint32_t flags, struct model_node **node)
{
    bool exclusive = flags & FILE_OPEN_EXCLUSIVE;
    bool no_follow = flags & FILE_OPEN_NO_FOLLOW;
    bool create = flags & FILE_OPEN_CREATE;
    enum model_mode mode =
        create ? (no_follow || exclusive ? MODEL_NO_FOLLOW_MISSING : MODEL_FOLLOW_MISSING)
               : (no_follow ? MODEL_NO_FOLLOW : MODEL_FOLLOW);
    struct model_place place = model_walk(model, path, mode);
    if (place.status != STATUS_OK) {
        return place.status;
    }
    if (!place.node) {
        if (place.slash) {
            return STATUS_WRONG_TYPE;
        }
        make(&place, FS_TYPE_FILE, NULL);
    } else if (exclusive) {
        return STATUS_EXISTS;
    } else if (place.node->type != FS_TYPE_FILE) {
        return STATUS_WRONG_TYPE;
    } else if (flags & FILE_OPEN_TRUNCATE) {
        memset(place.node->data, 0, MODEL_BYTES);
        place.node->bytes = 0;
    }
    *node = place.node;
    place.node->opens++;
    return STATUS_OK;
}

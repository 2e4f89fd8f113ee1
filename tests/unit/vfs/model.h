/* The reference: a tree of nodes on the heap and a path resolution by recursion, as simple as can be. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <veridian/abi.h>

#define MODEL_BYTES 20000

struct model_entry {
    char *name;
    struct model_node *node;
    struct model_entry *next;
};

struct model_node {
    uint32_t type;
    int mount;
    int links;
    int opens;
    struct model_node *parent;
    struct model_entry *entries;
    char *target;
    size_t bytes;
    uint8_t *data;
};

struct model {
    struct model_node *root;
    /* The root of the second mount, at "/m". */
    struct model_node *mounted;
};

struct model_place {
    status_t status;
    struct model_node *parent;
    char name[256];
    struct model_node *node;
    bool named;
    bool slash;
};

enum model_mode {
    MODEL_FOLLOW,
    MODEL_NO_FOLLOW,
    MODEL_NAME,
    MODEL_FOLLOW_MISSING,
    MODEL_NO_FOLLOW_MISSING
};

void model_begin(struct model *model);
void model_end(struct model *model);
struct model_place model_walk(struct model *model, const char *path, enum model_mode mode);
status_t model_make(struct model *model, const char *path, uint32_t type, const char *target);
status_t model_link(struct model *model, const char *existing, const char *path);
status_t model_remove(struct model *model, const char *path, bool directory);
status_t model_rename(struct model *model, const char *from, const char *to, bool no_replace);
/* The file that an open would give. */
status_t model_open(struct model *model, const char *path, uint32_t flags,
                    struct model_node **node);
void model_close(struct model_node *node);
size_t model_entry_count(const struct model_node *directory);
struct model_node *model_child(const struct model_node *directory, const char *name);

/* The layout of the store, and what the files of lib/tmpfs share. */
#pragma once

#include <tmpfs/tmpfs.h>
#include <vfs/list.h>

#define TMPFS_MAGIC UINT64_C(0x3173667074766f64)
#define PAGE_SLOTS 1024 /* page numbers in a page of a tree */
#define TREE_HEIGHT_MAX 6
#define NODE_BYTES 128
#define NODES_PER_PAGE (TMPFS_PAGE_BYTES / NODE_BYTES)
#define NODE_ROOT 1
#define FILE_BYTES_MAX INT64_MAX
#define RECORD_ALIGN 8
#define RECORDS_PER_PAGE (TMPFS_PAGE_BYTES / RECORD_ALIGN)

/* A radix tree of pages: the root's page number, and the height (0: the root is the only data page) above bit 32. One
 * word, so that it changes at once. 0: no pages. */
struct tree {
    uint64_t word;
};

struct super {
    uint64_t magic;
    uint32_t pages;
    /* Pages that the inode table has. */
    uint32_t table_pages;
    uint64_t generation;
    struct tree table;
};

struct node {
    /* enum fs_type; 0: free */
    uint32_t type;
    uint32_t mode;
    uint64_t generation;
    uint64_t bytes;
    struct tree tree;
    uint32_t links;
    /* Of a directory: the one it is in. */
    uint32_t parent;
    uint32_t uid;
    uint32_t gid;
    int64_t accessed_ns;
    int64_t modified_ns;
    int64_t changed_ns;
    int64_t created_ns;
    /* Data pages and pages of the tree. */
    uint32_t pages;
    /* Of a directory: no page before this one has room for a record. */
    uint32_t hint;
    /* Of a directory: entries in it. */
    uint32_t entries;
    /* Open somewhere. */
    uint32_t holds;
    uint64_t reserved[4];
};
_Static_assert(sizeof(struct node) == NODE_BYTES, "size of a node");

/* A directory's data is pages of records, each a head and a name; the heads' lengths chain them. */
struct record {
    /* 0: free */
    uint32_t node;
    uint16_t bytes;
    uint8_t name_bytes;
    uint8_t type;
};
_Static_assert(sizeof(struct record) == RECORD_ALIGN, "size of a record's head");

struct index_entry {
    uint32_t directory; /* 0: empty */
    uint32_t hash;
    uint32_t slot;
};

/* (directory, name) -> slot of the record: open addressing, linear probing. */
struct name_index {
    struct index_entry *entries;
    size_t capacity;
    size_t used;
};

struct tmpfs {
    struct vfs_fs fs;
    struct tmpfs_store *store;
    struct super *super;
    /* Bit set: the page is used. */
    uint64_t *bitmap;
    uint32_t pages_free;
    uint32_t page_hint;
    uint32_t nodes_used;
    uint32_t node_hint;
    struct name_index index;
};

/* pages.c */
static inline uint8_t *page_at(const struct tmpfs *tmpfs, uint32_t page)
{
    return tmpfs->store->base + (size_t)page * TMPFS_PAGE_BYTES;
}

static inline uint32_t *page_slots(const struct tmpfs *tmpfs, uint32_t page)
{
    return (uint32_t *)(void *)page_at(tmpfs, page);
}

static inline uint32_t tree_root(struct tree tree)
{
    return (uint32_t)tree.word;
}

static inline uint32_t tree_height(struct tree tree)
{
    return (uint32_t)(tree.word >> 32);
}

/* A page of zeros; 0: there is none. */
uint32_t page_new(struct tmpfs *tmpfs);
void page_free(struct tmpfs *tmpfs, uint32_t page);
bool page_used(const struct tmpfs *tmpfs, uint32_t page);
void page_mark(struct tmpfs *tmpfs, uint32_t page);
/* The page at @index of @tree, 0: a hole. */
uint32_t tree_get(const struct tmpfs *tmpfs, struct tree tree, uint64_t index);
/* The same, made if it is not there; *@pages counts those that were needed. 0: no space. */
uint32_t tree_make(struct tmpfs *tmpfs, struct tree *tree, uint64_t index, uint32_t *pages);
/* Free the pages at @first and beyond. */
void tree_cut(struct tmpfs *tmpfs, struct tree *tree, uint64_t first, uint32_t *pages);

/* Stores that link or unlink something stay in their order: another process may find the store after any of them. */
static inline void store_word(uint64_t *at, uint64_t value)
{
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);
}

static inline void store_slot(uint32_t *at, uint32_t value)
{
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);
}

/* node.c */
/* The node @number, NULL if it is free or beyond the table. */
struct node *node_at(const struct tmpfs *tmpfs, uint64_t number);
/* The node that @id names: GONE if it is another's or nobody's now. */
status_t node_find(const struct tmpfs *tmpfs, struct vfs_id id, struct node **node);
/* The directory that @id names. */
status_t node_directory(const struct tmpfs *tmpfs, struct vfs_id id, struct node **node);
/* A new node without links; NO_SPACE. */
status_t node_new(struct tmpfs *tmpfs, uint32_t type, uint32_t mode, uint32_t *number,
                  struct node **node);
void node_free(struct tmpfs *tmpfs, uint32_t number, struct node *node);
/* Free it if neither a name nor an opener is left. */
void node_drop(struct tmpfs *tmpfs, uint32_t number, struct node *node);
void node_attributes(uint32_t number, const struct node *node, struct fs_attributes *attributes);
void node_touch(const struct tmpfs *tmpfs, struct node *node);

/* directory.c */
struct record *record_at(const struct tmpfs *tmpfs, const struct node *directory, uint32_t slot);
static inline char *record_name(struct record *record)
{
    return (char *)(record + 1);
}
/* The slot of @name in @directory; NOT_FOUND. */
status_t directory_find(const struct tmpfs *tmpfs, uint32_t directory, struct vfs_name name,
                        uint32_t *slot);
status_t directory_add(struct tmpfs *tmpfs, uint32_t directory, struct vfs_name name,
                       uint32_t number, uint32_t type);
void directory_remove(struct tmpfs *tmpfs, uint32_t directory, uint32_t slot);
/* The record at @slot leads to @number from now on. */
void directory_point(struct tmpfs *tmpfs, uint32_t directory, uint32_t slot, uint32_t number);
status_t directory_read(const struct tmpfs *tmpfs, const struct node *directory, uint64_t cursor,
                        uint8_t *buffer, size_t bytes, size_t *used, uint64_t *next);
static inline size_t record_need(size_t name_bytes)
{
    return sizeof(struct record) + (name_bytes + RECORD_ALIGN - 1) / RECORD_ALIGN * RECORD_ALIGN;
}

/* index.c */
uint32_t index_hash(uint32_t directory, struct vfs_name name);
/* Room for one more entry. */
bool index_reserve(struct name_index *index);
void index_add(struct name_index *index, uint32_t directory, uint32_t hash, uint32_t slot);
void index_remove(struct name_index *index, uint32_t directory, uint32_t hash, uint32_t slot);
/* The next entry of (@directory, @hash) at or after *@position, which begins as index_begin(); NULL: none. */
size_t index_begin(const struct name_index *index, uint32_t hash);
const struct index_entry *index_next(const struct name_index *index, uint32_t directory,
                                     uint32_t hash, size_t *position);

/* check.c */
/* Rebuild what is not in the store, and take out of it what contradicts itself. */
status_t check_store(struct tmpfs *tmpfs);

/* data.c, ops.c */
status_t data_read(const struct tmpfs *tmpfs, const struct node *node, uint64_t offset,
                   uint64_t bytes, struct vfs_sink *sink, uint64_t *done);
status_t data_write(struct tmpfs *tmpfs, struct node *node, uint64_t offset, uint64_t bytes,
                    struct vfs_source *source, uint64_t *done);
void data_truncate(struct tmpfs *tmpfs, struct node *node, uint64_t bytes);
extern const struct vfs_fs_ops tmpfs_ops;

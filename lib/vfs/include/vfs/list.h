/* Doubly linked lists whose links live in what is listed. An empty list points at itself. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct vfs_link {
    struct vfs_link *next;
    struct vfs_link *prev;
};

#define VFS_CONTAINER(link, type, member) \
    ((type *)(void *)((char *)(link) - offsetof(type, member)))

static inline void vfs_link_init(struct vfs_link *link)
{
    link->next = link;
    link->prev = link;
}

static inline bool vfs_link_alone(const struct vfs_link *link)
{
    return link->next == link;
}

/* Put @link, which is in no list, before @at: at the tail, if @at is the list's head. */
static inline void vfs_link_add(struct vfs_link *at, struct vfs_link *link)
{
    link->next = at;
    link->prev = at->prev;
    at->prev->next = link;
    at->prev = link;
}

/* Take @link out of its list, if it is in one. */
static inline void vfs_link_remove(struct vfs_link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    vfs_link_init(link);
}

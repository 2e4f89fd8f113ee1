#pragma once
/* Intrusive doubly linked lists with a sentinel. A node that is on no list points to itself. Whether a list is empty may be
 * looked at without its lock (queue_has_events()), so `next` changes atomically. */
#include "kernel.h"

struct list {
    struct list *next;
    struct list *prev;
};

static inline void list_init(struct list *l)
{
    l->next = l;
    l->prev = l;
}

static inline bool list_is_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_insert_before(struct list *position, struct list *node)
{
    node->prev = position->prev;
    node->next = position;
    __atomic_store_n(&position->prev->next, node, __ATOMIC_RELAXED);
    position->prev = node;
}

static inline void list_push_back(struct list *l, struct list *node)
{
    list_insert_before(l, node);
}

static inline void list_push_front(struct list *l, struct list *node)
{
    list_insert_before(l->next, node);
}

static inline void list_remove(struct list *node)
{
    __atomic_store_n(&node->prev->next, node->next, __ATOMIC_RELAXED);
    node->next->prev = node->prev;
    list_init(node);
}

/** All nodes of @from, to the end of @to. */
static inline void list_move_all(struct list *to, struct list *from)
{
    if (list_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    __atomic_store_n(&from->next, from, __ATOMIC_RELAXED);
    from->prev = from;
}

/** The first node, or NULL. */
static inline struct list *list_first(const struct list *l)
{
    return list_is_empty(l) ? NULL : l->next;
}

/** Take the first node off, or NULL. */
static inline struct list *list_take(struct list *l)
{
    struct list *first = list_first(l);
    if (first != NULL)
        list_remove(first);
    return first;
}

#define list_entry(node, type, member) container_of(node, type, member)
#define list_for_each(node, l) for (struct list *node = (l)->next; node != (l); node = node->next)
#define list_for_each_safe(node, after, l)                                \
    for (struct list *node = (l)->next, *after = node->next; node != (l); \
         node = after, after = node->next)

/* See vfs/pages.h. */
#include <stdlib.h>
#include <vfs/pages.h>

struct vfs_page_frame {
    struct vfs_link hash_link;
    struct vfs_link order_link;
    /* owner NULL: holds nothing. */
    struct vfs_page_key key;
};

static struct vfs_link *bucket_of(struct vfs_pages *pages, const struct vfs_page_key *key)
{
    uint64_t hash = (uint64_t)(uintptr_t)key->owner ^ key->id.inode * UINT64_C(0x9e3779b97f4a7c15);
    hash = (hash ^ key->id.generation ^ key->page << 20) * UINT64_C(0xbf58476d1ce4e5b9);
    return &pages->buckets[(hash >> 32) & pages->bucket_mask];
}

static bool keys_equal(const struct vfs_page_key *a, const struct vfs_page_key *b)
{
    return a->owner == b->owner && a->id.inode == b->id.inode &&
           a->id.generation == b->id.generation && a->page == b->page;
}

status_t vfs_pages_init(struct vfs_pages *pages, uint32_t count)
{
    uint32_t buckets = 1;
    while (buckets < count && buckets < UINT32_C(1) << 24) {
        buckets *= 2;
    }
    *pages = (struct vfs_pages){.count = count, .bucket_mask = buckets - 1};
    pages->frames = calloc(count, sizeof *pages->frames);
    pages->buckets = calloc(buckets, sizeof *pages->buckets);
    if (!pages->frames || !pages->buckets) {
        vfs_pages_destroy(pages);
        return STATUS_NO_MEMORY;
    }
    vfs_link_init(&pages->order);
    for (uint32_t i = 0; i < buckets; i++) {
        vfs_link_init(&pages->buckets[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        vfs_link_init(&pages->frames[i].hash_link);
        vfs_link_add(&pages->order, &pages->frames[i].order_link);
    }
    return STATUS_OK;
}

void vfs_pages_destroy(struct vfs_pages *pages)
{
    free(pages->frames);
    free(pages->buckets);
    *pages = (struct vfs_pages){0};
}

static uint32_t frame_number(const struct vfs_pages *pages, const struct vfs_page_frame *frame)
{
    return (uint32_t)(frame - pages->frames);
}

static void use(struct vfs_pages *pages, struct vfs_page_frame *frame)
{
    vfs_link_remove(&frame->order_link);
    vfs_link_add(&pages->order, &frame->order_link);
}

uint32_t vfs_pages_find(struct vfs_pages *pages, const struct vfs_page_key *key)
{
    struct vfs_link *bucket = bucket_of(pages, key);
    for (struct vfs_link *link = bucket->next; link != bucket; link = link->next) {
        struct vfs_page_frame *frame = VFS_CONTAINER(link, struct vfs_page_frame, hash_link);
        if (keys_equal(&frame->key, key)) {
            use(pages, frame);
            return frame_number(pages, frame);
        }
    }
    return VFS_PAGES_NONE;
}

uint32_t vfs_pages_take(struct vfs_pages *pages, const struct vfs_page_key *key)
{
    struct vfs_page_frame *frame =
        VFS_CONTAINER(pages->order.next, struct vfs_page_frame, order_link);
    vfs_link_remove(&frame->hash_link);
    frame->key = *key;
    vfs_link_add(bucket_of(pages, key), &frame->hash_link);
    use(pages, frame);
    return frame_number(pages, frame);
}

void vfs_pages_drop(struct vfs_pages *pages, uint32_t number)
{
    struct vfs_page_frame *frame = &pages->frames[number];
    frame->key = (struct vfs_page_key){0};
    vfs_link_remove(&frame->hash_link);
    vfs_link_remove(&frame->order_link);
    vfs_link_add(pages->order.next, &frame->order_link);
}

void vfs_pages_shrink(struct vfs_pages *pages, uint32_t count)
{
    for (uint32_t i = count; i < pages->count; i++) {
        vfs_pages_drop(pages, i);
        vfs_link_remove(&pages->frames[i].order_link);
    }
    pages->count = count < pages->count ? count : pages->count;
}

void vfs_pages_drop_owner(struct vfs_pages *pages, const void *owner)
{
    for (uint32_t i = 0; i < pages->count; i++) {
        if (pages->frames[i].key.owner == owner) {
            vfs_pages_drop(pages, i);
        }
    }
}

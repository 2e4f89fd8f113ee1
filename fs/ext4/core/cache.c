/* The cache of metadata blocks.
 *
 * A hash table finds a block, a list orders the blocks by last use. A user pins a buffer with
 * cache_get() and unpins it with cache_put(); no operation holds more than a handful at a time.
 * Buffers are allocated one by one until the limit is reached; from then on the oldest unpinned one
 * is given a new block. The medium does not change under us (we are read-only), so a buffer
 * remembers what it has been verified as, and nothing is ever written back.
 */
#include "internal.h"

#define BUFFERS_MIN 32u
#define BUFFERS_MAX 65536u

static struct buffer **bucket_of(struct cache *cache, uint64_t block)
{
    uint64_t mixed = block * 0x9e3779b97f4a7c15u;
    return &cache->buckets[(uint32_t)(mixed >> 32) & cache->buckets_mask];
}

static void list_remove(struct buffer *buffer)
{
    buffer->older->newer = buffer->newer;
    buffer->newer->older = buffer->older;
}

static void list_insert_after(struct buffer *older, struct buffer *buffer)
{
    buffer->older = older;
    buffer->newer = older->newer;
    older->newer->older = buffer;
    older->newer = buffer;
}

static void bucket_remove(struct cache *cache, struct buffer *buffer)
{
    struct buffer **link = bucket_of(cache, buffer->block);
    while (*link != buffer)
        link = &(*link)->hash_next;
    *link = buffer->hash_next;
}

status_t cache_init(struct ext4_fs *fs, size_t bytes)
{
    struct cache *cache = &fs->cache;
    size_t limit = bytes >> fs->block_shift;
    limit = limit < BUFFERS_MIN ? BUFFERS_MIN : limit > BUFFERS_MAX ? BUFFERS_MAX : limit;
    uint32_t buckets = BUFFERS_MIN;
    while (buckets < limit)
        buckets *= 2;
    cache->buckets = reader_allocate(fs, buckets * sizeof(struct buffer *));
    if (cache->buckets == NULL)
        return STATUS_NO_MEMORY;
    for (uint32_t i = 0; i < buckets; i++)
        cache->buckets[i] = NULL;
    cache->buckets_mask = buckets - 1;
    cache->count = 0;
    cache->limit = (uint32_t)limit;
    cache->ends.older = &cache->ends;
    cache->ends.newer = &cache->ends;
    return STATUS_OK;
}

void cache_destroy(struct ext4_fs *fs)
{
    struct cache *cache = &fs->cache;
    while (cache->buckets != NULL && cache->ends.newer != &cache->ends) {
        struct buffer *buffer = cache->ends.newer;
        list_remove(buffer);
        reader_release(fs, buffer);
    }
    reader_release(fs, cache->buckets);
    cache->buckets = NULL;
}

static struct buffer *buffer_recycle(struct cache *cache)
{
    for (struct buffer *b = cache->ends.newer; b != &cache->ends; b = b->newer) {
        if (b->pins != 0)
            continue;
        list_remove(b);
        bucket_remove(cache, b);
        return b;
    }
    return NULL;
}

/* A buffer in no list. Below the limit it is a fresh one; if memory has run out before that, an old
 * one. */
static struct buffer *buffer_take(struct ext4_fs *fs)
{
    struct cache *cache = &fs->cache;
    if (cache->count < cache->limit) {
        struct buffer *buffer = reader_allocate(fs, sizeof(struct buffer) + fs->block_bytes);
        if (buffer != NULL) {
            cache->count++;
            buffer->data = (uint8_t *)(buffer + 1);
            return buffer;
        }
    }
    return buffer_recycle(cache);
}

static struct buffer *cache_find(struct cache *cache, uint64_t block)
{
    struct buffer *buffer = *bucket_of(cache, block);
    while (buffer != NULL && buffer->block != block)
        buffer = buffer->hash_next;
    return buffer;
}

status_t cache_get(struct ext4_fs *fs, uint64_t block, struct buffer **out)
{
    struct cache *cache = &fs->cache;
    if (!medium_has_blocks(fs, block, 1))
        return STATUS_CORRUPT;
    struct buffer *buffer = cache_find(cache, block);
    if (buffer == NULL) {
        buffer = buffer_take(fs);
        if (buffer == NULL)
            return STATUS_NO_MEMORY;
        status_t s = medium_read(fs, block << fs->block_shift, buffer->data, fs->block_bytes);
        if (s != STATUS_OK) {
            cache->count--;
            reader_release(fs, buffer);
            return s;
        }
        buffer->block = block;
        buffer->pins = 0;
        buffer_set_verified(buffer, BLOCK_RAW, 0);
        buffer->hash_next = *bucket_of(cache, block);
        *bucket_of(cache, block) = buffer;
    } else {
        list_remove(buffer);
    }
    buffer->pins++;
    list_insert_after(cache->ends.older, buffer);
    *out = buffer;
    return STATUS_OK;
}

void cache_put(struct ext4_fs *fs, struct buffer *buffer)
{
    (void)fs;
    buffer->pins--;
}

void cache_put_cold(struct ext4_fs *fs, struct buffer *buffer)
{
    buffer->pins--;
    list_remove(buffer);
    list_insert_after(&fs->cache.ends, buffer);
}

void cache_drop(struct ext4_fs *fs, struct buffer *buffer)
{
    struct cache *cache = &fs->cache;
    if (--buffer->pins != 0)
        return;
    list_remove(buffer);
    bucket_remove(cache, buffer);
    cache->count--;
    reader_release(fs, buffer);
}

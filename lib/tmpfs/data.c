/* What is in files. Holes read as zeros; bytes behind the end of a file, in its last page, are zeros always. */
#include "internal.h"

#include <string.h>

static const uint8_t zeros[TMPFS_PAGE_BYTES];

status_t data_read(const struct tmpfs *tmpfs, const struct node *node, uint64_t offset,
                   uint64_t bytes, struct vfs_sink *sink, uint64_t *done)
{
    *done = 0;
    if (offset >= node->bytes) {
        return STATUS_OK;
    }
    if (bytes > node->bytes - offset) {
        bytes = node->bytes - offset;
    }
    while (*done < bytes) {
        uint64_t at = offset + *done;
        size_t in_page = (size_t)(at % TMPFS_PAGE_BYTES);
        size_t part = TMPFS_PAGE_BYTES - in_page;
        if (part > bytes - *done) {
            part = (size_t)(bytes - *done);
        }
        uint32_t page = tree_get(tmpfs, node->tree, at / TMPFS_PAGE_BYTES);
        const uint8_t *from = page ? page_at(tmpfs, page) + in_page : zeros;
        status_t status = sink->put(sink, *done, from, part);
        if (!status_is_ok(status)) {
            return status;
        }
        *done += part;
    }
    return STATUS_OK;
}

/* Fill @bytes within one page at @at from @source. */
static status_t write_part(struct tmpfs *tmpfs, struct node *node, uint64_t at, size_t bytes,
                           struct vfs_source *source, uint64_t done)
{
    uint32_t page = tree_make(tmpfs, &node->tree, at / TMPFS_PAGE_BYTES, &node->pages);
    if (page == 0) {
        return STATUS_NO_SPACE;
    }
    uint8_t *to = page_at(tmpfs, page) + at % TMPFS_PAGE_BYTES;
    status_t status = source->get(source, done, to, bytes);
    if (!status_is_ok(status)) {
        /* What came of it is not to be seen behind the end. */
        uint64_t keep = node->bytes > at ? node->bytes - at : 0;
        if (keep < bytes) {
            memset(to + keep, 0, bytes - (size_t)keep);
        }
        return status;
    }
    if (at + bytes > node->bytes) {
        store_word(&node->bytes, at + bytes);
    }
    return STATUS_OK;
}

status_t data_write(struct tmpfs *tmpfs, struct node *node, uint64_t offset, uint64_t bytes,
                    struct vfs_source *source, uint64_t *done)
{
    *done = 0;
    while (*done < bytes) {
        uint64_t at = offset + *done;
        size_t part = TMPFS_PAGE_BYTES - (size_t)(at % TMPFS_PAGE_BYTES);
        if (part > bytes - *done) {
            part = (size_t)(bytes - *done);
        }
        status_t status = write_part(tmpfs, node, at, part, source, *done);
        if (!status_is_ok(status)) {
            return status;
        }
        *done += part;
    }
    return STATUS_OK;
}

void data_truncate(struct tmpfs *tmpfs, struct node *node, uint64_t bytes)
{
    uint64_t old = node->bytes;
    store_word(&node->bytes, bytes);
    if (bytes >= old) {
        return;
    }
    size_t in_page = (size_t)(bytes % TMPFS_PAGE_BYTES);
    uint32_t last = in_page ? tree_get(tmpfs, node->tree, bytes / TMPFS_PAGE_BYTES) : 0;
    if (last) {
        memset(page_at(tmpfs, last) + in_page, 0, TMPFS_PAGE_BYTES - in_page);
    }
    tree_cut(tmpfs, &node->tree, (bytes + TMPFS_PAGE_BYTES - 1) / TMPFS_PAGE_BYTES, &node->pages);
}

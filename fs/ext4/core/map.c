/* From a block of a file to a block of the medium, by whichever map the inode has. The run found
 * last is remembered in the inode: reading a file from its beginning walks its tree once per
 * extent. */
#include "internal.h"

static status_t map_walk(struct ext4_inode *inode, uint64_t logical, struct run *run)
{
    if ((inode->flags & INODE_EXTENTS) != 0)
        return extent_run(inode, logical, run);
    return blockmap_run(inode, logical, run);
}

status_t map_run(struct ext4_inode *inode, uint64_t logical, struct run *run)
{
    struct run *last = &inode->last_run;
    if (last->length == 0 || logical < last->first || logical - last->first >= last->length) {
        status_t s = map_walk(inode, logical, last);
        if (s != STATUS_OK) {
            last->length = 0;
            return s;
        }
    }
    uint64_t skip = logical - last->first;
    *run = (struct run){
        .first = logical,
        .length = last->length - skip,
        .physical = last->mapped ? last->physical + skip : 0,
        .mapped = last->mapped,
    };
    return STATUS_OK;
}

status_t map_get(struct ext4_inode *inode, uint64_t logical, struct buffer **out)
{
    struct run run;
    status_t s = map_run(inode, logical, &run);
    if (s != STATUS_OK)
        return s;
    return run.mapped ? cache_get(inode->fs, run.physical, out) : STATUS_CORRUPT;
}

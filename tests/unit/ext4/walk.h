/* A walk over everything that an image offers, for mutated and generated images: whatever they
 * hold, it must end without a fault and within a number of steps. */
#pragma once

#include <ext4.h>

struct walk_result {
    uint64_t inodes;
    uint64_t entries;
    uint64_t corrupt; /* operations that found damage */
    uint64_t data_bytes;
};

/** Visit each inode that is reached from the root once; at most @inodes_max of them. */
void walk_image(struct ext4_fs *fs, uint32_t inodes_max, struct walk_result *result);

#pragma once
/* Memory objects and what is mapped in this process. All sizes are in bytes and rounded up to pages. */
#include <stddef.h>
#include <stdint.h>
#include <veridian/abi.h>

static inline uint64_t page_round_up(uint64_t bytes)
{
    return (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

static inline uint64_t page_round_down(uint64_t bytes)
{
    return bytes & ~(PAGE_SIZE - 1);
}

/** A Memory of @bytes, charged to this process's budget; @flags: MEMORY_*. INVALID, NO_MEMORY. */
MUST_CHECK status_t memory_create(uint64_t bytes, uint32_t flags, handle_t *memory);

/** Map [@offset, @offset + @bytes) of @memory somewhere in this process; @prot: MAP_READ, MAP_WRITE or MAP_EXECUTE. The mapping
 *  outlives the handle. INVALID, DENIED, RANGE, NO_MEMORY. */
MUST_CHECK status_t memory_map(handle_t memory, uint64_t offset, uint64_t bytes, uint32_t prot,
                               void **address);

/** A new zeroed Memory of @bytes, mapped for reading and writing. @memory may be NULL: then only the mapping holds it. */
MUST_CHECK status_t memory_map_new(uint64_t bytes, uint32_t flags, handle_t *memory,
                                   void **address);

/** Take away what is mapped at @address. */
void memory_unmap(void *address, uint64_t bytes);

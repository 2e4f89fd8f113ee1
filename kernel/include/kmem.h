#pragma once
/* The kernel heap: size classes over the physical allocator. */
#include "kernel.h"
struct budget;

#define KMEM_BYTES_MAX (1u << 20)

/** Zeroed memory of @bytes (1 to 1 MiB), aligned to 16 bytes (to a page above 2032 bytes), charged to @budget with what it really
 *  takes (NULL: not charged). NULL if the budget or machine has none. Any lock before budget_lock may be held. */
MUST_CHECK void *kmem_alloc(struct budget *budget, size_t bytes);
/** Give back what kmem_alloc gave, with the same budget and size. What is not in use there stops the kernel. */
void kmem_free(struct budget *budget, void *pointer, size_t bytes);
/** What kmem_alloc(@bytes) charges: for those who pass what they have on to another budget. */
size_t kmem_charge(size_t bytes);
/** Pages that the heap holds, and bytes of them in use. */
uint64_t kmem_pages(void);
uint64_t kmem_bytes(void);

#pragma once
/* The kernel heap: size classes over the physical allocator. */
#include "kernel.h"
struct budget;
/** Zeroed memory of @bytes (at most 1 MiB), charged to @budget (NULL: not charged). NULL if the budget or machine has none. Any lock may be held. */
__attribute__((warn_unused_result)) void *kmem_alloc(struct budget *budget, size_t bytes);
/** Give back what kmem_alloc gave, with the same budget and size. */
void kmem_free(struct budget *budget, void *pointer, size_t bytes);

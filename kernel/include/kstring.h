#pragma once
/* Memory and string functions: what the compiler calls behind our back, and the few that we call ourselves. They behave as
 * their namesakes of the C standard. */
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *left, const void *right, size_t bytes);
size_t strlen(const char *string);
size_t strnlen(const char *string, size_t limit);
int strncmp(const char *left, const char *right, size_t limit);

/** memcpy, one side of which is users' memory: that they change it meanwhile is no data race of the kernel's. */
#ifdef CONFIG_KCSAN
void user_memcpy(void *restrict to, const void *restrict from, size_t bytes);
#else
static inline void user_memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    memcpy(to, from, bytes);
}
#endif

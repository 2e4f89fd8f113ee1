#pragma once
/* Reading the boot archive: cpio in the "newc" format. */
#include <kernel.h>

/** Find the regular file @name in the archive of @bytes at @archive. NULL: found, *@data and *@data_bytes tell where (inside the
 *  archive). Else what is wrong, for a person. Reads only the archive, whatever it holds. */
const char *cpio_find(const void *archive, uint64_t bytes, const char *name, const void **data,
                      uint64_t *data_bytes);

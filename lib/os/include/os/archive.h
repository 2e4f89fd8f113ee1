#pragma once
/* The boot archive: a cpio archive in the "newc" format whose files begin at multiples of a page (tools/mkboot). */
#include <os/process.h>
#include <stddef.h>
#include <stdint.h>
#include <veridian/abi.h>

/** The file @name in the archive of @bytes at @archive: where its data begins, and how long it is. NOT_FOUND; CORRUPT: no archive. */
MUST_CHECK status_t archive_find(const void *archive, uint64_t bytes, const char *name,
                                 uint64_t *offset, uint64_t *file_bytes);

/** The same as a program to be started, from the Memory @memory that is the archive and is mapped at @archive. CORRUPT also if the file
 *  does not begin at a page. */
MUST_CHECK status_t archive_image(handle_t memory, const void *archive, uint64_t bytes,
                                  const char *name, struct process_image *image);

/** Map the archive whose Memory is @memory for reading. */
MUST_CHECK status_t archive_map(handle_t memory, const void **archive, uint64_t *bytes);

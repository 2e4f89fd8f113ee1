#pragma once
/* Checksums of a GUID partition table, by what UEFI 2.10, table 5.5 says and not by lib/gpt, for whoever makes tables for it: the unit tests, and
 * tests/fuzz/gpt.c. */
#include <stddef.h>
#include <stdint.h>

/** Put @value at @at, in @bytes bytes (at most 8), the lowest first. */
void gpt_put(uint8_t *at, uint64_t value, unsigned bytes);
/** Put the checksum of the @bytes at @entries into @header, whose own is wrong from then on. */
void gpt_seal_entries(uint8_t *header, const uint8_t *entries, size_t bytes);
/** Put the checksum of @header, its first @bytes (20 or more), into it. */
void gpt_seal_header(uint8_t *header, size_t bytes);

#include "seal.h"

#define HEADER_CRC 16u
#define ENTRIES_CRC 88u

void gpt_put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t crc(const uint8_t *data, size_t bytes)
{
    uint32_t value = 0xffffffff;
    for (size_t i = 0; i < bytes * 8; i++) {
        uint32_t bit = (value ^ (uint32_t)(data[i / 8] >> (i % 8))) & 1;
        value = value >> 1 ^ (bit ? 0xedb88320 : 0);
    }
    return ~value;
}

void gpt_seal_entries(uint8_t *header, const uint8_t *entries, size_t bytes)
{
    gpt_put(header + ENTRIES_CRC, crc(entries, bytes), 4);
}

void gpt_seal_header(uint8_t *header, size_t bytes)
{
    gpt_put(header + HEADER_CRC, 0, 4);
    gpt_put(header + HEADER_CRC, crc(header, bytes), 4);
}

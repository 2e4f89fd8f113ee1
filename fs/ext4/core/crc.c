/* Checksums (section "Checksums"). CRC-32C takes eight bytes a step from eight tables, which each
 * mount computes for itself: directories and inodes are verified on first use, so this is on the
 * path of every cold access. */
#include "internal.h"

#define CRC32C_POLYNOMIAL 0x82f63b78u
#define CRC16_POLYNOMIAL 0xa001u

void crc_init(uint32_t table[8][256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (CRC32C_POLYNOMIAL & (0u - (crc & 1)));
        table[0][i] = crc;
    }
    for (uint32_t k = 1; k < 8; k++)
        for (uint32_t i = 0; i < 256; i++)
            table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 0xff];
}

static uint32_t load32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t crc32c(const struct ext4_fs *fs, uint32_t crc, const void *data, size_t bytes)
{
    const uint32_t(*t)[256] = fs->crc_table;
    const uint8_t *p = data;
    for (; bytes >= 8; bytes -= 8, p += 8) {
        uint32_t a = crc ^ load32(p);
        uint32_t b = load32(p + 4);
        crc = t[7][a & 0xff] ^ t[6][a >> 8 & 0xff] ^ t[5][a >> 16 & 0xff] ^ t[4][a >> 24] ^
              t[3][b & 0xff] ^ t[2][b >> 8 & 0xff] ^ t[1][b >> 16 & 0xff] ^ t[0][b >> 24];
    }
    for (; bytes != 0; bytes--, p++)
        crc = crc >> 8 ^ t[0][(crc ^ *p) & 0xff];
    return crc;
}

uint16_t crc16(uint16_t crc, const void *data, size_t bytes)
{
    const uint8_t *p = data;
    for (; bytes != 0; bytes--, p++) {
        uint32_t c = (uint32_t)crc ^ *p;
        for (int bit = 0; bit < 8; bit++)
            c = c >> 1 ^ (CRC16_POLYNOMIAL & (0u - (c & 1)));
        crc = (uint16_t)c;
    }
    return crc;
}

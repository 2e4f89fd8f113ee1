/* Bitmaps (kernel/mm/bitmap.h), on which the physical allocator stands: any content that is summed up rightly, one operation, and it still is.
 * proves: a bitmap's upper levels say which words below are not 0 after each operation; the bit found is the least; no access outside
 * bounds: 1, 65, 200 and 4097 bits (1 to 3 levels), any bit, any content (of 4097 bits only of the first and last two words)
 * options: --unwind 67
 * scaled: kernel/mm/bitmap.h :: s/ \/ 64/ >> 6/g; s/\/= 64/>>= 6/g; s/ % 64/ \& 63/g :: divisions by 64 are shifts, which the checker does not see by itself
 * fault: kernel/mm/bitmap.h :: s/if \(\*word != 0\)/if (*word == 0)/ :: clearing stops at a word that became empty
 * fault: kernel/mm/bitmap.h :: s/if \(old != 0\)/if (old == 0)/ :: setting stops at a word that was empty
 * fault: kernel/mm/bitmap.h :: s/index \* 64 \+/index * 32 +/ :: the search goes down to another word
 * fault: kernel/mm/bitmap.h :: s/return \(bits \+ 63\) >> 6/return bits >> 6/ :: the last word is forgotten
 */
#include "kernel/mm/bitmap.h"

#include "kernel.h"

#define BITS_MAX 4097u

static uint64_t memory[65 + 2 + 1];
static struct bitmap bitmap;

/* Does the level above say which words of level @l are not 0? */
static bool is_summed_up(uint32_t l, uint64_t words)
{
    for (uint64_t w = 0; w < words; w++)
        if ((bitmap.level[l + 1][w / 64] >> (w % 64) & 1) != (bitmap.level[l][w] != 0))
            return false;
    return true;
}

static bool is_right(void)
{
    uint64_t words = bitmap_words(bitmap.bits);
    for (uint32_t l = 0; l + 1 < bitmap.levels; l++) {
        if (!is_summed_up(l, words))
            return false;
        words = bitmap_words(words);
    }
    return true;
}

/* Bits beyond the size are 0 on all levels. */
static void any_content(void)
{
    uint64_t words = bitmap_words(bitmap.bits);
    for (uint64_t w = 0; w < words; w++)
        bitmap.level[0][w] = w < 2 || w + 2 >= words ? any_u64() : 0;
    if (bitmap.bits % 64 != 0)
        ASSUME(bitmap.level[0][words - 1] >> (bitmap.bits % 64) == 0);
    for (uint32_t l = 1; l < bitmap.levels; l++) {
        uint64_t above = bitmap_words(words);
        for (uint64_t w = 0; w < above; w++)
            bitmap.level[l][w] = any_u64();
        if (words % 64 != 0)
            ASSUME(bitmap.level[l][above - 1] >> (words % 64) == 0);
        words = above;
    }
    ASSUME(is_right());
}

static void operate(uint64_t bits)
{
    uint64_t *end = bitmap_init(&bitmap, bits, memory);
    PROVE(end == memory + bitmap_size_words(bits), "takes the words that it said");
    PROVE(bitmap_words(bits) * 64 >= bits, "words for all bits");
    any_content();
    uint64_t bit = any_u64(), other = any_u64(), found;
    ASSUME(bit < bits && other < bits);
    bool before = bitmap_test(&bitmap, other);
    if (bitmap_first(&bitmap, &found)) {
        PROVE(found < bits && bitmap_test(&bitmap, found), "what is found is set");
        PROVE(!before || found <= other, "and is the least");
    } else {
        PROVE(!before, "none is found where none is");
    }
    bool set = any_bool();
    if (set)
        bitmap_set(&bitmap, bit);
    else
        bitmap_clear(&bitmap, bit);
    PROVE(bitmap_test(&bitmap, bit) == set, "the bit is as asked");
    PROVE(other == bit || bitmap_test(&bitmap, other) == before, "the others stay");
    PROVE(is_right(), "the levels agree");
}

int main(void)
{
    static const uint64_t sizes[] = {1, 65, 200, BITS_MAX};
    for (uint32_t i = 0; i < ARRAY_SIZE(sizes); i++)
        operate(sizes[i]);
    return 0;
}

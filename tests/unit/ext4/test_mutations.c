/* Damaged images: seeded mutations of the blocks that a walk reads. Half of them have the checksums
 * switched off in the super block, so that the damage reaches the code behind them. A walk must
 * end, within a bound of reads and of time; what it finds does not matter, but that most of it is
 * still found does. */
#include "harness.h"
#include "walk.h"

#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define MUTATIONS 240u
#define READS_MAX 400000u
#define SECONDS_MAX 20u
#define INODES_MAX 2000u
#define SEEN_MAX 20000u

static uint64_t state;

static uint32_t random_below(uint32_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 20) % limit;
}

/* Where the walk over the sound image reads: that is what is worth damaging. */
static void learn_blocks(struct image *image, struct walk_result *result)
{
    struct ext4_fs *fs;
    image->seen = calloc(SEEN_MAX, sizeof(uint64_t));
    image->seen_limit = SEEN_MAX;
    if (image_mount(image, &fs) != STATUS_OK)
        give_up("cannot mount a sound image");
    walk_image(fs, INODES_MAX, result);
    ext4_unmount(fs);
}

static void mutate_once(struct image *image, uint64_t block)
{
    static const uint8_t telling[] = {0, 1, 0x7f, 0x80, 0xfe, 0xff};
    uint32_t offset = random_below(1024);
    uint8_t *at = image->bytes + block + offset;
    size_t room = 1024 - offset;
    switch (random_below(5)) {
    case 0:
        *at ^= (uint8_t)(1u << random_below(8));
        break;
    case 1:
        *at = telling[random_below(sizeof(telling))];
        break;
    case 2:
        memset(at, telling[random_below(sizeof(telling))], room < 4 ? room : 4);
        break;
    case 3:
        *at = (uint8_t)random_below(256);
        break;
    default:
        for (size_t i = 0; i < room && i < 16; i++)
            at[i] = (uint8_t)random_below(256);
        break;
    }
}

static void mutate(struct image *image, const struct image *sound, uint32_t seed)
{
    state = 0x9e3779b97f4a7c15u * (seed + 1);
    uint32_t count = 1 + random_below(12);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t block = sound->seen[random_below((uint32_t)sound->seen_count)];
        /* The first read holds the super block, whose damage mostly ends everything: spare it
         * mostly. */
        if (block == 0 && random_below(8) != 0)
            continue;
        mutate_once(image, block == 0 ? 1024 : block);
    }
    if (seed % 2 == 0)
        image->bytes[1024 + 0x65] &= (uint8_t)~0x4u;
}

/* What takes more than @seconds of the CPU ends the program; 0: no limit. */
static void limit_cpu(uint32_t seconds)
{
    struct itimerval limit = {.it_value = {.tv_sec = (time_t)seconds}};
    if (setitimer(ITIMER_PROF, &limit, NULL) != 0)
        give_up("no timer");
}

static void mutations_test(const char *label, const char *options, const char *then)
{
    struct walk_result sound_result, result;
    uint64_t walked = 0, corrupt = 0, mounted = 0;
    run(false, "rm -f image && mke2fs -q -F %s -d small image 4M", options);
    if (then != NULL)
        run(false, "%s", then);
    struct image *sound = image_open("image");
    learn_blocks(sound, &sound_result);
    check(sound_result.corrupt == 0 && sound_result.inodes > 300, "test_ext4_walk_%s_is_clean",
          label);
    for (uint32_t seed = 0; seed < MUTATIONS; seed++) {
        struct image *image = image_copy(sound);
        struct ext4_fs *fs;
        image->reads_limit = READS_MAX;
        mutate(image, sound, seed);
        limit_cpu(SECONDS_MAX);
        if (image_mount(image, &fs) == STATUS_OK) {
            walk_image(fs, INODES_MAX, &result);
            ext4_unmount(fs);
            mounted++;
            walked += result.inodes;
            corrupt += result.corrupt != 0;
        }
        limit_cpu(0);
        image_close(image);
    }
    check(
        mounted > MUTATIONS / 2 && corrupt > MUTATIONS / 10 && memory_held() == 0,
        "test_ext4_mutations_%s_are_survived (%u images, %llu mounted, %llu found damaged, %llu inodes)",
        label, MUTATIONS, (unsigned long long)mounted, (unsigned long long)corrupt,
        (unsigned long long)walked);
    image_close(sound);
}

void test_mutations(void)
{
    mutations_test("1k", "-t ext4 -b 1024 -O ^has_journal", "{ e2fsck -fyD image; true; }");
    mutations_test("4k", "-t ext4 -b 4096", NULL);
    mutations_test("inline", "-t ext4 -b 1024 -O inline_data,^has_journal",
                   "{ e2fsck -fyD image; true; }");
    mutations_test("ext3", "-t ext3 -b 1024 -O ^has_journal", "{ e2fsck -fyD image; true; }");
}

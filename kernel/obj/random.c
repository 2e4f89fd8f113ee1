/* The random generator: ChaCha20 with fast key erasure.
 *
 * The state is one key. Each request takes the key's first block: half of it becomes the next key at once, so that what was given out
 * cannot be found from a later state; the other half is the request's own key, whose stream is the answer, made without the lock. The first key
 * is folded from the boot seed and from what the CPU's own generator gives, each block by block into the key. */
#include <arch.h>
#include <chacha.h>
#include <kstring.h>
#include <random.h>
#include <spinlock.h>

static const uint8_t no_nonce[CHACHA_NONCE_BYTES];
static struct spinlock random_spinlock;
static uint8_t key[CHACHA_KEY_BYTES] GUARDED_BY(random_lock);

static INIT_TEXT void key_mix(const uint8_t *material) REQUIRES(random_lock)
{
    uint8_t block[CHACHA_BLOCK_BYTES];

    for (size_t i = 0; i < CHACHA_KEY_BYTES; i++)
        key[i] ^= material[i];
    chacha20_block(block, key, 0, no_nonce);
    memcpy(key, block, CHACHA_KEY_BYTES);
    memset(block, 0, sizeof(block));
}

/* The next key, and one for a single use. */
static void key_split(uint8_t once[CHACHA_KEY_BYTES])
{
    uint8_t block[CHACHA_BLOCK_BYTES];

    random_lock_acquire(&random_spinlock);
    chacha20_block(block, key, 0, no_nonce);
    memcpy(key, block, CHACHA_KEY_BYTES);
    random_lock_release(&random_spinlock);
    memcpy(once, block + CHACHA_KEY_BYTES, CHACHA_KEY_BYTES);
    memset(block, 0, sizeof(block));
}

INIT_TEXT void random_init(void)
{
    uint8_t material[CHACHA_KEY_BYTES] = {0};
    size_t from_cpu = arch_random(material, sizeof(material));
    uint64_t now_ns = arch_time_now_ns();

    random_lock_acquire(&random_spinlock);
    key_mix(material);
    key_mix(boot_info.seed);
    memset(material, 0, sizeof(material));
    memcpy(material, &now_ns, sizeof(now_ns));
    key_mix(material);
    random_lock_release(&random_spinlock);
    if (from_cpu == 0)
        klog("random: the CPU has no generator; the seed is the boot's alone");
}

void random_bytes(void *to, size_t bytes)
{
    uint8_t once[CHACHA_KEY_BYTES];
    uint8_t block[CHACHA_BLOCK_BYTES];
    uint8_t *at = to;

    key_split(once);
    for (uint32_t counter = 0; bytes != 0; counter++) {
        size_t part = MIN(bytes, sizeof(block));

        chacha20_block(block, once, counter, no_nonce);
        memcpy(at, block, part);
        at += part;
        bytes -= part;
    }
    memset(once, 0, sizeof(once));
    memset(block, 0, sizeof(block));
}

/* The hashes of names against those that debugfs computes. */
#include "harness.h"

#include "internal.h"

#include <string.h>

void test_hash(void)
{
    static const char *const versions[] = {"legacy",          "half_md4",          "tea",
                                           "legacy_unsigned", "half_md4_unsigned", "tea_unsigned"};
    static const char *const names[] = {
        "a",
        "abcd",
        "Makefile",
        "a-name-of-thirty-two-characters.",
        "\xc3\xa9t\xc3\xa9",
        "a name that is quite a bit longer than the others, and has no end \xff\xfe"};
    static const struct le32 no_seed[4];
    run(false, "mke2fs -q -F -t ext4 hash.img 2M");
    for (uint32_t version = HASH_LEGACY; version <= HASH_TEA_UNSIGNED; version++) {
        bool good = true;
        for (size_t n = 0; n < sizeof(names) / sizeof(names[0]); n++) {
            unsigned int expected = 0;
            uint32_t hash = 0;
            char path[512];
            run(false,
                "debugfs -R 'dx_hash -h HASHALG_%u \"%s\"' hash.img 2>/dev/null | LC_ALL=C sed 's/.*is 0x\\([0-9a-f]*\\).*/\\1/' > hash",
                version, names[n]);
            snprintf(path, sizeof(path), "%s/hash", scratch());
            FILE *file = fopen(path, "r");
            good = good && file != NULL && fscanf(file, "%x", &expected) == 1;
            if (file != NULL)
                fclose(file);
            good =
                good && hash_name(version, no_seed, names[n], strlen(names[n]), &hash) == STATUS_OK;
            if (hash != expected)
                printf("# %s: %08x instead of %08x\n", names[n], hash, expected);
            good = good && hash == expected;
        }
        check(good, "test_ext4_hash_%s_agrees", versions[version]);
    }
    uint32_t hash;
    check(hash_name(6, no_seed, "a", 1, &hash) == STATUS_UNSUPPORTED,
          "test_ext4_hash_unknown_is_unsupported");
}

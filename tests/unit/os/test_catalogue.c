#include "test.h"

#include <os/catalogue.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

struct manifest {
    const char *name;
    const char *text;
};

/** Run tools/mkcatalogue over @manifests (ended by a NULL name): the catalogue, *@bytes long, or NULL if it refused. */
static uint8_t *compile(const struct manifest *manifests, size_t *bytes)
{
    char folder[] = "/tmp/os-unit-XXXXXX", path[200], command[2000];
    uint8_t *data = NULL;
    CHECK(mkdtemp(folder) != NULL);
    int used = snprintf(command, sizeof(command), "tools/mkcatalogue --out %s/out", folder);
    for (; manifests->name; manifests++) {
        snprintf(path, sizeof(path), "mkdir -p %s/%s", folder, manifests->name);
        CHECK(system(path) == 0);
        snprintf(path, sizeof(path), "%s/%s/manifest.toml", folder, manifests->name);
        FILE *file = fopen(path, "w");
        CHECK(file != NULL && fputs(manifests->text, file) >= 0 && fclose(file) == 0);
        used += snprintf(command + used, sizeof(command) - (size_t)used, " %s", path);
    }
    snprintf(command + used, sizeof(command) - (size_t)used, " 2>%s/errors", folder);
    if (system(command) == 0) {
        snprintf(path, sizeof(path), "%s/out", folder);
        FILE *file = fopen(path, "rb");
        CHECK(file != NULL);
        data = malloc(65536);
        *bytes = file ? fread(data, 1, 65536, file) : 0;
        if (file) {
            fclose(file);
        }
        data = realloc(data, *bytes);
    }
    snprintf(path, sizeof(path), "rm -r %s", folder);
    CHECK(system(path) == 0);
    return data;
}

static const struct manifest sound[] = {
    {"zfirst",
     "kind='service'\nprovides='base'\nioports=['0x60-0x64', '9']\npriority=24\nmemory_kib=100\nkernel_kib=20\nshare=7\nroots=['quota']\n"},
    {"alast",
     "kind='service'\nneeds=['middle']\nsvc=['list', 'kill']\nargs=['-v', 'two words']\nrestart='never'\n"},
    {"amiddle",
     "kind='service'\nprovides='middle'\nneeds=['base']\nwants=['base']\nroots=['archive', 'dma']\n"},
    {"driver", "kind='driver'\nmatch=['pci:1af4:1042']\ndma=true\n"},
    {"tool", "kind='program'\n"},
    {NULL, NULL},
};

static void test_catalogue_says_what_the_manifests_say(void)
{
    size_t bytes;
    struct catalogue catalogue;
    struct catalogue_entry entry;
    uint32_t index, first, middle, last;
    uint8_t *data = compile(sound, &bytes);
    CHECK(data && catalogue_open(data, bytes, &catalogue) == STATUS_OK && catalogue.count == 5);
    CHECK(catalogue_find(&catalogue, "alast", &entry, &last) == STATUS_OK);
    CHECK(entry.svc == (SVC_MAY_LIST | SVC_MAY_KILL) && entry.restart == RESTART_NEVER &&
          entry.provides[0] == '\0');
    CHECK(entry.args.count == 2 && strcmp(catalogue_text(entry.args, 1), "two words") == 0);
    CHECK(catalogue_find(&catalogue, "zfirst", &entry, &first) == STATUS_OK);
    CHECK(entry.ioports.count == 4 && catalogue_number(entry.ioports, 0) == 0x60 &&
          catalogue_number(entry.ioports, 1) == 5);
    CHECK(catalogue_number(entry.ioports, 2) == 9 && catalogue_number(entry.ioports, 3) == 1);
    CHECK(entry.priority == 24 && entry.memory_kib == 100 && entry.kernel_kib == 20 &&
          entry.share == 7 && entry.restart == RESTART_ALWAYS);
    CHECK(catalogue_find(&catalogue, "amiddle", &entry, &middle) == STATUS_OK);
    CHECK(entry.needs.count == 1 && entry.roots.count == 2 && entry.dma == 0);
    CHECK(catalogue_find(&catalogue, "driver", &entry, &index) == STATUS_OK &&
          entry.kind == CATALOGUE_DRIVER && entry.dma == 1);
    CHECK(strcmp(catalogue_text(entry.match, 0), "pci:1af4:1042") == 0);
    CHECK(catalogue_find(&catalogue, "none", &entry, &index) == STATUS_NOT_FOUND);
    CHECK(catalogue_provider(&catalogue, "middle", &index) == STATUS_OK && index == middle);
    // Services stand behind what they need.
    CHECK(first < middle && middle < last);
    free(data);
}

static void expect_refused(const char *name, const char *text)
{
    const struct manifest set[] = {{"base", "kind='service'\nprovides='base'\n"},
                                   {name, text},
                                   {NULL, NULL}};
    size_t bytes;
    uint8_t *data = compile(set, &bytes);
    if (data) {
        printf("# accepted: %s\n", text);
        test_failures++;
    }
    free(data);
}

static void test_catalogue_refuses_wrong_manifests(void)
{
    expect_refused("x", "provides='y'\n");
    expect_refused("x", "kind='servant'\n");
    expect_refused("x", "kind='service'\ndma=true\n");
    expect_refused("x", "kind='driver'\ndma='yes'\n");
    expect_refused("x", "kind='service'\nneed=['base']\n");
    expect_refused("x", "kind='service'\nneeds=['nobody']\n");
    expect_refused("x", "kind='service'\nneeds='base'\n");
    expect_refused("x", "kind='service'\nprovides='base'\n");
    expect_refused("x", "kind='driver'\nprovides='base'\nmatch=['pci:0:0']\n");
    expect_refused("x", "kind='service'\nprovides='x'\nneeds=['x']\n");
    expect_refused("x", "kind='service'\nroots=['everything']\n");
    expect_refused("x", "kind='service'\nioports=['0x70-0x60']\n");
    expect_refused("x", "kind='service'\nioports=['0x10000']\n");
    expect_refused("x", "kind='service'\npriority=64\n");
    expect_refused("x", "kind='service'\npriority=true\n");
    expect_refused("x", "kind='service'\nmemory_kib=100\n");
    expect_refused("x", "kind='driver'\nmemory_kib=100\nkernel_kib=20\n");
    expect_refused("x", "kind='service'\nshare=1\n");
    expect_refused("x", "kind='service'\nroots=['quota']\n");
    expect_refused("x", "kind='service'\nmemory_kib=100\nkernel_kib=20\nshare=17\n");
    expect_refused("x", "kind='service'\nmatch=['pci:0:0']\n");
    expect_refused("x", "kind='service'\nsvc=['format']\n");
    expect_refused("x", "kind='service");
    expect_refused("X", "kind='service'\n");
}

static void test_catalogue_gives_away_no_more_than_there_is(void)
{
    static const struct manifest set[] = {
        {"one", "kind='service'\nmemory_kib=1\nkernel_kib=1\nshare=9\n"},
        {"two", "kind='service'\nmemory_kib=1\nkernel_kib=1\nshare=8\n"},
        {NULL, NULL},
    };
    size_t bytes;
    CHECK(compile(set, &bytes) == NULL);
}

static void test_catalogue_drivers_stand_in_for_each_other(void)
{
    static const struct manifest set[] = {
        {"one", "kind='driver'\nprovides='port'\nmatch=['pci:0:0']\n"},
        {"two", "kind='driver'\nprovides='port'\nmatch=['pci:0:1']\n"},
        {"user", "kind='service'\nneeds=['port']\n"},
        {NULL, NULL},
    };
    size_t bytes;
    uint8_t *data = compile(set, &bytes);
    CHECK(data != NULL);
    free(data);
}

static void check_circle(const struct manifest *set, bool refused)
{
    size_t bytes;
    uint8_t *data = compile(set, &bytes);
    CHECK((data == NULL) == refused);
    free(data);
}

/* Whoever may wait for another's answer, at its start or later, over whomever, is never waited for by that one. */
static void test_catalogue_refuses_a_circle(void)
{
    static const struct manifest needs[] = {
        {"a", "kind='service'\nprovides='a'\nneeds=['c']\n"},
        {"b", "kind='service'\nprovides='b'\nneeds=['a']\n"},
        {"c", "kind='service'\nprovides='c'\nneeds=['b']\n"},
        {NULL, NULL},
    };
    static const struct manifest wants[] = {
        {"a", "kind='service'\nprovides='a'\nwants=['b']\n"},
        {"b", "kind='service'\nprovides='b'\nneeds=['a']\n"},
        {NULL, NULL},
    };
    static const struct manifest itself[] = {
        {"a", "kind='service'\nprovides='a'\nwants=['a']\n"},
        {NULL, NULL},
    };
    static const struct manifest second_driver[] = {
        {"a", "kind='driver'\nprovides='disk'\nmatch=['pci:0:0']\n"},
        {"b", "kind='driver'\nprovides='disk'\nmatch=['pci:0:1']\nwants=['fs']\n"},
        {"c", "kind='service'\nprovides='fs'\nwants=['disk']\n"},
        {NULL, NULL},
    };
    static const struct manifest diamond[] = {
        {"a", "kind='service'\nprovides='a'\n"},
        {"b", "kind='service'\nprovides='b'\nwants=['a']\n"},
        {"c", "kind='service'\nprovides='c'\nneeds=['a']\nwants=['b']\n"},
        {"d", "kind='program'\nneeds=['c', 'b']\n"},
        {NULL, NULL},
    };
    check_circle(needs, true);
    check_circle(wants, true);
    check_circle(itself, true);
    check_circle(second_driver, true);
    check_circle(diamond, false);
}

/** Look at everything that a catalogue hands out. */
static void walk(const struct catalogue *catalogue)
{
    size_t sum = 0;
    for (uint32_t i = 0; i < catalogue->count; i++) {
        struct catalogue_entry entry;
        catalogue_at(catalogue, i, &entry);
        sum += strlen(entry.name) + strlen(entry.provides);
        const struct catalogue_list lists[] = {entry.needs, entry.wants, entry.roots,
                                               entry.args,  entry.env,   entry.match};
        for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
            for (uint32_t k = 0; k < lists[l].count; k++) {
                sum += strlen(catalogue_text(lists[l], k));
            }
        }
        for (uint32_t k = 0; k < entry.ioports.count; k++) {
            sum += catalogue_number(entry.ioports, k);
        }
    }
    CHECK(sum != 1);
}

static void test_catalogue_damaged_is_refused_or_harmless(void)
{
    size_t bytes;
    int opened = 0;
    uint8_t *data = compile(sound, &bytes);
    for (int round = 0; round < 200000 && data; round++) {
        size_t kept = test_random() % 8 == 0 ? test_random() % bytes : bytes;
        uint8_t *copy = malloc(kept ? kept : 1);
        struct catalogue catalogue;
        memcpy(copy, data, kept);
        for (uint64_t i = test_random() % 3; i > 0 && kept > 8; i--) {
            copy[8 + test_random() % (kept - 8)] = (uint8_t)test_random();
        }
        if (catalogue_open(copy, kept, &catalogue) == STATUS_OK) {
            walk(&catalogue);
            opened++;
        }
        free(copy);
    }
    printf("# %d of 200000 opened\n", opened);
    free(data);
}

void catalogue_tests(void)
{
    RUN(test_catalogue_says_what_the_manifests_say);
    RUN(test_catalogue_refuses_wrong_manifests);
    RUN(test_catalogue_gives_away_no_more_than_there_is);
    RUN(test_catalogue_drivers_stand_in_for_each_other);
    RUN(test_catalogue_refuses_a_circle);
    RUN(test_catalogue_damaged_is_refused_or_harmless);
}

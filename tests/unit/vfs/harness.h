/* What the tests of vfs and tmpfs share: TAP, stores of pages with poisoned free ones, a file system that must be waited
 * for, buffers as sinks and sources, random numbers. */
#pragma once

#include <tmpfs/tmpfs.h>
#include <vfs/vfs.h>

#include <stdio.h>
#include <stdlib.h>

/* Fail the running test. */
#define CHECK(condition)                                                      \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "# %s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                          \
        }                                                                     \
    } while (0)
#define CHECK_STATUS(expression, expected)                                                  \
    do {                                                                                    \
        status_t status_ = (expression);                                                    \
        if (status_ != (expected)) {                                                        \
            fprintf(stderr, "# %s:%d: %s is %d, not %s\n", __FILE__, __LINE__, #expression, \
                    (int)status_, #expected);                                               \
            abort();                                                                        \
        }                                                                                   \
    } while (0)
#define CHECK_OK(expression) CHECK_STATUS(expression, STATUS_OK)

/* Repeat @expression, which uses `call`, as a service would: without waiting, then waiting where it wants to. */
#define DRIVE(expression)                                          \
    ({                                                             \
        status_t driven_;                                          \
        call.patient_with = NULL;                                  \
        for (int rounds_ = 0;; rounds_++) {                        \
            CHECK(rounds_ < 200);                                  \
            call.wanted = NULL;                                    \
            driven_ = (expression);                                \
            if (driven_ != STATUS_PENDING) {                       \
                break;                                             \
            }                                                      \
            CHECK(call.wanted &&call.wanted != call.patient_with); \
            call.patient_with = call.wanted;                       \
        }                                                          \
        driven_;                                                   \
    })

struct random_state {
    uint64_t state;
};

uint64_t random_next(struct random_state *random);
/* Below @bound. */
uint32_t random_below(struct random_state *random, uint32_t bound);

struct store {
    struct tmpfs_store store;
    /* Called in the middle of operations, if set. */
    void (*midway)(struct store *store);
    void *context;
    /* Commits that still succeed; negative: all. */
    long commits_left;
    uint8_t *present;
    int64_t now_ns;
};

/* A store whose pages that are not committed may not be touched. */
void store_begin(struct store *store, uint32_t pages);
void store_end(struct store *store);
/* A copy of @from as it is now. */
void store_copy(struct store *to, const struct store *from);

/* A file system in front of another that answers PENDING unless it may be waited for. */
struct slow_fs {
    struct vfs_fs fs;
    struct vfs_fs *below;
    uint64_t calls;
    /* Called while it "waits", if set. */
    void (*waiting)(struct slow_fs *slow);
    void *context;
    /* Answer this instead, if not OK. */
    status_t fault;
};

void slow_begin(struct slow_fs *slow, struct vfs_fs *below);

struct buffer_sink {
    struct vfs_sink sink;
    uint8_t *data;
    size_t bytes;
    /* FAULT from this byte on. */
    size_t fault_at;
};

struct buffer_source {
    struct vfs_source source;
    const uint8_t *data;
    size_t bytes;
    size_t fault_at;
};

struct buffer_sink sink_of(void *data, size_t bytes);
struct buffer_source source_of(const void *data, size_t bytes);

/* Each file of tests gives one. */
void run_tmpfs_tests(void);
void run_path_tests(void);
void run_cache_tests(void);
void run_model_tests(void);
void run_store_tests(void);
void run_archive_tests(void);

void run_test(const char *name, void (*test)(void));
#define RUN(test) run_test(#test, test)

#pragma once
/* The catalogue: the manifests of all programs, compiled by tools/mkcatalogue into the file "catalogue" of the boot archive.
 * It is checked once, by catalogue_open(); what it hands out points into it. */
#include <stddef.h>
#include <stdint.h>
#include <veridian/abi.h>

enum catalogue_kind { CATALOGUE_SERVICE = 1, CATALOGUE_DRIVER = 2, CATALOGUE_PROGRAM = 3 };
enum catalogue_restart { RESTART_ALWAYS = 1, RESTART_FAILURE = 2, RESTART_NEVER = 3 };
/** What a program may do with the service manager. */
enum catalogue_svc {
    SVC_MAY_LIST = 1,
    SVC_MAY_START = 2,
    SVC_MAY_STOP = 4,
    SVC_MAY_RESTART = 8,
    SVC_MAY_KILL = 16,
    SVC_MAY_CONNECT = 32,
    SVC_MAY_ADOPT = 64,
};

#define CATALOGUE_SHARES 16u

struct catalogue {
    const uint8_t *data;
    uint32_t count; /**< entries */
    uint32_t words_at;
    uint32_t strings_at;
};

/** A list of strings, or of numbers. */
struct catalogue_list {
    const struct catalogue *catalogue;
    uint32_t first;
    uint32_t count;
};

/** A program's manifest: docs/manifests.md says what each field means. */
struct catalogue_entry {
    const char *name;
    const char *provides; /**< "": nothing */
    uint32_t kind;        /**< enum catalogue_kind */
    uint32_t restart;     /**< enum catalogue_restart */
    uint32_t priority;    /**< 0: not given, as in all that follow */
    uint32_t svc;         /**< SVC_MAY_* */
    uint32_t memory_kib;
    uint32_t kernel_kib;
    uint32_t stack_kib;
    uint32_t dma;   /**< 1: its device reaches memory */
    uint32_t share; /**< of CATALOGUE_SHARES of what all memory_kib and kernel_kib leave */
    struct catalogue_list needs, wants, roots;
    struct catalogue_list ioports; /**< numbers: first port, number of ports, and so on */
    struct catalogue_list args, env, match;
};

/** The badge of a connect capability: the place in the catalogue + 1 of the program that it was made for, and in the upper half which of its
 * parts: 0 is the program itself; of a login shell CATALOGUE_PART_FRONT is what runs in the foreground, others its jobs. */
#define CATALOGUE_PART_FRONT 1u

static inline uint64_t catalogue_badge(uint32_t index, uint32_t part)
{
    return (uint64_t)part << 32 | (index + 1);
}

/** The part that @badge, of a connect capability, names. */
static inline uint32_t catalogue_part(uint64_t badge)
{
    return (uint32_t)(badge >> 32);
}

/** The place that @badge, of a connect capability or 0, names, or a number that is none. */
static inline uint32_t catalogue_client(uint64_t badge)
{
    return (uint32_t)badge - 1;
}

/** Check the catalogue of @bytes at @data, which stays the caller's and must stay. CORRUPT. */
MUST_CHECK status_t catalogue_open(const void *data, uint64_t bytes, struct catalogue *catalogue);
/** Entry @index, below catalogue->count: first the services, each behind what it needs. */
void catalogue_at(const struct catalogue *catalogue, uint32_t index, struct catalogue_entry *entry);
/** The program @name. NOT_FOUND. */
MUST_CHECK status_t catalogue_find(const struct catalogue *catalogue, const char *name,
                                   struct catalogue_entry *entry, uint32_t *index);
/** The service that provides @name. NOT_FOUND. */
MUST_CHECK status_t catalogue_provider(const struct catalogue *catalogue, const char *name,
                                       uint32_t *index);

/** Item @index, below list.count, of a list of strings. */
const char *catalogue_text(struct catalogue_list list, uint32_t index);
/** The same of a list of numbers. */
uint32_t catalogue_number(struct catalogue_list list, uint32_t index);

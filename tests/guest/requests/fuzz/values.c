/* Values that get past the first checks: by the name of the argument, which says what the interface files mean by it. Some are hostile all
 * the same. No text here names a service that must live: a request to stop or kill one would be obeyed. */
#include "fuzzer.h"

#include <idl/block.h>
#include <idl/svc.h>
#include <os/memory.h>
#include <os/start.h>
#include <string.h>
#include <veridian/syscalls.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DATA_BYTES 65536u

static uint64_t next(struct fuzzer *f)
{
    f->state ^= f->state << 13;
    f->state ^= f->state >> 7;
    f->state ^= f->state << 17;
    return f->state >> 8;
}

uint64_t below(struct fuzzer *f, uint64_t bound)
{
    return next(f) % bound;
}

bool chance(struct fuzzer *f, uint32_t percent)
{
    return below(f, 100) < percent;
}

uint64_t number(struct fuzzer *f)
{
    static const uint64_t edges[] = {0,
                                     1,
                                     7,
                                     255,
                                     256,
                                     4095,
                                     4096,
                                     65536,
                                     (UINT64_C(1) << 31) - 1,
                                     UINT64_C(1) << 31,
                                     (UINT64_C(1) << 32) - 1,
                                     UINT64_C(1) << 32,
                                     (UINT64_C(1) << 63) - 1,
                                     UINT64_C(1) << 63,
                                     UINT64_MAX - 4095,
                                     UINT64_MAX - 1,
                                     UINT64_MAX};
    uint64_t value = edges[below(f, COUNT(edges))];
    return chance(f, 60) ? value : next(f) >> below(f, 56);
}

/* --- integers ----------------------------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

/* What arguments and results of one meaning are called: "old_directory" is an inode too. */
static const char *meaning(const char *name)
{
    if (ends_with(name, "generation")) {
        return "generation";
    }
    if (ends_with(name, "directory") || strcmp(name, "inode") == 0) {
        return "inode";
    }
    if (strcmp(name, "cursor") == 0 || strcmp(name, "position") == 0 || strcmp(name, "next") == 0) {
        return "next";
    }
    return strcmp(name, "mount") == 0 || strcmp(name, "after") == 0 ? "mount" : NULL;
}

static struct learned *learned_of(struct fuzzer *f, const char *name)
{
    const char *wanted = meaning(name);
    for (uint32_t i = 0; wanted && i < LEARNED; i++) {
        struct learned *it = &f->learned[i];
        it->name = it->name ? it->name : wanted;
        if (strcmp(it->name, wanted) == 0) {
            return it;
        }
    }
    return NULL;
}

void learn(struct fuzzer *f, const char *name, uint64_t value)
{
    struct learned *it = learned_of(f, name);
    if (it) {
        it->values[f->slot] = value;
    }
}

static uint64_t fitting(struct fuzzer *f, const char *name)
{
    const struct learned *it = learned_of(f, name);
    if (it) {
        bool begin = strcmp(it->name, "next") == 0 || strcmp(name, "after") == 0;
        return begin && chance(f, 50) ? 0 : it->values[f->slot];
    }
    if (strcmp(name, "mode") == 0) {
        return below(f, 01000);
    }
    if (strcmp(name, "mask") == 0) {
        return below(f, FS_CHANGE_ALL + 1);
    }
    if (strcmp(name, "data_bytes") == 0) {
        return (1 + below(f, 8)) * PAGE_SIZE;
    }
    return strcmp(name, "offset") == 0 || strcmp(name, "bytes") == 0
               ? below(f, chance(f, 80) ? 3 * PAGE_SIZE : 1 << 20)
               : below(f, 4);
}

/* The first flags are those that are used most ("read", "write", "create"). */
static uint64_t few_bits(struct fuzzer *f)
{
    return chance(f, 60) ? 1 + below(f, 7) : 1 | UINT64_C(1) << below(f, 8);
}

uint64_t integer_for(struct fuzzer *f, const struct request_part *part)
{
    uint64_t value = chance(f, 95) ? fitting(f, part->name) : number(f);
    if (part->is_flags && chance(f, 95)) {
        value = part->valid & (chance(f, 20) ? next(f) : few_bits(f));
    } else if (part->is_enum && chance(f, 95)) {
        value = below(f, part->valid + 1);
    }
    return part->bytes < 8 && chance(f, 98) ? value & ((UINT64_C(1) << 8 * part->bytes) - 1)
                                            : value;
}

/* --- texts -------------------------------------------------------------------------------------------------- */

/* Most of them where files may be made. */
static const char *const paths[] = {"/tmp/a", "/tmp/a",    "/tmp/b",      "/tmp/b", "/tmp/c",
                                    "/tmp/d", "//tmp//d/", "/tmp/d/x",    "/tmp",   "/tmp/d/../b",
                                    "/",      "/list",     "/files/3/3",  "/boot",  "/files/up/4/4",
                                    "/link",  "/boot/vfs", "/files/up/7", "/list/x"};
static const char *const names[] = {"list", "files", "boot", "link", "link", "link", "link",
                                    "up",   "0",     "3",    "13",   "7",    ".",    ".."};
static const char *const services[] = {"victim",  "victim",  "victim",
                                       "child-1", "child-2", "nobody"};

/* Whether argument @name of @label is to name what is not there yet. */
static bool makes(struct fuzzer *f, uint32_t label, const char *name)
{
    if (label == LABEL_FILES_OPEN) {
        return chance(f, 30);
    }
    bool is_new =
        strcmp(name, "new") == 0 ||
        (strcmp(name, "path") == 0 && (label == LABEL_FILES_SYMLINK || label == LABEL_FILES_LINK));
    return is_new && chance(f, 80);
}

/* A path of a file that was there for what needs one. Directories keep to few names, or there would be no files. */
static const char *known_path(struct fuzzer *f, uint32_t label, const char *name)
{
    const char *used = f->paths[below(f, SLOTS)];
    bool is_source = strcmp(name, "existing") == 0 || strcmp(name, "old") == 0;
    if ((label == LABEL_FILES_MKDIR || label == LABEL_FILES_RMDIR) && chance(f, 95)) {
        return chance(f, 50) ? "/tmp/d" : "/tmp/d/e";
    }
    if (makes(f, label, name)) {
        f->fresh[5] = (char)('a' + below(f, 26));
        f->fresh[6] = (char)('a' + below(f, 26));
        return f->fresh;
    }
    return *used && chance(f, is_source ? 90 : 40) ? used : paths[below(f, COUNT(paths))];
}

static const char *known_text(struct fuzzer *f, uint32_t label, const char *name)
{
    uint32_t protocol = ipc_label_protocol(label);
    if (protocol == PROTOCOL_FILES) {
        return known_path(f, label, name);
    }
    if (strcmp(name, "name") == 0 || ends_with(name, "_name")) {
        return protocol == PROTOCOL_SVC ? services[below(f, COUNT(services))]
                                        : names[below(f, COUNT(names))];
    }
    return "a line";
}

/* Anything but a NUL, mostly what could be a path. */
static void random_text(struct fuzzer *f, char *text, uint64_t limit)
{
    uint64_t bytes = below(f, chance(f, 80) && limit > 20 ? 20 : limit + 1);
    for (uint64_t i = 0; i < bytes; i++) {
        text[i] = chance(f, 50) ? "/.ab"[below(f, 4)] : (char)(1 + below(f, 255));
    }
    text[bytes] = '\0';
}

void text_for(struct fuzzer *f, const struct request *request, const struct request_part *part,
              char *text)
{
    const char *known = known_text(f, request->label, part->name);
    if (strlen(known) <= part->bytes && chance(f, 90)) {
        strcpy(text, known);
    } else {
        random_text(f, text, part->bytes);
    }
}

/* --- capabilities ------------------------------------------------------------------------------------------- */

handle_t gift_for(struct fuzzer *f, const struct request_part *part)
{
    const struct gifts *g = f->gifts;
    const handle_t all[] = {g->memory, g->paged, g->notification, g->process};
    if (chance(f, 5)) {
        return all[below(f, COUNT(all))];
    }
    switch (part->object_type) {
    case OBJECT_MEMORY:
        return g->memory;
    case OBJECT_NOTIFICATION:
        return g->notification;
    case OBJECT_PROCESS:
        return g->process;
    default:
        return all[below(f, COUNT(all))];
    }
}

/* A process that never runs: what the service manager may kill as ours. */
static status_t process_make(handle_t *process)
{
    handle_t aspace;
    status_t status = sys_aspace_create(os_self.budget, &aspace);
    if (status_is_ok(status)) {
        status = sys_process_create(os_self.budget, aspace, "gift", 4, process);
        status_ignore(sys_cap_close(aspace));
    }
    return status;
}

status_t gifts_make(struct gifts *gifts)
{
    *gifts = (struct gifts){.memory = HANDLE_NONE};
    status_t status = memory_create(DATA_BYTES, 0, &gifts->memory);
    if (status_is_ok(status)) {
        status = memory_create(DATA_BYTES, MEMORY_PAGED, &gifts->paged);
    }
    if (status_is_ok(status)) {
        status = sys_notification_create(os_self.budget, &gifts->notification);
    }
    return status_is_ok(status) ? process_make(&gifts->process) : status;
}

/* A plugin of QEMU's translator that counts what a guest executes: instructions, and among them those that cost more than one.
 *
 * Every instruction is looked at when it is translated, and counted when it is executed, on the CPU that executes it, so the counts are
 * exact with any number of CPUs, run by one host thread or by many. Counted apart, by their encoding: atomic operations, writes of the
 * page tables' root, writes of model-specific registers, and arrivals at the address given as wait= (the kernel's spinlock_wait).
 *
 * The guest may mark a region by two instructions that do nothing (struct target says which). At its end a line "region" with the
 * counts goes to the file out=: of all CPUs, or, if CPUs marked turns of their own in it by two more, of those; at the end of the machine a line "total". With lines=on a region tells also how many different lines of 64
 * bytes the CPUs read or wrote. With poll= the longest paths with interrupts off are looked for (see there). With profile=region or profile=all each translated block is counted by itself, in
 * the region that executed least (a figure's round), or always: lines "block address count code", from which tests/bench/blocks.py makes names; that wants one host thread (-accel tcg,thread=single).
 *
 * QEMU 7.2, include/qemu/qemu-plugin.h, version 1 of the interface. */
#include "count.h"

#include <qemu-plugin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

#define CPUS_MAX 1024u
#define MARK_BEGIN 1u
#define MARK_END 2u
#define MARK_TURN_BEGIN 3u
#define MARK_TURN_END 4u

/* Each CPU counts for itself, on lines of its own. */
static struct counts {
    uint64_t kind[KINDS];
} __attribute__((aligned(128))) counts[CPUS_MAX];
static struct counts at_begin;
static bool in_region;
/* Of each CPU: at its turn's begin, and what its turns of this region came to. */
static struct counts turn_begin[CPUS_MAX], turns[CPUS_MAX];
static FILE *out;
static uint64_t wait_address, poll_address;
static bool lines_wanted, profile_all, profile_region;

static struct counts sum(const struct counts *of)
{
    struct counts total = {{0}};
    for (uint32_t cpu = 0; cpu < CPUS_MAX; cpu++)
        for (uint32_t kind = 0; kind < KINDS; kind++)
            total.kind[kind] += __atomic_load_n(&of[cpu].kind[kind], __ATOMIC_RELAXED);
    return total;
}

/* What an instruction is: arch/<name>/count.c, between these two that the linker makes of its section. */
extern const struct target *const __start_targets[] __attribute__((visibility("hidden")));
extern const struct target *const __stop_targets[] __attribute__((visibility("hidden")));
static const struct target *target;

/* ── Tables: open addressing, one thread ─────────────────────────────────────────────────────────────────────────── */

#define BLOCKS (1u << 20)
#define CODE_BYTES 32u
static struct block {
    uint64_t address, hash, count;
    uint64_t least; /* its count in the region that executed least */
    uint8_t code[CODE_BYTES];
} *blocks;

static struct block *block_of(uint64_t address, const uint8_t *code, size_t bytes)
{
    uint64_t hash = 1;
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ code[i]) * 0x100000001b3u;
    uint32_t at = (uint32_t)((hash ^ address * 0x9e3779b97f4a7c15u) >> 40) & (BLOCKS - 1);
    for (; blocks[at].hash != 0; at = (at + 1) & (BLOCKS - 1))
        if (blocks[at].hash == hash && blocks[at].address == address)
            return &blocks[at];
    blocks[at] = (struct block){.address = address, .hash = hash};
    memcpy(blocks[at].code, code, bytes < CODE_BYTES ? bytes : CODE_BYTES);
    return &blocks[at];
}

#define LINES (1u << 16)
static uint64_t lines[LINES];
static uint32_t line_count;

static void line_add(uint64_t line)
{
    uint32_t at = (uint32_t)(line * 0x9e3779b97f4a7c15u >> 40) & (LINES - 1);
    while (lines[at] != 0 && lines[at] != line)
        at = (at + 1) & (LINES - 1);
    if (lines[at] == 0 && line_count < LINES / 2) {
        lines[at] = line;
        line_count++;
    }
}

/* ── When it is executed ─────────────────────────────────────────────────────────────────────────────────────────── */

static void report(const char *what, const struct counts *counted)
{
    fprintf(out, "%s", what);
    for (uint32_t kind = 0; kind < KINDS; kind++)
        fprintf(out, " %llu", (unsigned long long)counted->kind[kind]);
    fprintf(out, " %u\n", line_count);
    fflush(out);
}

static void on_kind(unsigned int cpu, void *kind)
{
    counts[cpu].kind[(uintptr_t)kind]++;
}

static void on_block(unsigned int cpu, void *block)
{
    (void)cpu;
    if (profile_all || in_region)
        ((struct block *)block)->count++;
}

static void on_memory(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t address, void *unused)
{
    (void)cpu;
    (void)info;
    (void)unused;
    if (in_region)
        line_add(address >> 6);
}

/* The blocks' counts are those of a region that executed @instructions: kept if none executed less. */
static void blocks_end_region(uint64_t instructions)
{
    static uint64_t least = UINT64_MAX;
    bool is_least = instructions < least;
    if (is_least)
        least = instructions;
    for (uint32_t i = 0; i < BLOCKS; i++) {
        if (is_least)
            blocks[i].least = blocks[i].count;
        blocks[i].count = 0;
    }
}

static void region_begin(void)
{
    memset(lines, 0, sizeof(lines));
    line_count = 0;
    memset(turns, 0, sizeof(turns));
    at_begin = sum(counts);
    in_region = true;
}

static void region_end(void)
{
    struct counts counted = sum(turns), now = sum(counts);
    for (uint32_t kind = 0; kind < KINDS; kind++)
        now.kind[kind] -= at_begin.kind[kind];
    in_region = false;
    report("region", counted.kind[INSTRUCTIONS] != 0 ? &counted : &now);
    if (profile_region)
        blocks_end_region(now.kind[INSTRUCTIONS]);
}

/* A CPU's own counts, by its own thread of the host. Whoever ends the region has heard by then that the turn is over. */
static void turn_end(unsigned int cpu)
{
    for (uint32_t kind = 0; kind < KINDS; kind++)
        turns[cpu].kind[kind] += counts[cpu].kind[kind] - turn_begin[cpu].kind[kind];
}

static void on_mark(unsigned int cpu, void *mark)
{
    if ((uintptr_t)mark == MARK_BEGIN)
        region_begin();
    else if ((uintptr_t)mark == MARK_END && in_region)
        region_end();
    else if ((uintptr_t)mark == MARK_TURN_BEGIN)
        turn_begin[cpu] = counts[cpu];
    else if ((uintptr_t)mark == MARK_TURN_END && in_region)
        turn_end(cpu);
}

/* ── Paths with interrupts off ───────────────────────────────────────────────────────────────────────────────────── */

/* Interrupts are off in the kernel. A path begins with the first instruction after user mode, after one that lets interrupts in or waits for one,
 * or at poll=, the function by which long work looks whether an interrupt waits, after which it gives way; it ends with the next of them.
 * Those of a region count. Who a path is tell the calls that lead to where it is by its
 * 2^n-th instruction, for the last n by which it is not nearly over. Of those that begin with the same calls the longest is kept, and
 * written as "path instructions calls … place". That wants one host thread. */
#define CALLS_MAX 24u
#define PATHS 1024u
#define PATH_KEY 5u
#define PATH_LOOK 256u
#define KERNEL(address) ((address) >> 63 != 0)

struct path {
    uint64_t length;
    uint32_t depth;
    uint64_t calls[CALLS_MAX + 1]; /* from the outermost; the last is the place itself */
};
static struct path paths[PATHS];

static struct walk {
    uint64_t begin, look;
    uint32_t depth;
    uint64_t calls[CALLS_MAX];
    struct path seen, before; /* by the last look, and by the one before */
} walks[CPUS_MAX];

static void path_keep(const struct path *path, uint64_t length)
{
    uint32_t i = 0;
    while (i < PATHS - 1 && paths[i].length != 0 &&
           memcmp(paths[i].calls, path->calls, PATH_KEY * sizeof(path->calls[0])) != 0)
        i++;
    if (length <= paths[i].length)
        return;
    paths[i] = *path;
    paths[i].length = length;
}

static void on_open(unsigned int cpu, void *is_user)
{
    struct walk *walk = &walks[cpu];
    uint64_t length = counts[cpu].kind[INSTRUCTIONS] - walk->begin, last_look = walk->look / 2;
    if (in_region && length >= 2 * PATH_LOOK)
        path_keep(length - last_look < last_look / 4 ? &walk->before : &walk->seen, length);
    walk->begin = counts[cpu].kind[INSTRUCTIONS];
    walk->look = PATH_LOOK;
    if (is_user != NULL)
        walk->depth = 0;
}

static void on_step(unsigned int cpu, void *address)
{
    struct walk *walk = &walks[cpu];
    if (counts[cpu].kind[INSTRUCTIONS] - walk->begin != walk->look)
        return;
    walk->look *= 2;
    walk->before = walk->seen;
    memset(&walk->seen, 0, sizeof(walk->seen));
    walk->seen.depth = walk->depth < CALLS_MAX ? walk->depth : CALLS_MAX;
    memcpy(walk->seen.calls, walk->calls, walk->seen.depth * sizeof(walk->calls[0]));
    walk->seen.calls[walk->seen.depth++] = (uintptr_t)address;
}

static void on_call(unsigned int cpu, void *address)
{
    struct walk *walk = &walks[cpu];
    if (walk->depth < CALLS_MAX)
        walk->calls[walk->depth] = (uintptr_t)address;
    walk->depth++;
}

static void on_return(unsigned int cpu, void *unused)
{
    (void)unused;
    walks[cpu].depth -= walks[cpu].depth != 0;
}

static void paths_report(void)
{
    for (uint32_t i = 0; i < PATHS && paths[i].length != 0; i++) {
        fprintf(out, "path %llu", (unsigned long long)paths[i].length);
        for (uint32_t j = 0; j < paths[i].depth; j++)
            fprintf(out, " %llx", (unsigned long long)paths[i].calls[j]);
        fprintf(out, "\n");
    }
}

/* ── When it is translated ───────────────────────────────────────────────────────────────────────────────────────── */

static void on_each(struct qemu_plugin_insn *insn, qemu_plugin_vcpu_udata_cb_t function,
                    uintptr_t value)
{
    qemu_plugin_register_vcpu_insn_exec_cb(insn, function, QEMU_PLUGIN_CB_NO_REGS, (void *)value);
}

static void translate_step(struct qemu_plugin_insn *insn, bool is_first)
{
    uint64_t address = qemu_plugin_insn_vaddr(insn);
    if (!KERNEL(address)) {
        if (is_first)
            on_each(insn, on_open, true);
        return;
    }
    enum step step = target->step(qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn));
    on_each(insn, on_step, address);
    if (step == STEP_OPEN || address == poll_address)
        on_each(insn, on_open, false);
    else if (step == STEP_CALL)
        on_each(insn, on_call, address);
    else if (step == STEP_RETURN)
        on_each(insn, on_return, 0);
}

static void translate_one(struct qemu_plugin_insn *insn, struct block *block)
{
    const uint8_t *code = qemu_plugin_insn_data(insn);
    size_t bytes = qemu_plugin_insn_size(insn);
    uint32_t kind = target->kind(code, bytes), mark = target->mark(code, bytes);
    on_each(insn, on_kind, INSTRUCTIONS);
    if (kind != INSTRUCTIONS)
        on_each(insn, on_kind, kind);
    if (wait_address != 0 && qemu_plugin_insn_vaddr(insn) == wait_address)
        on_each(insn, on_kind, WAITS);
    if (block != NULL)
        on_each(insn, on_block, (uintptr_t)block);
    if (lines_wanted)
        qemu_plugin_register_vcpu_mem_cb(insn, on_memory, QEMU_PLUGIN_CB_NO_REGS,
                                         QEMU_PLUGIN_MEM_RW, NULL);
    if (mark != 0)
        on_each(insn, on_mark, mark);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    size_t count = qemu_plugin_tb_n_insns(tb);
    struct block *block = NULL;
    if (blocks != NULL) {
        uint8_t code[4096];
        size_t used = 0;
        for (size_t i = 0; i < count; i++) {
            struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
            size_t bytes = qemu_plugin_insn_size(insn);
            if (used + bytes > sizeof(code))
                break;
            memcpy(code + used, qemu_plugin_insn_data(insn), bytes);
            used += bytes;
        }
        block = block_of(qemu_plugin_tb_vaddr(tb), code, used);
    }
    for (size_t i = 0; i < count; i++) {
        translate_one(qemu_plugin_tb_get_insn(tb, i), block);
        if (poll_address != 0)
            translate_step(qemu_plugin_tb_get_insn(tb, i), i == 0);
    }
}

static void on_end(qemu_plugin_id_t id, void *unused)
{
    (void)id;
    (void)unused;
    struct counts total = sum(counts);
    report("total", &total);
    paths_report();
    for (uint32_t i = 0; blocks != NULL && i < BLOCKS; i++) {
        uint64_t count = profile_all ? blocks[i].count : blocks[i].least;
        if (count == 0)
            continue;
        fprintf(out, "block %llx %llu ", (unsigned long long)blocks[i].address,
                (unsigned long long)count);
        for (uint32_t j = 0; j < CODE_BYTES; j++)
            fprintf(out, "%02x", blocks[i].code[j]);
        fprintf(out, "\n");
    }
    fclose(out);
}

static bool take_argument(const char *argument)
{
    if (strncmp(argument, "out=", 4) == 0)
        return (out = fopen(argument + 4, "w")) != NULL;
    if (strncmp(argument, "wait=", 5) == 0)
        return (wait_address = strtoull(argument + 5, NULL, 16)) != 0;
    if (strncmp(argument, "poll=", 5) == 0)
        return (poll_address = strtoull(argument + 5, NULL, 16)) != 0;
    if (strcmp(argument, "lines=on") == 0)
        return lines_wanted = true;
    profile_all |= strcmp(argument, "profile=all") == 0;
    profile_region |= strcmp(argument, "profile=region") == 0;
    return profile_all || profile_region;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv)
{
    for (const struct target *const *at = __start_targets; at < __stop_targets; at++)
        if (strcmp((*at)->name, info->target_name) == 0)
            target = *at;
    for (int i = 0; i < argc; i++)
        if (!take_argument(argv[i]))
            return -1;
    if (target == NULL || out == NULL)
        return -1;
    if (profile_all || profile_region)
        blocks = calloc(BLOCKS, sizeof(struct block));
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}

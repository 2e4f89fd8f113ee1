#pragma once
/* Page-table entries of one architecture, whose arch_pt.h is included before: any frame, access, level. */
#include "proof.h"

/* Addresses that an entry can name. */
#define FRAME_MASK 0x0000fffffffff000ull

static void leaf(void)
{
    unsigned level = any_below(ARCH_PT_LEAF_LEVEL_MAX + 1);
    paddr_t frame = any_u64() & FRAME_MASK & ~(arch_pt_span(level) - 1);
    uint32_t flags = any_u32() & (MAP_READ | MAP_WRITE | MAP_EXECUTE);
    bool user = any_bool(), device = any_bool();
    pte_t entry = arch_pte_leaf(frame, flags, user, level, device);
    PROVE(arch_pte_is_present(entry) && arch_pte_is_leaf(entry, level), "a leaf that is there");
    PROVE(arch_pte_address(entry) == frame, "of its frame");
    PROVE(arch_pte_flags(entry) == (flags | MAP_READ), "with the access that it was given");
    PROVE(arch_pte_is_device(entry) == device && has_type(entry, device), "cached or not");
    PROVE(may_user(entry, MAP_READ) == user, "the user's or the kernel's");
    PROVE(may_user(entry, MAP_WRITE) == (user && (flags & MAP_WRITE) != 0), "written if it may");
    PROVE(may_user(entry, MAP_EXECUTE) == (user && (flags & MAP_EXECUTE) != 0),
          "executed if it may");
    PROVE(!user || !may_kernel_execute(entry), "the kernel executes nothing of the user's");
    uint32_t less = arch_pte_flags(entry) & ~MAP_WRITE;
    pte_t restricted = arch_pte_write_protect(entry);
    PROVE(arch_pte_flags(restricted) == less && !may_user(restricted, MAP_WRITE),
          "what is write-protected is not written");
    PROVE(restricted == arch_pte_leaf(frame, less, user, level, device), "and else the same");
    pte_t aged = arch_pte_age(entry);
    PROVE(arch_pte_is_present(aged) && arch_pte_is_leaf(aged, level) &&
              arch_pte_address(aged) == frame && arch_pte_is_device(aged) == device,
          "what has aged is the same leaf");
    PROVE(arch_pte_flags(aged) == less && !may_user(aged, MAP_WRITE) && !arch_pte_is_accessed(aged),
          "neither written nor accessed");
    PROVE(!user || arch_pte_mark_accessed(aged) == arch_pte_mark_accessed(restricted),
          "and when it is accessed one that was write-protected");
    PROVE(!arch_pte_is_present(0), "nothing is not there");
}

static void table(void)
{
    unsigned level = 1 + any_below(3);
    paddr_t frame = any_u64() & FRAME_MASK;
    pte_t entry = arch_pte_table(frame, true);
    PROVE(arch_pte_is_present(entry) && !arch_pte_is_leaf(entry, level), "a table that is there");
    PROVE(arch_pte_address(entry) == frame, "where it is");
}

static void address(void)
{
    uint64_t place = any_u64();
    unsigned level = any_below(4);
    PROVE(arch_pt_index(place, level) < ARCH_PT_ENTRIES, "an index inside the table");
    PROVE(arch_pt_index(place, level) == (place / arch_pt_span(level) & (ARCH_PT_ENTRIES - 1)),
          "of the entry that covers it");
}

static void prove_entries(void)
{
    leaf();
    table();
    address();
}

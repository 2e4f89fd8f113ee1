#pragma once
/* What proofs of copies from and to users' memory stand on: RAM whose bytes nobody looks at, tables that give or refuse any page at any time, and a
 * memcpy that looks whether it is where it should be; BYTES_MAX is the includer's. Included in place of kernel/mm/aspace_copy.c, which it includes. */
#include "kernel.h"

#include <kstring.h>

static void copy_bytes(void *to, const void *from, size_t bytes);
#define user_memcpy copy_bytes
#define memmove copy_bytes
#include "kernel/mm/aspace_copy.c"

#define RAM_PAGES 4u

/* Nobody reads or writes its bytes: a copy is only looked at. */
static uint8_t ram[RAM_PAGES * PAGE_SIZE];
uint8_t *host_ram = ram;
static uint8_t buffer[BYTES_MAX];
static size_t asked, moved;
static struct thread self;

/* One end of the copy: what is to be there, and what the tables gave for which page. */
struct side {
    struct aspace aspace;
    bool is_kernel, writes;
    uint64_t address;
    uint64_t given_for;
    paddr_t given;
    uint32_t allowed;
};
static struct side near, far;

static struct side *side_by_root(paddr_t root)
{
    return root == near.aspace.root ? &near : &far;
}

static void give(struct side *side, uint64_t address, paddr_t page, uint32_t allowed)
{
    side->given_for = address;
    side->given = page;
    side->allowed = allowed;
}

pte_t pagetable_lookup(paddr_t root, uint64_t address, unsigned *level)
{
    pte_t entry = any_u64();
    uint64_t span;
    PROVE(address >= ARCH_USER_START && address < ARCH_USER_END, "only users' pages are asked for");
    if (any_bool())
        return 0;
    *level = any_below(ARCH_PT_LEAF_LEVEL_MAX + 1);
    span = arch_pt_span(*level);
    ASSUME(arch_pte_is_present(entry) && arch_pte_is_leaf(entry, *level));
    ASSUME((arch_pte_address(entry) & (span - 1)) == 0 && arch_pte_address(entry) != 0);
    ASSUME(arch_pte_address(entry) < sizeof(ram) - span + 1);
    give(side_by_root(root), address,
         (arch_pte_address(entry) | (address & (span - 1))) & ~(PAGE_SIZE - 1),
         arch_pte_is_device(entry) ? 0 : arch_pte_flags(entry));
    return entry;
}

status_t aspace_resolve(struct aspace *aspace, struct thread *waiter, uint64_t address,
                        uint32_t access, paddr_t *frame)
{
    PROVE(aspace == &near.aspace || waiter == NULL || waiter == &self, "who may wait");
    status_t status = (status_t)any_u32();
    *frame = 0;
    if (status_is_ok(status) && any_bool()) {
        *frame = (paddr_t)(1 + any_below(RAM_PAGES - 1)) << PAGE_SHIFT;
        give(aspace == &near.aspace ? &near : &far, address, *frame, access);
    }
    return status;
}

bool sched_should_yield(void)
{
    return any_bool();
}

static void check_side(const struct side *side, const void *pointer, size_t bytes)
{
    if (side->is_kernel) {
        PROVE(pointer == buffer + moved, "in order in the kernel's buffer");
        return;
    }
    uint64_t address = side->address + moved, in_page = address & (PAGE_SIZE - 1);
    PROVE(side->given_for == address, "the page of this very address");
    PROVE(pointer == ram + side->given + in_page, "in the frame that was given");
    PROVE(bytes <= PAGE_SIZE - in_page, "within the page");
    PROVE((side->allowed & (side->writes ? MAP_WRITE : MAP_READ)) != 0, "with that access");
}

static void copy_bytes(void *to, const void *from, size_t bytes)
{
    prove_copy(to, from, bytes);
    PROVE(bytes != 0 && bytes <= asked - moved, "no more than was asked for");
    check_side(&near, near.writes ? to : from, bytes);
    check_side(&far, far.writes ? to : from, bytes);
    moved += bytes;
}

static void check_end(status_t status, size_t done)
{
    PROVE(done == moved, "what is told was copied");
    PROVE(!status_is_ok(status) || moved == asked, "OK means all");
    PROVE(status_is_ok(status) || moved < asked, "a failure has stopped it");
}

static void sides_make(void)
{
    near.aspace.root = PAGE_SIZE;
    far.aspace.root = 2 * PAGE_SIZE;
    self.aspace = &near.aspace;
    near.address = any_u64();
    far.address = any_u64();
    asked = any_below(BYTES_MAX + 1);
}

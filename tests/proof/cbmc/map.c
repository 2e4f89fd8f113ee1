/* What may be mapped (kernel/mm/aspace_map.c, memory.c): any request for any Memory.
 * proves: what passes is never writable and executable at once, within what the capability allows, inside the Memory and, at a fixed place, inside the user's addresses; nothing of RAM passes as a device's
 * bounds: none: any request, any Memory of up to 2^40 pages below 2^56
 * options: --unwind 2 --unsigned-overflow-check
 * fault: kernel/mm/aspace_map.c :: s/\(prot \& \(MAP_WRITE \| MAP_EXECUTE\)\) == \(MAP_WRITE \| MAP_EXECUTE\)/false/ :: writable and executable
 * fault: kernel/mm/aspace_map.c :: s/\(needed \& ~max_prot\) != 0/false/ :: more than the capability allows
 * fault: kernel/mm/aspace_map.c :: s/!__builtin_add_overflow\(address, length, \&end\)/(end = address + length, true)/ :: an end that wraps around
 * fault: kernel/mm/aspace_map.c :: s/end <= ARCH_USER_END/end != 0/ :: the kernel's addresses
 * fault: kernel/mm/aspace_map.c :: s/memory->device \&\& phys_is_ram/false \&\& phys_is_ram/ :: RAM as a device
 * fault: kernel/mm/memory.c :: s/return memory_has\(memory, offset, bytes\) \? STATUS_OK : STATUS_RANGE;/return STATUS_OK;/ :: what lies behind the Memory
 */
#include "kernel.h"

#include "kernel/mm/memory.c"

#include "kernel/mm/aspace_map.c"

struct cpu *host_cpu;
uint8_t *host_ram;
static struct memory memory;
static bool is_ram;

bool phys_is_ram(paddr_t base, uint64_t bytes)
{
    (void)base;
    (void)bytes;
    return is_ram;
}

int main(void)
{
    struct map_request request = {.address = any_u64(),
                                  .offset = any_u64(),
                                  .length = any_u64(),
                                  .flags = any_u32(),
                                  .max_prot = any_u32()};
    memory.pages = any_u64();
    memory.device = any_bool();
    memory.base = any_u64();
    is_ram = any_bool();
    ASSUME(memory.pages <= 1ull << 40 && memory.base <= 1ull << 56);
    if (map_check(&memory, &request) != STATUS_OK)
        return 0;
    uint32_t prot = request.flags & PROT_MASK;
    PROVE((prot & MAP_WRITE) == 0 || (prot & MAP_EXECUTE) == 0, "not writable and executable");
    PROVE((prot & ~request.max_prot) == 0, "within what the capability allows");
    PROVE(request.length != 0 && is_page_aligned(request.length | request.offset), "whole pages");
    PROVE(request.offset >> PAGE_SHIFT < memory.pages &&
              request.length >> PAGE_SHIFT <= memory.pages - (request.offset >> PAGE_SHIFT),
          "inside the Memory");
    PROVE((request.flags & MAP_FIXED) == 0 ||
              (request.address >= ARCH_USER_START && request.address < ARCH_USER_END &&
               request.length <= ARCH_USER_END - request.address &&
               is_page_aligned(request.address)),
          "inside the user's addresses");
    PROVE(!memory.device || !is_ram, "RAM is nobody's device");
    return 0;
}

#include <os/memory.h>

#include <os/archive.h>
#include <os/start.h>
#include <veridian/syscalls.h>

status_t memory_create(uint64_t bytes, uint32_t flags, handle_t *memory)
{
    return sys_memory_create(os_self.budget, bytes, flags, memory);
}

status_t memory_map(handle_t memory, uint64_t offset, uint64_t bytes, uint32_t prot, void **address)
{
    uint64_t mapped = 0;
    if (bytes > UINT64_MAX - PAGE_SIZE) {
        return STATUS_RANGE;
    }
    status_t status =
        sys_aspace_map(os_self.aspace, memory, 0, offset, page_round_up(bytes), prot, 0, &mapped);
    if (status_is_ok(status)) {
        *address = (void *)(uintptr_t)mapped;
    }
    return status;
}

status_t memory_map_new(uint64_t bytes, uint32_t flags, handle_t *memory, void **address)
{
    handle_t created;
    status_t status = memory_create(bytes, flags, &created);
    if (!status_is_ok(status)) {
        return status;
    }
    status = memory_map(created, 0, bytes, MAP_READ | MAP_WRITE, address);
    if (status_is_ok(status) && memory) {
        *memory = created;
    } else {
        status_ignore(sys_cap_close(created));
    }
    return status;
}

void memory_unmap(void *address, uint64_t bytes)
{
    status_ignore(
        sys_aspace_unmap(os_self.aspace, (uint64_t)(uintptr_t)address, page_round_up(bytes)));
}

status_t archive_map(handle_t memory, const void **archive, uint64_t *bytes)
{
    void *address = NULL;
    status_t status = sys_memory_size(memory, bytes);
    if (status_is_ok(status)) {
        status = memory_map(memory, 0, *bytes, MAP_READ, &address);
    }
    *archive = address;
    return status;
}

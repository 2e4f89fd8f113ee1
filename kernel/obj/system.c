/* Calls about the machine as a whole. */
#include <arch.h>
#include <handlers.h>
#include <kmem.h>
#include <kstring.h>
#include <mm/aspace.h>
#include <mm/kernelmap.h>
#include <mm/phys.h>
#include <random.h>

#include "../mm/pagetable.h"

#define RANDOM_BYTES_MAX 256

status_t sys_system_nop(struct thread *self)
{
    (void)self;
    return STATUS_OK;
}

struct clock_page clock_page;

status_t sys_system_clock(struct thread *self, uint64_t *now_ns)
{
    (void)self;
    *now_ns = arch_time_now_ns();
    return STATUS_OK;
}

status_t sys_system_memory_stats(struct thread *self, struct cap *budget,
                                 struct memory_stats *stats)
{
    (void)self;
    (void)budget; /* the right to look is all that it stands for */
    uint64_t image_bytes = boot_info.kernel_bytes + boot_info.archive_bytes;

    *stats = (struct memory_stats){
        .total_pages = phys_total_pages(),
        .free_pages = phys_free_pages(),
        .kernel_pages = kmem_pages() + phys_table_pages() + kernelmap_pages(),
        .page_table_pages = pagetable_pages(),
        .kmem_bytes = kmem_bytes(),
        .image_pages = (image_bytes + PAGE_SIZE - 1) / PAGE_SIZE,
    };
    return STATUS_OK;
}

status_t sys_system_random(struct thread *self, struct user_out buffer)
{
    uint8_t bytes[RANDOM_BYTES_MAX];

    if (buffer.length > sizeof(bytes))
        return STATUS_RANGE;
    random_bytes(bytes, buffer.length);
    status_t status = user_copy_out(self, buffer.address, bytes, buffer.length);

    memset(bytes, 0, sizeof(bytes));
    return status;
}

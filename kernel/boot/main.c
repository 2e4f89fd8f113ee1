/* From the architecture's entry to the first thread.
 *
 * The boot CPU arrives here with boot_info filled and final kernel page tables. It builds what everything else stands on (physical memory,
 * log, random generator, interrupts and clock), starts the other CPUs, makes init, and leaves the kernel for it. The other CPUs come
 * straight to kernel_cpu_main() and idle until there is work. */
#include <arch.h>
#include <arch_cpu.h>
#include <budget.h>
#include <kasan.h>
#include <log.h>
#include <mm/phys.h>
#include <random.h>
#include <sched.h>

#include "init.h"

/* One part in this many of the machine's memory may become kernel objects; the rest of the root budget is pages. */
#define KMEM_SHARE 8u

static struct budget *root_budget(void)
{
    uint64_t pages = phys_free_pages();
    uint64_t kmem_pages = pages / KMEM_SHARE;

    return budget_create_root(pages - kmem_pages, kmem_pages * PAGE_SIZE);
}

static void cpus_start(void)
{
    uint32_t running = 1;

    for (uint32_t id = 1; id < cpu_count; id++) {
        if (arch_cpu_start(id))
            running++;
        else
            klog("CPU %u does not start", id);
    }
    klog("%u CPU%s", running, running == 1 ? "" : "s");
}

void kernel_main(void)
{
    kasan_init();
    phys_init();
    log_init();
    arch_init();
    random_init();
    sched_cpu_init(arch_cpu_local());
    klog("VeridianOS: %llu MiB of memory, boot archive %llu KiB",
         (unsigned long long)(phys_total_pages() * PAGE_SIZE >> 20),
         (unsigned long long)(boot_info.archive_bytes >> 10));
    struct budget *root = root_budget();

    cpus_start();
    init_create(root);
    sched_leave();
}

void kernel_cpu_main(void)
{
    sched_cpu_init(arch_cpu_local());
    sched_leave();
}

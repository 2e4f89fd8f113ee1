/* From the architecture's entry to the first thread.
 *
 * The boot CPU arrives here with boot_info filled and final kernel page tables. It builds what everything else stands on (physical memory,
 * log, random generator, interrupts and clock), makes init, gives back the memory of all that ran until then (INIT_TEXT), starts the other
 * CPUs, and leaves the kernel for init. The other CPUs come straight to kernel_cpu_main() and idle until there is work. They have never had
 * a translation of what is given back, for it is gone before they run. */
#include <arch.h>
#include <arch_cpu.h>
#include <budget.h>
#include <kasan.h>
#include <log.h>
#include <mm/blocks.h>
#include <mm/kernelmap.h>
#include <mm/phys.h>
#include <process.h>
#include <random.h>
#include <sched.h>

#include "init.h"

/* One part in this many of the machine's memory may become kernel objects; the rest of the root budget is pages. */
#define KMEM_SHARE 8u
/* One part in this many of the CPUs' time is not for threads of the real-time band with a budget. */
#define OTHERS_SHARE 20u

static INIT_TEXT struct budget *root_budget(void)
{
    uint64_t pages = phys_free_pages() + boot_info.init_text.bytes / PAGE_SIZE;
    uint64_t kmem_pages = pages / KMEM_SHARE;

    return budget_create_root(pages - kmem_pages, kmem_pages * PAGE_SIZE,
                              cpu_count *
                                  (BUDGET_REALTIME_CPU - BUDGET_REALTIME_CPU / OTHERS_SHARE));
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

static void init_text_free(void)
{
    uint64_t before = phys_free_pages();

    kernelmap_drop_init();
    if (boot_info.init_text.bytes != 0)
        phys_free_range(boot_info.init_text.base, boot_info.init_text.bytes / PAGE_SIZE);
    klog("init text: %llu KiB given back",
         (unsigned long long)((phys_free_pages() - before) * PAGE_SIZE >> 10));
}

/** What kernel_main() must not come back from. */
static NORETURN void boot_end(const struct init_start *init)
{
    init_text_free();
    cpus_start();
    status_t status = thread_start(init->thread, init->pc, init->sp, init->argument, 0);

    if (!status_is_ok(status))
        panic("init cannot be started: %s", status_name(status));
    klog("init starts");
    sched_leave();
}

INIT_TEXT void kernel_main(void)
{
    kasan_init();
    phys_init();
    log_init();
    arch_init();
    random_init();
    blocks_scatter();
    sched_cpu_init(arch_cpu_local());
    klog("VeridianOS: %llu MiB of memory, boot archive %llu KiB",
         (unsigned long long)(phys_total_pages() * PAGE_SIZE >> 20),
         (unsigned long long)(boot_info.archive_bytes >> 10));
    struct init_start init = init_create(root_budget());

    boot_end(&init);
}

void kernel_cpu_main(void)
{
    sched_cpu_init(arch_cpu_local());
    sched_leave();
}

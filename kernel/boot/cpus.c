/* All that a CPU needs, its data and its stacks, is made by the boot CPU beforehand, so that starting it allocates nothing. */
#include <boot.h>
#include <kmem.h>
#include <mm/kernelmap.h>

static struct cpu *add(uint32_t arch_id, size_t arch_bytes)
{
    struct cpu *cpu = kmem_alloc(NULL, sizeof(*cpu));
    void *arch = kmem_alloc(NULL, arch_bytes);

    if (cpu == NULL || arch == NULL)
        return NULL;
    cpu->self = cpu;
    cpu->id = (uint16_t)cpu_count;
    cpu->arch_id = arch_id;
    cpu->arch = arch;
    cpu->stack_guard = cpus[0]->stack_guard;
    for (unsigned i = 0; i < ARRAY_SIZE(cpu->entry_words); i++)
        cpu->entry_words[i] = cpus[0]->entry_words[i];
    cpu->kernel_stack = kernelmap_stacks(cpu->id);
    if (cpu->kernel_stack == 0)
        return NULL;
    if (arch_random(&cpu->stack_guard, sizeof(cpu->stack_guard)) == 0)
        cpu->stack_guard ^= arch_time_now_ns() * 0x9e3779b97f4a7c15ull;
    cpus[cpu_count++] = cpu;
    return cpu;
}

/** Where the CPU called @name is, or would be. By a name's lowest bit on, so it is no deeper than a name has bits, whatever the order. */
static struct cpu **place_of(uint32_t name)
{
    static struct cpu *root;
    struct cpu **at = &root;

    for (uint32_t rest = name; *at != NULL && (*at)->irq_name != name; rest >>= 1)
        at = &(*at)->below[rest & 1];
    return at;
}

void boot_cpu_name(struct cpu *cpu, uint32_t name)
{
    struct cpu **at = place_of(name);

    if (*at != NULL || *place_of(cpu->irq_name) == cpu)
        return;
    cpu->irq_name = name;
    *at = cpu;
}

struct cpu *boot_cpu_named(uint32_t name)
{
    return *place_of(name);
}

struct cpu *boot_cpu_add(uint32_t arch_id, size_t arch_bytes)
{
    struct cpu *cpu = cpu_count < CPU_MAX ? add(arch_id, arch_bytes) : NULL;

    if (cpu == NULL)
        klog("cpu: no room for more than %u CPUs", cpu_count);
    return cpu;
}

/* As many CPUs as there may be, found by their names in another order than they came in: each in few steps, whatever the names are. */
#include <arch.h>
#include <boot.h>
#include <check.h>
#include <kmem.h>
#include <mm/kernelmap.h>
#include <stdlib.h>

/* Twice what a balanced tree takes; going through all would take half a million. */
#define STEPS_MAX (2u * 10u * CPU_MAX)
#define NAME_BITS 32u
#define UNKNOWN 0x00ffff00u

static struct cpu boot;
struct cpu *cpus[CPU_MAX] = {&boot};
uint32_t cpu_count = 1;
static struct cpu *first_named;

void *kmem_alloc(struct budget *budget, size_t bytes)
{
    (void)budget;
    return calloc(1, bytes);
}

uint64_t kernelmap_stacks(uint32_t id)
{
    return (id + 1) * UINT64_C(0x10000);
}

size_t arch_random(void *buffer, size_t bytes)
{
    (void)buffer;
    return bytes;
}

uint64_t arch_time_now_ns(void)
{
    return 0;
}

void klog(const char *format, ...)
{
    (void)format;
}

/** What the machine calls CPU @i: MPIDRs of clusters of 16, phandles far apart, and numbers that differ in their highest bits alone. */
static uint32_t name_of(uint32_t i)
{
    if (i % 2 == 0)
        return i / 32 << 8 | i / 2 % 16;
    return i % 4 == 1 ? i << 20 | 0xfffff : 0x80000000 | i * 12345;
}

/** The steps to what is called @name, from what was named first. */
static uint32_t steps_to(uint32_t name)
{
    uint32_t steps = 1;

    for (const struct cpu *cpu = first_named; cpu != NULL && cpu->irq_name != name; steps++)
        cpu = cpu->below[name >> (steps - 1) & 1];
    return steps;
}

static void test_cpus_are_found_by_name_in_few_steps(void)
{
    uint32_t order[CPU_MAX] = {0}, total = 0;

    while (cpu_count < CPU_MAX)
        CHECK(boot_cpu_add(cpu_count, 8) != NULL);
    CHECK(boot_cpu_add(CPU_MAX, 8) == NULL);
    CHECK(boot_cpu_named(0) == NULL);
    for (uint32_t i = 0; i < CPU_MAX; i++) {
        uint32_t other = (uint32_t)rand() % (i + 1);

        order[i] = order[other];
        order[other] = i;
    }
    first_named = cpus[order[0]];
    for (uint32_t i = 0; i < CPU_MAX; i++)
        boot_cpu_name(cpus[order[i]], name_of(order[i]));
    for (uint32_t i = 0; i < CPU_MAX; i++) {
        uint32_t steps = steps_to(name_of(i));

        CHECK(boot_cpu_named(name_of(i)) == cpus[i]);
        CHECK(steps <= NAME_BITS + 1);
        total += steps;
    }
    printf("# %u steps to %u CPUs\n", total, CPU_MAX);
    CHECK(total <= STEPS_MAX);
    CHECK(boot_cpu_named(UNKNOWN) == NULL);
}

static void test_cpus_names_that_come_twice_change_nothing(void)
{
    boot_cpu_name(cpus[7], UNKNOWN);
    CHECK(boot_cpu_named(UNKNOWN) == NULL);
    boot_cpu_name(cpus[7], name_of(8));
    boot_cpu_name(cpus[7], name_of(7));
    CHECK(boot_cpu_named(name_of(8)) == cpus[8] && boot_cpu_named(name_of(7)) == cpus[7]);
    struct cpu late = {.arch_id = 1};

    boot_cpu_name(&late, name_of(8));
    CHECK(boot_cpu_named(name_of(8)) == cpus[8]);
    for (uint32_t i = 0; i < CPU_MAX; i++)
        CHECK(boot_cpu_named(name_of(i)) == cpus[i]);
    while (cpu_count > 1) {
        free(cpus[--cpu_count]->arch);
        free(cpus[cpu_count]);
    }
}

int main(void)
{
    static const struct test tests[] = {
        TEST(test_cpus_are_found_by_name_in_few_steps),
        TEST(test_cpus_names_that_come_twice_change_nothing),
        {0},
    };

    return run_tests(tests);
}

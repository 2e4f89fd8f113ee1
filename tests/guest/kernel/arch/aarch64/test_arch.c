/* What only AArch64 has. Branch target identification and pointer authentication: what they refuse ends the process, for the reason that the log
 * gives. A thread's floating-point state becomes one with vectors. A message of a device, written by us: the ITS takes the CPUs for device 0. */
#include "guest.h"

#include <format.h>
#include <kstring.h>

/* start.S */
void jump_to_no_target(void);
void return_unsigned(void);
uint64_t sign(uint64_t address, uint64_t modifier);

/** Does @text stand in what was logged since @from? */
static bool log_has(const volatile struct log_ring *ring, uint64_t from, const char *text)
{
    const volatile char *data = (const volatile char *)(ring + 1);
    uint64_t end = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);

    for (uint64_t at = from; at < end; at++) {
        size_t same = 0;

        while (text[same] != '\0' && at + same < end &&
               data[(at + same) % ring->capacity] == text[same])
            same++;
        if (text[same] == '\0')
            return true;
    }
    return false;
}

static void child_jumps_to_no_target(void)
{
    jump_to_no_target();
    child_exit(1);
}

static void child_returns_unsigned(void)
{
    return_unsigned();
    child_exit(1);
}

static const volatile struct log_ring *log_map(uint64_t *bytes)
{
    uint64_t address = 0;

    OK(sys_memory_size(info->log, bytes));
    OK(sys_aspace_map(info->aspace, info->log, 0, 0, *bytes, MAP_READ, 0, &address));
    return (const volatile struct log_ring *)address;
}

/** Has the CPU @feature? The kernel logs the answers when it starts; without one the test fails. */
static bool cpu_has(const char *feature)
{
    char yes[40], no[40];
    uint64_t bytes = 0;
    const volatile struct log_ring *ring = log_map(&bytes);

    format_text(yes, sizeof(yes), "%s: yes", feature);
    format_text(no, sizeof(no), "%s: no", feature);
    bool has = log_has(ring, 0, yes), lacks = log_has(ring, 0, no);

    CHECK(has != lacks);
    unmap((void *)(uintptr_t)ring, bytes);
    if (lacks)
        skip("the CPU has none");
    return has;
}

/** Does a child that runs @entry end by a fault, and the log give @what or @otherwise as the reason? */
static bool faults_with(void (*entry)(void), const char *what, const char *otherwise)
{
    struct child child;
    struct child_start start = {0};
    uint64_t bytes = 0;
    const volatile struct log_ring *ring = log_map(&bytes);
    uint64_t from = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);

    child_create(&child, 0, NULL);
    child_run(&child, &start, entry);
    int64_t status = child_end(&child);
    bool is_told = log_has(ring, from, what) || log_has(ring, from, otherwise);

    unmap((void *)(uintptr_t)ring, bytes);
    return status == status_code(STATUS_FAULT) && is_told;
}

static void test_arch_jumps_need_a_landing_pad(void)
{
    if (!cpu_has("landing pads"))
        return;
    CHECK(faults_with(child_jumps_to_no_target, "branch target without a landing pad",
                      "branch target without a landing pad"));
}

/* CPUs without FEAT_FPAC make the address one that cannot be fetched from. */
static void test_arch_return_addresses_are_signed(void)
{
    if (!cpu_has("pointer authentication"))
        return;
    CHECK(faults_with(child_returns_unsigned, "pointer authentication failure",
                      status_name(STATUS_FAULT)));
}

#define SIGNED 4u

static void signatures(uint64_t signed_addresses[SIGNED])
{
    for (uint64_t i = 0; i < SIGNED; i++)
        signed_addresses[i] = sign(0x10000 + 64 * i, 0x1234 + i);
}

static void child_signs(void)
{
    uint64_t own[SIGNED];

    signatures(own);
    child_exit(memcmp(own, child_start.values, sizeof(own)) == 0);
}

static void thread_signs(struct worker *self)
{
    uint64_t own[SIGNED];

    signatures(own);
    self->value = memcmp(own, self->context, sizeof(own)) == 0;
}

/* The key is the process's: its threads share it, nobody else has it. */
static void test_arch_keys_belong_to_processes(void)
{
    uint64_t own[SIGNED];
    struct worker worker;
    struct child child;
    struct child_start start = {0};

    if (!cpu_has("pointer authentication"))
        return;
    signatures(own);
    CHECK(own[0] != 0x10000);
    worker_start(&worker, thread_signs, own);
    CHECK(worker_join(&worker) && worker.value == 1);
    memcpy(start.values, own, sizeof(own));
    child_create(&child, 0, NULL);
    child_run(&child, &start, child_signs);
    CHECK(child_end(&child) == 0);
}

/* registers.S */
void registers_grow(const void *plain, void *vectors);
size_t vector_bytes(void);

#define REGISTERS 32u
#define PLAIN_BYTES 16u

/* What a vector's first part was before it was used as a vector, it is after it; the rest is zero, whoever had the registers before. */
static void child_grows(void)
{
    static unsigned char plain[REGISTERS * PLAIN_BYTES], vectors[REGISTER_SET_BYTES_MAX];
    unsigned bad = 0;

    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (unsigned char)(i * 7 + 1);
    registers_grow(plain, vectors);
    size_t bytes = vector_bytes();

    for (size_t i = 0; i < REGISTERS; i++) {
        bad += memcmp(&vectors[i * bytes], &plain[i * PLAIN_BYTES], PLAIN_BYTES) != 0;
        for (size_t j = PLAIN_BYTES; j < bytes; j++)
            bad += vectors[i * bytes + j] != 0;
    }
    child_exit(bad);
}

static void test_arch_plain_registers_become_vectors(void)
{
    struct child child;
    struct child_start start = {0};

    if (!cpu_has("vectors"))
        return;
    child_create(&child, 0, NULL);
    child_run(&child, &start, child_grows);
    CHECK(child_end(&child) == 0);
}

extern const struct test arch_tests[];
const struct test arch_tests[] = {
    TEST(test_arch_jumps_need_a_landing_pad),
    TEST(test_arch_return_addresses_are_signed),
    TEST(test_arch_keys_belong_to_processes),
    TEST(test_arch_plain_registers_become_vectors),
    {0},
};

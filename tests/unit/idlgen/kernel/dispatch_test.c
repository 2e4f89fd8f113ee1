/* The generated dispatcher of abi/calls.idl, over a kernel that is nothing but these functions. */
#include "cap.h"
#include "check.h"
#include "handlers.h"
#include "mm/aspace.h"
#include "status_internal.h"
#include "thread.h"

#include <string.h>

static struct cap caps[] = {
    {10, OBJECT_MEMORY, RIGHT_READ | RIGHT_WRITE},
    {11, OBJECT_MEMORY, RIGHT_READ},
    {12, OBJECT_QUEUE, RIGHT_COPY},
};
static struct process process;
static struct thread thread;
static int handler_runs;
static status_t handler_status;
static int copies_until_fault;

status_t cap_lookup(struct process *in, handle_t handle, uint32_t type, uint32_t rights,
                    struct cap **cap)
{
    CHECK(in == &process);
    for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
        if (caps[i].handle == handle) {
            *cap = &caps[i];
            if (type != OBJECT_NONE && type != caps[i].type) {
                return STATUS_WRONG_TYPE;
            }
            return (caps[i].rights & rights) == rights ? STATUS_OK : STATUS_DENIED;
        }
    }
    return STATUS_BAD_HANDLE;
}

static bool copy_works(void)
{
    return copies_until_fault < 0 || copies_until_fault-- > 0;
}

status_t user_copy_in(struct thread *self, void *to, uint64_t address, size_t bytes)
{
    CHECK(self == &thread);
    if (!copy_works()) {
        return STATUS_FAULT;
    }
    memcpy(to, (const void *)(uintptr_t)address, bytes);
    return STATUS_OK;
}

status_t user_copy_out(struct thread *self, uint64_t address, const void *from, size_t bytes)
{
    CHECK(self == &thread);
    if (!copy_works()) {
        return STATUS_FAULT;
    }
    memcpy((void *)(uintptr_t)address, from, bytes);
    return STATUS_OK;
}

static status_t handled(struct thread *self)
{
    CHECK(self == &thread);
    handler_runs++;
    return handler_status;
}

status_t raw_probe_message(struct thread *self)
{
    return handled(self);
}

status_t sys_probe_nop(struct thread *self)
{
    return handled(self);
}

status_t sys_probe_widths(struct thread *self, uint8_t a, uint16_t b, uint32_t c, uint64_t d,
                          int64_t e, uint64_t *sum, int64_t *least)
{
    *sum = a + b + c + d;
    *least = e;
    return handled(self);
}

status_t sys_probe_lookup(struct thread *self, struct cap *memory, struct cap *any, handle_t raw,
                          handle_t *made)
{
    CHECK(memory == &caps[0] && any == &caps[2]);
    *made = raw + 1;
    return handled(self);
}

status_t sys_probe_bytes(struct thread *self, struct user_in data, struct user_out room,
                         uint32_t flags, uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *a = (uint32_t)data.address;
    *b = (uint32_t)data.length;
    *c = (uint32_t)room.address;
    *d = (uint32_t)room.length | flags;
    return handled(self);
}

status_t sys_probe_structs(struct thread *self, const struct event *source, struct event *target,
                           uint32_t *kind)
{
    CHECK(target->cookie == 0 && target->kind == 0 && target->data == 0);
    *target = *source;
    *kind = source->kind;
    return handled(self);
}

status_t sys_probe_mode(struct thread *self, uint32_t mode)
{
    CHECK(mode <= 2);
    return handled(self);
}

/** Run call @number with @arguments, which end with a 0 beyond their count. */
static status_t call(uint64_t number, const uint64_t arguments[8])
{
    thread = (struct thread){.process = &process};
    memcpy(thread.arguments, arguments, sizeof(thread.arguments));
    handler_runs = 0;
    return syscall_dispatch(&thread, number);
}

#define CALL(number, ...) call(number, (const uint64_t[8]){__VA_ARGS__})

static void test_dispatch_stores_results(void)
{
    CHECK(CALL(SYS_PROBE_NOP, 0) == STATUS_OK && thread.stores == 0);
    CHECK(CALL(SYS_PROBE_WIDTHS, 1, 2, 3, 4, (uint64_t)-5) == STATUS_OK);
    CHECK(thread.results[0] == 10 && thread.results[1] == (uint64_t)-5);
    uint64_t last = MAP_READ;
    CHECK(CALL(SYS_PROBE_BYTES, 1, 2, 3, 4, last) == STATUS_OK);
    CHECK(thread.results[0] == 1 && thread.results[1] == 2 && thread.results[2] == 3 &&
          thread.results[3] == (4 | last));
}

static void test_dispatch_refuses_wide_arguments(void)
{
    CHECK(CALL(SYS_PROBE_WIDTHS, 0x100, 0, 0, 0, 0) == STATUS_INVALID);
    CHECK(CALL(SYS_PROBE_WIDTHS, 0, 0x10000, 0, 0, 0) == STATUS_INVALID);
    CHECK(CALL(SYS_PROBE_WIDTHS, 0, 0, 1ULL << 32, 0, 0) == STATUS_INVALID);
    CHECK(handler_runs == 0 && thread.stores == 0);
    CHECK(CALL(SYS_PROBE_WIDTHS, 0xff, 0xffff, 0xffffffff, UINT64_MAX, 0) == STATUS_OK);
}

static void test_dispatch_refuses_unknown_flags_and_modes(void)
{
    CHECK(CALL(SYS_PROBE_BYTES, 0, 0, 0, 0, MAP_ALL) == STATUS_OK);
    CHECK(CALL(SYS_PROBE_BYTES, 0, 0, 0, 0, (uint64_t)MAP_ALL + 1) == STATUS_INVALID);
    CHECK(CALL(SYS_PROBE_BYTES, 0, 0, 0, 0, 1ULL << 32) == STATUS_INVALID);
    CHECK(CALL(SYS_PROBE_MODE, CAP_TRANSFER_DERIVE) == STATUS_OK);
    CHECK(CALL(SYS_PROBE_MODE, CAP_TRANSFER_DERIVE + 1) == STATUS_INVALID);
}

static void test_dispatch_looks_capabilities_up(void)
{
    CHECK(CALL(SYS_PROBE_LOOKUP, 10, 12, 77) == STATUS_OK && thread.results[0] == 78);
    CHECK(CALL(SYS_PROBE_LOOKUP, 11, 12, 77) == STATUS_DENIED);
    CHECK(CALL(SYS_PROBE_LOOKUP, 12, 12, 77) == STATUS_WRONG_TYPE);
    CHECK(CALL(SYS_PROBE_LOOKUP, 10, 13, 77) == STATUS_BAD_HANDLE);
    CHECK(handler_runs == 0 && thread.stores == 0);
}

static void test_dispatch_copies_structures(void)
{
    struct event in = {.cookie = 1, .kind = 2, .data = 3};
    struct event out = {.cookie = 9};
    CHECK(CALL(SYS_PROBE_STRUCTS, (uintptr_t)&in, (uintptr_t)&out) == STATUS_OK &&
          thread.results[0] == 2);
    CHECK(memcmp(&in, &out, sizeof(in)) == 0);
    for (int copies = 0; copies < 2; copies++) {
        copies_until_fault = copies;
        CHECK(CALL(SYS_PROBE_STRUCTS, (uintptr_t)&in, (uintptr_t)&out) == STATUS_FAULT &&
              handler_runs == 0);
    }
    copies_until_fault = 2;
    CHECK(CALL(SYS_PROBE_STRUCTS, (uintptr_t)&in, (uintptr_t)&out) == STATUS_FAULT &&
          thread.results[0] == 0);
    copies_until_fault = -1;
}

static void test_dispatch_stores_no_results_of_a_failure(void)
{
    handler_status = STATUS_NO_MEMORY;
    CHECK(CALL(SYS_PROBE_WIDTHS, 1, 2, 3, 4, 5) == STATUS_NO_MEMORY);
    CHECK(thread.stores == 0 && thread.results[0] == 0);
    handler_status = STATUS_OK;
}

static void test_dispatch_leaves_a_blocked_thread_alone(void)
{
    handler_status = KERNEL_BLOCKED;
    CHECK(CALL(SYS_PROBE_WIDTHS, 1, 2, 3, 4, 5) == KERNEL_BLOCKED && thread.stores == 0);
    CHECK(CALL(SYS_PROBE_NOP, 0) == KERNEL_BLOCKED && thread.stores == 0);
    handler_status = STATUS_OK;
}

static void test_dispatch_refuses_unknown_numbers(void)
{
    const uint64_t unknown[] = {0, SYS_PROBE_NOP - 1, SYS_LIMIT, UINT64_MAX,
                                SYS_PROBE_NOP + (1ULL << 32)};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        CHECK(CALL(unknown[i], 0) == STATUS_UNSUPPORTED && thread.stores == 0);
    }
}

int main(void)
{
    handler_status = STATUS_OK;
    copies_until_fault = -1;
    RUN(test_dispatch_stores_results);
    RUN(test_dispatch_refuses_wide_arguments);
    RUN(test_dispatch_refuses_unknown_flags_and_modes);
    RUN(test_dispatch_looks_capabilities_up);
    RUN(test_dispatch_copies_structures);
    RUN(test_dispatch_stores_no_results_of_a_failure);
    RUN(test_dispatch_leaves_a_blocked_thread_alone);
    RUN(test_dispatch_refuses_unknown_numbers);
    return tap_end();
}

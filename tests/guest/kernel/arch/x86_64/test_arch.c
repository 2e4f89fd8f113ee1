/* What only a PC has: single steps by a flag in the registers. */
#include "guest.h"

#include <kstring.h>

#define TRAP_FLAG UINT64_C(0x100)
#define RESUME_FLAG (UINT64_C(1) << 16)
#define STEPS 50u

static void child_walks(void)
{
    __builtin_trap();
}

/* Where the child's handler puts it: more instructions than steps, and system calls among them. */
static void child_goes_on(void)
{
    for (volatile unsigned i = 0; i < STEPS; i++)
        status_ignore(sys_system_nop());
    child_exit(31);
}

static status_t answer_frame(const struct thread_regs *frame)
{
    struct ipc_regs regs = {.info = message_info(ANSWER_FRAME, sizeof(*frame), 0, 0) |
                                    (uint64_t)IPC_KIND_EXCEPTION << IPC_INFO_KIND_SHIFT};

    memcpy(my_buffer()->data, frame, sizeof(*frame));
    return ipc_raw_reply(&regs);
}

static void test_exception_single_step(void)
{
    struct child child;
    struct thread_regs regs;
    handle_t endpoint;

    OK(sys_endpoint_create(info->budget, &endpoint));
    child_create(&child, 0, NULL);
    OK(sys_thread_set_exception(child.thread, endpoint, 1));
    child_run(&child, &(struct child_start){0}, child_walks);
    for (uint64_t step = 0, before = 0; step <= STEPS; step++) {
        struct ipc_regs call = {.target = endpoint, .deadline = in_ms(PATIENCE_MS)};

        OK(ipc_raw_receive(&call));
        CHECK((uint32_t)call.info == (step == 0 ? EXCEPTION_ILLEGAL : EXCEPTION_STEP));
        memcpy(&regs, my_buffer()->data, sizeof(regs));
        CHECK(regs.pc != before);
        before = regs.pc;
        if (step == 0) {
            regs.pc = (uint64_t)child_goes_on;
            regs.flags |= RESUME_FLAG; /* as a fault leaves it; QEMU 7.2 does not */
        }
        if (step < STEPS)
            regs.flags |= TRAP_FLAG;
        else
            regs.flags &= ~TRAP_FLAG;
        OK(answer_frame(&regs));
    }
    CHECK(child_end(&child) == 31);
    close_handle(endpoint);
}

extern const struct test arch_tests[];
const struct test arch_tests[] = {TEST(test_exception_single_step), {0}};

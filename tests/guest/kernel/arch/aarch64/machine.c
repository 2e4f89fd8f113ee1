/* What user code of AArch64 must not do, and a device of QEMU's virt machine that interrupts when told: the PL011 that has sent a
 * character, at its level until it is told to be quiet (Arm DDI 0183, 3.3). */
#include "guest.h"

#define UART_BASE 0x9000000u
#define UART_LINE 33u
#define UART_DATA 0
#define UART_MASK (0x38 / 4)
#define UART_CLEAR (0x44 / 4)
#define INTERRUPT_TRANSMIT 0x20u
#define INTERRUPTS_ALL 0x7ffu

const uint64_t forbidden_count = 16;
/* FPCR, and FPSR above it. */
#define FP_MODE(control, status) ((control) | (uint64_t)(status) << 32)
const uint64_t fp_initial = 0;
const uint64_t fp_modes[FP_MODES] = {FP_MODE(0, 0x10), FP_MODE(0x400000, 0x10),
                                     FP_MODE(0x800000, 0x10), FP_MODE(0xc00000, 0x10)};
const uint64_t step_flag = UINT64_C(1) << 21, fault_flags = 0; /* SS */
const unsigned debug_breakpoints = 6, debug_watchpoints = 4;
const bool debug_reads = true, debug_goes_on = false;
const unsigned register_sets = 2;
const uint32_t irq_line = UART_LINE, irq_flags = 1;
const bool has_ports = false;
/* The distributor of the GIC. */
const uint64_t device_page = 0x8000000, ram_page = 0x42000000;

static handle_t window;
static volatile uint32_t *uart;

/* registers.S */
size_t vector_bytes(void);

uint64_t fp_mode(void)
{
    uint64_t control, status;

    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(control), "=r"(status));
    return FP_MODE(control, status);
}

void fp_mode_set(uint64_t mode)
{
    __asm__ volatile("msr fpcr, %0\n\tmsr fpsr, %1" : : "r"(mode & UINT32_MAX), "r"(mode >> 32));
}

static void privileged_execute(uint64_t index)
{
    uint64_t value;

    switch (index) {
    case 0:
        __asm__ volatile("msr daifset, #2");
        break;
    case 1:
        __asm__ volatile("wfi");
        break;
    case 2:
        __asm__ volatile("msr ttbr0_el1, xzr");
        break;
    case 3:
        __asm__ volatile("msr sctlr_el1, xzr");
        break;
    case 4:
        __asm__ volatile("tlbi vmalle1");
        break;
    case 5:
        __asm__ volatile("eret");
        break;
    case 6:
        __asm__ volatile("mrs %0, mpidr_el1" : "=r"(value));
        break;
    case 7:
        __asm__ volatile("msr cntv_cval_el0, xzr");
        break;
    case 8:
        __asm__ volatile("msr spsel, #1");
        break;
    default:
        __asm__ volatile("dc isw, xzr");
        break;
    }
}

bool forbidden_is(uint64_t index)
{
    return index < forbidden_count;
}

void forbidden_execute(uint64_t index)
{
    switch (index) {
    case 10:
        __asm__ volatile("udf #0");
        break;
    case 11:
        __asm__ volatile("brk #1");
        break;
    case 12: /* the emulator's door, which is for the kernel */
        __asm__ volatile("mov x0, #0x18\n\thlt #0xf000" : : : "x0");
        break;
    case 13:
        __asm__ volatile("hvc #0");
        break;
    case 14:
        __asm__ volatile("smc #0");
        break;
    case 15:
        __asm__ volatile("mov sp, %0\n\tstr xzr, [sp]" : : "r"(KERNEL_ADDRESS));
        break;
    default:
        if (index < 10)
            privileged_execute(index);
    }
}

size_t register_set_bytes(unsigned set)
{
    return set == 0 ? 32 * 16 + 1 : 32 * vector_bytes() + 16 * vector_bytes() / 8;
}

static void uart_send(void)
{
    uart[UART_DATA] = '.';
}

void irq_begin(void)
{
    uint64_t address = 0;

    OK(sys_memory_slice(info->physical, info->budget, UART_BASE, PAGE_SIZE, &window));
    OK(sys_aspace_map(info->aspace, window, 0, 0, PAGE_SIZE, MAP_READ | MAP_WRITE, 0, &address));
    uart = (volatile uint32_t *)address;
    uart[UART_MASK] = INTERRUPT_TRANSMIT;
    uart_send();
}

void irq_again(void)
{
    uart[UART_CLEAR] = INTERRUPTS_ALL;
    uart_send();
}

void irq_end(void)
{
    uart[UART_MASK] = 0;
    uart[UART_CLEAR] = INTERRUPTS_ALL;
    unmap((void *)(uintptr_t)uart, PAGE_SIZE);
    close_handle(window);
}

bool has_messages(void)
{
    return true;
}

bool message_is_a_store(void)
{
    return true;
}

/* What user code of a hart must not do, and a device of QEMU's virt machine that interrupts when told: the 16550 whose holding register is
 * empty, at its level until it is told to be quiet. */
#include "guest.h"

#define UART_BASE 0x10000000u
#define UART_LINE 10u
#define UART_INTERRUPT_ENABLE 1
#define INTERRUPT_TRANSMIT_EMPTY 0x02u

const uint64_t forbidden_count = 14;
/* fcsr: frm, and fflags below it. */
const uint64_t fp_initial = 0;
const uint64_t fp_modes[FP_MODES] = {0x01, 0x61, 0x41, 0x21};
const uint64_t step_flag = 0, fault_flags = 0;
const unsigned debug_breakpoints = 0, debug_watchpoints = 0;
const bool debug_reads = false, debug_goes_on = false;
const unsigned register_sets = 2;
const uint32_t irq_line = UART_LINE, irq_flags = 1;
const bool has_ports = false;
const uint64_t device_page = UART_BASE, ram_page = 0x82000000;

static handle_t window;
static volatile uint8_t *uart;

size_t vector_bytes(void);

uint64_t fp_mode(void)
{
    uint64_t mode;

    __asm__ volatile("frcsr %0" : "=r"(mode));
    return mode;
}

void fp_mode_set(uint64_t mode)
{
    __asm__ volatile("fscsr %0" : : "r"(mode));
}

bool forbidden_is(uint64_t index)
{
    return index < forbidden_count;
}

void forbidden_execute(uint64_t index)
{
    uint64_t value;

    switch (index) {
    case 0:
        __asm__ volatile("csrci sstatus, 2");
        break;
    case 1:
        __asm__ volatile("sret");
        break;
    case 2:
        __asm__ volatile("csrw satp, zero");
        break;
    case 3:
        __asm__ volatile("csrw stvec, zero");
        break;
    case 4:
        __asm__ volatile("sfence.vma");
        break;
    case 5:
        __asm__ volatile("unimp");
        break;
    case 6:
        __asm__ volatile("ebreak");
        break;
    case 7:
        __asm__ volatile("csrr %0, sscratch" : "=r"(value));
        break;
    case 8:
        __asm__ volatile("csrr %0, mstatus" : "=r"(value));
        break;
    case 9:
        __asm__ volatile("mret");
        break;
    case 10:
        __asm__ volatile("csrr %0, instret" : "=r"(value));
        break;
    case 11:
        __asm__ volatile("mv sp, %0\n\tsd zero, 0(sp)" : : "r"(KERNEL_ADDRESS));
        break;
    case 12:
        __asm__ volatile("csrw time, zero");
        break;
    case 13: /* the emulator's door, which is for the kernel */
        __asm__ volatile("li a0, 0x18\n\t"
                         ".balign 16\n\t"
                         ".option push\n\t"
                         ".option norvc\n\t"
                         "slli zero, zero, 0x1f\n\t"
                         "ebreak\n\t"
                         "srai zero, zero, 7\n\t"
                         ".option pop"
                         :
                         :
                         : "a0");
        break;
    default:
        break;
    }
}

size_t register_set_bytes(unsigned set)
{
    return set == 0 ? 32 * 8 + 1 : vector_bytes();
}

void irq_begin(void)
{
    uint64_t address = 0;

    OK(sys_memory_slice(info->physical, info->budget, UART_BASE, PAGE_SIZE, &window));
    OK(sys_aspace_map(info->aspace, window, 0, 0, PAGE_SIZE, MAP_READ | MAP_WRITE, 0, &address));
    uart = (volatile uint8_t *)address;
    uart[UART_INTERRUPT_ENABLE] = INTERRUPT_TRANSMIT_EMPTY;
}

/* The emulated PLIC looks at edges, where a real one looks at the level when the last one is completed. */
void irq_again(void)
{
    uart[UART_INTERRUPT_ENABLE] = 0;
    uart[UART_INTERRUPT_ENABLE] = INTERRUPT_TRANSMIT_EMPTY;
}

void irq_end(void)
{
    uart[UART_INTERRUPT_ENABLE] = 0;
    unmap((void *)(uintptr_t)uart, PAGE_SIZE);
    close_handle(window);
}

/* Where the harts have IMSICs; the command line says so. */
bool has_messages(void)
{
    return is_told("imsic");
}

bool message_is_a_store(void)
{
    return has_messages();
}

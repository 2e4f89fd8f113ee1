/* What user code of a PC must not do, and the one device that ports alone can make interrupt: the interval timer (Intel 8254). */
#include "guest.h"

#define PIT_CHANNEL_0 0x40u
#define PIT_COMMAND 0x43u

#define FORBIDDEN_BY_UMIP 10

const uint64_t forbidden_count = 13;
/* MXCSR, and the control word of the x87 above it. */
#define FP_MODE(mxcsr, control) ((mxcsr) | (uint64_t)(control) << 32)
const uint64_t fp_initial = FP_MODE(0x1f80, 0x37f);
const uint64_t fp_modes[FP_MODES] = {FP_MODE(0x1fa0, 0x37f), FP_MODE(0x5fa0, 0xb7f),
                                     FP_MODE(0x3fa0, 0x77f), FP_MODE(0x7fa0, 0xf7f)};
const uint64_t step_flag = 0x100, fault_flags = UINT64_C(1) << 16; /* TF, RF */
const unsigned debug_breakpoints = 4, debug_watchpoints = 4;
const bool debug_reads = false, debug_goes_on = true;
const unsigned register_sets = 2;
const uint32_t irq_line = 2, irq_flags = 0;
const bool has_ports = true;
const uint64_t device_page = 0xfec00000, ram_page = 0x2000000;

static handle_t pit;

uint64_t fp_mode(void)
{
    uint32_t mxcsr;
    uint16_t control;

    __asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(control));
    return FP_MODE(mxcsr, control);
}

void fp_mode_set(uint64_t mode)
{
    uint32_t mxcsr = (uint32_t)mode;
    uint16_t control = (uint16_t)(mode >> 32);

    __asm__ volatile("ldmxcsr %0\n\tfldcw %1" : : "m"(mxcsr), "m"(control));
}

/* Intel SDM 2A, CPUID leaf 7: UMIP. */
bool forbidden_is(uint64_t index)
{
    uint32_t eax = 7, ebx, ecx = 0, edx;

    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return index != FORBIDDEN_BY_UMIP || (ecx & 1u << 2) != 0;
}

void forbidden_execute(uint64_t index)
{
    switch (index) {
    case 0:
        __asm__ volatile("cli");
        break;
    case 1:
        __asm__ volatile("hlt");
        break;
    case 2:
        __asm__ volatile("movq %%rax, %%cr3" : : "a"(0));
        break;
    case 3:
        __asm__ volatile("wrmsr" : : "a"(0), "c"(0xc0000080), "d"(0));
        break;
    case 4:
        __asm__ volatile("outb %%al, $0xf4" : : "a"(0));
        break;
    case 5:
        __asm__ volatile("ud2");
        break;
    case 6:
        __asm__ volatile("int3");
        break;
    case 7:
        __asm__ volatile("int $0x80");
        break;
    case 8:
        __asm__ volatile("divl %%ecx" : : "a"(1), "d"(0), "c"(0));
        break;
    case 9:
        __asm__ volatile("int $14");
        break;
    case FORBIDDEN_BY_UMIP: {
        char table[10];
        __asm__ volatile("sgdt %0" : "=m"(table));
        break;
    }
    case 11:
        __asm__ volatile("movq %0, %%rsp\n\tpush %%rax" : : "r"(KERNEL_ADDRESS));
        break;
    case 12:
        __asm__ volatile("sysenter");
        break;
    default:
        break;
    }
}

size_t register_set_bytes(unsigned set)
{
    return set == 0 ? 16 * 16 : 16 * 32;
}

/* Channel 0, both bytes, mode 2, 1 kHz. */
void irq_begin(void)
{
    handle_t other;

    OK(sys_ioport_slice(info->ioports, info->budget, PIT_CHANNEL_0, 4, &pit));
    CHECK_STATUS(STATUS_RANGE, sys_ioport_out(pit, 0x44, 1, 0));
    CHECK_STATUS(STATUS_RANGE, sys_ioport_out(pit, 0x42, 4, 0));
    CHECK_STATUS(STATUS_INVALID, sys_ioport_out(pit, 0x40, 3, 0));
    CHECK_STATUS(STATUS_RANGE, sys_ioport_slice(pit, info->budget, 0x3f, 2, &other));
    OK(sys_ioport_out(pit, PIT_COMMAND, 1, 0x34));
    OK(sys_ioport_out(pit, PIT_CHANNEL_0, 1, 0xa9));
    OK(sys_ioport_out(pit, PIT_CHANNEL_0, 1, 0x04));
}

/* It ticks by itself. */
void irq_again(void)
{
}

/* Mode 1 counts when its gate rises, which this channel's never does. With its count loaded, since until then QEMU still has the former
 * mode's next edge in mind, and it comes when the host finds time for it. */
void irq_end(void)
{
    OK(sys_ioport_out(pit, PIT_COMMAND, 1, 0x32));
    OK(sys_ioport_out(pit, PIT_CHANNEL_0, 1, 0xff));
    OK(sys_ioport_out(pit, PIT_CHANNEL_0, 1, 0xff));
    close_handle(pit);
}

bool has_messages(void)
{
    return true;
}

/* To a CPU that page is its own local APIC. */
bool message_is_a_store(void)
{
    return false;
}

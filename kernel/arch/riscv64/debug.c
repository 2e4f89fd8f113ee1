/* The log's way out, the machine's end, what stands in for ports, and what a panic prints.
 *
 * The log goes to the emulator by semihosting (RISC-V Semihosting 0.4) where the command line has the word log=semihosting: the machine
 * has no second port, and the first one is the console. Otherwise it goes to the firmware's console until a driver attaches the interrupt
 * of that port, and again when the machine stops.
 * With log=semihosting the firmware's console gets one line, a record separator: what the firmware has to say ends there. */
#include <arch.h>
#include <arch_cpu.h>
#include <boot.h>
#include <thread.h>

#include "csr.h"
#include "layout.h"
#include "local.h"

#define PORT_EXIT 0xf4u
#define PORT_RESET 0xcf9u
#define RESET_HARD 0x06u

#define SEMIHOSTING_WRITE_CHARACTER 3u

/* QEMU's sifive_test: the low half is the command, the high half the status. */
#define TEST_FAIL 0x3333u
#define TEST_PASS 0x5555u

#define PATH_BYTES 128u

static bool by_semihosting;
static uint32_t console_line; /* of the port that the firmware writes to; 0: not known */
static bool console_taken;    /* atomic */
static volatile uint32_t *test_device;

/* The three instructions are in one page. */
static void semihosting_put(char c)
{
    register uint64_t a0 __asm__("a0") = SEMIHOSTING_WRITE_CHARACTER;
    register uint64_t a1 __asm__("a1") = (uint64_t)(uintptr_t)&c;

    __asm__ volatile(".balign 16\n\t"
                     ".option push\n\t"
                     ".option norvc\n\t"
                     "slli zero, zero, 0x1f\n\t"
                     "ebreak\n\t"
                     "srai zero, zero, 7\n\t"
                     ".option pop"
                     : "+r"(a0)
                     : "r"(a1)
                     : "memory");
}

static void firmware_put(char c)
{
    (void)sbi_call(SBI_LEGACY_PUTCHAR, 0, (uint8_t)c, 0, 0);
}

/** The node of the port, which stdout-path names, with options after a colon (Devicetree Specification 0.4, 3.6). */
static bool console_find(struct boot_fdt_node *node)
{
    const char *text;
    char path[PATH_BYTES];
    size_t i = 0;

    if (!boot_fdt_path("/chosen", node) || !boot_fdt_string(node, "stdout-path", &text))
        return false;
    for (; i < PATH_BYTES - 1 && text[i] != ':' && text[i] != '\0'; i++)
        path[i] = text[i];
    path[i] = '\0';
    return boot_fdt_path(path, node);
}

INIT_TEXT void debug_init(void)
{
    struct boot_fdt_node node;

    if (console_find(&node))
        console_line = boot_fdt_u32(&node, "interrupts", 0);
    by_semihosting = boot_word("log=semihosting");
    if (by_semihosting) {
        firmware_put('\x1e');
        firmware_put('\n');
    }
}

void debug_line_taken(uint32_t line, bool taken)
{
    if (line == console_line)
        __atomic_store_n(&console_taken, taken, __ATOMIC_RELAXED);
}

void arch_putc(char c)
{
    if (by_semihosting)
        semihosting_put(c);
    else if (!__atomic_load_n(&console_taken, __ATOMIC_RELAXED) || trap_is_stopping())
        firmware_put(c);
}

INIT_TEXT void poweroff_init(void)
{
    struct boot_fdt_node node;
    paddr_t base;
    uint64_t bytes;

    if (boot_fdt_find("sifive,test0", 0, &node) && boot_fdt_reg(&node, 0, &base, &bytes) &&
        bytes >= sizeof(*test_device))
        test_device = kernelmap_device(base, sizeof(*test_device));
}

void arch_poweroff(uint32_t status)
{
    if (test_device != NULL)
        *test_device = status == 0 ? TEST_PASS : status << 16 | TEST_FAIL;
    (void)sbi_call(SBI_SRST, 0, SBI_SRST_SHUTDOWN, status != 0, 0);
    for (;;)
        __asm__ volatile("wfi");
}

/* Below a frame pointer are the return address and the caller's frame pointer (RISC-V ELF psABI, frame pointer convention).
 * Looks at frames that are not its own: their redzones must not stop it. */
__attribute__((no_sanitize("kernel-address", "thread"))) size_t
arch_backtrace(uint64_t frame_pointer, uint64_t *addresses, size_t count)
{
    uint64_t frame =
        frame_pointer != 0 ? frame_pointer : (uint64_t)(uintptr_t)__builtin_frame_address(0);
    size_t found = 0;

    while (found < count && kernelmap_is_stack(frame - 16)) {
        const uint64_t *words = (const uint64_t *)(uintptr_t)frame;

        if (words[-1] == 0)
            break;
        addresses[found++] = words[-1];
        if (words[-2] <= frame)
            break;
        frame = words[-2];
    }
    return found;
}

void arch_print_registers(const struct thread *thread, void (*pause)(void))
{
    const struct arch_context *c = &thread->context;

    klog("user registers of thread %llu:", (unsigned long long)thread->id);
    pause();
    registers_print(c, pause);
}

status_t arch_port_in(uint32_t port, uint32_t width, uint32_t *value)
{
    (void)port;
    (void)width;
    (void)value;
    return STATUS_UNSUPPORTED;
}

status_t arch_port_out(uint32_t port, uint32_t width, uint32_t value)
{
    (void)width;
    switch (port) {
    case LOG_PORT:
        arch_putc((char)value);
        return STATUS_OK;
    case PORT_EXIT:
        arch_poweroff(value);
    case PORT_RESET:
        if (value == RESET_HARD)
            (void)sbi_call(SBI_SRST, 0, SBI_SRST_COLD_REBOOT, 0, 0);
        return STATUS_OK;
    default:
        return STATUS_UNSUPPORTED;
    }
}

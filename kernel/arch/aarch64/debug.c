/* The log's way out, the machine's end, what stands in for ports, and what a panic prints.
 *
 * The log goes to the emulator by semihosting (Arm: Semihosting for AArch32 and AArch64, 2.0) where the command line has the word
 * log=semihosting: the machine has no second port, and the first one is the console. Otherwise it goes to the PL011 (Arm DDI 0183) that the
 * device tree names, by polling, until a driver attaches the port's interrupt, and again when the machine stops. */
#include <arch.h>
#include <arch_cpu.h>
#include <thread.h>

#include "cpu_regs.h"
#include "layout.h"
#include "local.h"

#define PORT_EXIT 0xf4u
#define PORT_RESET 0xcf9u
#define RESET_HARD 0x06u

#define SEMIHOSTING_WRITE_CHARACTER 0x03u
#define SEMIHOSTING_EXIT_EXTENDED 0x20u
#define STOPPED_APPLICATION_EXIT 0x20026u

#define UART_BYTES 0x1000u
#define UART_DATA 0x00u
#define UART_FLAGS 0x18u
#define FLAG_TRANSMIT_FULL (1u << 5)
/** Looks at the flags before a port that does not send is given up. */
#define UART_TRIES 1000000u

bool debug_by_semihosting;

static volatile uint8_t *uart;
static bool uart_taken; /* atomic */

INIT_TEXT void debug_init(void)
{
    if (!debug_by_semihosting && platform.uart != 0)
        uart = kernelmap_device(platform.uart, UART_BYTES);
}

void debug_line_taken(uint32_t intid, bool taken)
{
    if (intid == platform.uart_intid)
        __atomic_store_n(&uart_taken, taken, __ATOMIC_RELAXED);
}

void debug_machine_stops(void)
{
    __atomic_store_n(&uart_taken, false, __ATOMIC_RELAXED);
}

static void semihosting_call(uint64_t operation, const void *argument)
{
    register uint64_t x0 __asm__("x0") = operation;
    register const void *x1 __asm__("x1") = argument;

    __asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
}

static void uart_put(char c)
{
    for (uint32_t i = 0; i < UART_TRIES; i++) {
        if ((*(volatile uint32_t *)(volatile void *)(uart + UART_FLAGS) & FLAG_TRANSMIT_FULL) ==
            0) {
            *(volatile uint32_t *)(volatile void *)(uart + UART_DATA) = (uint8_t)c;
            return;
        }
    }
}

void arch_putc(char c)
{
    if (debug_by_semihosting) {
        semihosting_call(SEMIHOSTING_WRITE_CHARACTER, &c);
    } else if (uart != NULL && !__atomic_load_n(&uart_taken, __ATOMIC_RELAXED)) {
        if (c == '\n')
            uart_put('\r');
        uart_put(c);
    }
}

/* The firmware takes no status; the emulator does. */
void arch_poweroff(uint32_t status)
{
    const uint64_t stopped[] = {STOPPED_APPLICATION_EXIT, status};

    if (debug_by_semihosting)
        semihosting_call(SEMIHOSTING_EXIT_EXTENDED, stopped);
    psci_power_off();
}

/* ── Backtrace ────────────────────────────────────────────────────────────────────────────────────────────────────── */

static bool is_on_fault_stack(uint64_t address)
{
    uint64_t top = kernelmap_stack_top(arch_cpu_local()->id, 1);

    return address < top && address >= top - FAULT_STACK_PAGES * PAGE_SIZE;
}

/** A return address without its signature: the kernel's half has all ones above the address's 48 bits. 0: the outermost. */
static uint64_t unsigned_address(uint64_t address)
{
    uint64_t bits = address & ((1ull << 48) - 1);

    return bits != 0 ? bits | 0xffffull << 48 : 0;
}

/* Looks at frames that are not its own: their redzones must not stop it. */
__attribute__((no_sanitize("kernel-address", "thread"))) size_t
arch_backtrace(uint64_t frame_pointer, uint64_t *addresses, size_t count)
{
    uint64_t frame =
        frame_pointer != 0 ? frame_pointer : (uint64_t)(uintptr_t)__builtin_frame_address(0);
    size_t found = 0;

    while (found < count && kernelmap_is_stack(frame)) {
        const uint64_t *words = (const uint64_t *)(uintptr_t)frame;

        uint64_t address = unsigned_address(words[1]);

        if (address == 0)
            break;
        addresses[found++] = address;
        if (words[0] <= frame && !is_on_fault_stack(frame))
            break; /* frames lead outwards; from a fault's, to the stack that was left */
        frame = words[0];
    }
    return found;
}

void arch_print_registers(const struct thread *thread, void (*pause)(void))
{
    const struct arch_context *c = &thread->context;

    klog("user registers of thread %llu:", (unsigned long long)thread->id);
    pause();
    for (unsigned i = 0; i < 30; i += 3) {
        klog("x%-2u %016llx x%-2u %016llx x%-2u %016llx", i, (unsigned long long)c->x[i], i + 1,
             (unsigned long long)c->x[i + 1], i + 2, (unsigned long long)c->x[i + 2]);
        pause();
    }
    klog("x30 %016llx sp  %016llx pc  %016llx", (unsigned long long)c->x[30],
         (unsigned long long)c->sp, (unsigned long long)c->pc);
    klog("pstate %llx tls %016llx", (unsigned long long)c->pstate, (unsigned long long)c->tls);
    pause();
}

/* ── Ports, as arch.h wants them where the machine has none ───────────────────────────────────────────────────────── */

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
    if (port == LOG_PORT) {
        arch_putc((char)value);
        return STATUS_OK;
    }
    if (port == PORT_EXIT)
        arch_poweroff(value);
    if (port == PORT_RESET && value == RESET_HARD)
        psci_reset();
    return STATUS_UNSUPPORTED;
}

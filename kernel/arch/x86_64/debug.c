/* The debug console (port 0xe9), the machine's end, ports, and what a panic prints. */
#include <arch.h>
#include <arch_cpu.h>
#include <thread.h>

#include "cpu_regs.h"
#include "layout.h"
#include "local.h"

#define PORT_EXIT 0xf4u /* QEMU's isa-debug-exit: ends with (value << 1) | 1 */
#define PORT_RESET 0xcf9u
#define RESET_HARD 0x06u

void arch_putc(char c)
{
    port_out8(LOG_PORT, (uint8_t)c);
}

void arch_poweroff(uint32_t status)
{
    port_out32(PORT_EXIT, status);
    /* Still here: this is no such emulator. Reset by what the firmware names, by the chip set, and by a triple fault. */
    if (acpi_reset_port != 0)
        port_out8(acpi_reset_port, acpi_reset_value);
    port_out8(PORT_RESET, RESET_HARD);
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } no_table = {0, 0};

    __asm__ volatile("lidt %0\n\tint3" : : "m"(no_table));
    for (;;)
        __asm__ volatile("cli\n\thlt");
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

        if (words[1] == 0)
            break;
        addresses[found++] = words[1];
        if (words[0] <= frame)
            break;
        frame = words[0];
    }
    return found;
}

void arch_print_registers(const struct thread *thread, void (*pause)(void))
{
    const struct arch_context *c = &thread->context;

    klog("user registers of thread %llu:", (unsigned long long)thread->id);
    pause();
    klog("rax %016llx rbx %016llx rcx %016llx rdx %016llx", (unsigned long long)c->rax,
         (unsigned long long)c->rbx, (unsigned long long)c->rcx, (unsigned long long)c->rdx);
    pause();
    klog("rsi %016llx rdi %016llx rbp %016llx rsp %016llx", (unsigned long long)c->rsi,
         (unsigned long long)c->rdi, (unsigned long long)c->rbp, (unsigned long long)c->rsp);
    pause();
    klog("r8  %016llx r9  %016llx r10 %016llx r11 %016llx", (unsigned long long)c->r8,
         (unsigned long long)c->r9, (unsigned long long)c->r10, (unsigned long long)c->r11);
    pause();
    klog("r12 %016llx r13 %016llx r14 %016llx r15 %016llx", (unsigned long long)c->r12,
         (unsigned long long)c->r13, (unsigned long long)c->r14, (unsigned long long)c->r15);
    pause();
    klog("rip %016llx rflags %llx fs %016llx gs %016llx", (unsigned long long)c->rip,
         (unsigned long long)c->rflags, (unsigned long long)c->fs_base,
         (unsigned long long)c->gs_base);
    pause();
}

/* The caller has checked the range against a capability; ports of this architecture have 16 bits. */
status_t arch_port_in(uint32_t port, uint32_t width, uint32_t *value)
{
    if (port > UINT16_MAX)
        return STATUS_RANGE;
    switch (width) {
    case 1:
        *value = port_in8((uint16_t)port);
        return STATUS_OK;
    case 2:
        *value = port_in16((uint16_t)port);
        return STATUS_OK;
    case 4:
        *value = port_in32((uint16_t)port);
        return STATUS_OK;
    default:
        return STATUS_INVALID;
    }
}

status_t arch_port_out(uint32_t port, uint32_t width, uint32_t value)
{
    if (port > UINT16_MAX)
        return STATUS_RANGE;
    switch (width) {
    case 1:
        port_out8((uint16_t)port, (uint8_t)value);
        return STATUS_OK;
    case 2:
        port_out16((uint16_t)port, (uint16_t)value);
        return STATUS_OK;
    case 4:
        port_out32((uint16_t)port, value);
        return STATUS_OK;
    default:
        return STATUS_INVALID;
    }
}

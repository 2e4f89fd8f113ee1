/* Interrupts of devices: messages if the device has MSI-X and the machine takes them, else its line. Messages are preferred: nobody shares
 * them. The MSI-X table is mapped only here, and a device that uses its line has MSI-X off. */
#include "devmgr.h"

#include <os/memory.h>
#include <os/start.h>
#include <veridian/syscalls.h>

#define MSIX_ENABLE 0x8000u /* PCI 3.0, 6.8.2.3 */
#define MSIX_MASK_ALL 0x4000u
#define MSIX_ENTRY_WORDS 4u

static uint32_t msix_count(const struct device *d)
{
    return d->msix.vectors < IRQS_PER_DEVICE ? d->msix.vectors : IRQS_PER_DEVICE;
}

static void msix_control(const struct device *d, uint16_t value)
{
    uint32_t at = d->msix.capability + 2;
    uint16_t kept = pci_read16(&d->function, at) & (uint16_t)~(MSIX_ENABLE | MSIX_MASK_ALL);
    pci_write16(&d->function, at, kept | value);
}

/* An entry (PCI 3.0, 6.8.2.6): address, data, vector control. */
static status_t fill_entry(struct device *d, uint32_t i, volatile uint32_t *entry)
{
    uint64_t address;
    uint32_t data;
    status_t status = sys_interrupt_create_msi(devmgr.interrupts, os_self.budget, d->msi_source,
                                               &d->irqs[i], &address, &data);
    if (!status_is_ok(status))
        return status;
    d->irq_count = i + 1;
    entry[0] = (uint32_t)address;
    entry[1] = (uint32_t)(address >> 32);
    entry[2] = data;
    entry[3] = 0;
    return STATUS_OK;
}

static status_t make_messages(struct device *d)
{
    const struct pci_bar *bar = &d->bars[d->msix.bar];
    uint32_t count = msix_count(d);
    uint64_t base, bytes = count * MSIX_ENTRY_WORDS * sizeof(uint32_t);
    if (bar->bytes == 0 || bar->ports || d->msix.table_offset + bytes > bar->bytes ||
        !device_window(d, d->msix.bar, &base))
        return STATUS_CORRUPT;
    volatile uint32_t *table =
        physical_map(base + d->msix.table_offset, bytes, MAP_READ | MAP_WRITE);
    if (table == NULL)
        return STATUS_NO_MEMORY;
    status_t status = STATUS_OK;
    msix_control(d, MSIX_ENABLE | MSIX_MASK_ALL);
    for (uint32_t i = 0; i < count && status_is_ok(status); i++)
        status = fill_entry(d, i, table + i * MSIX_ENTRY_WORDS);
    msix_control(d, status_is_ok(status) ? MSIX_ENABLE : 0);
    memory_unmap((void *)((uintptr_t)table & ~(uintptr_t)(PAGE_SIZE - 1)), PAGE_SIZE);
    return status;
}

static void drop(struct device *d)
{
    while (d->irq_count > 0)
        status_ignore(sys_cap_close(d->irqs[--d->irq_count]));
}

status_t device_make_irqs(struct device *d)
{
    d->irq_count = 0;
    d->info.irq_kind = IRQ_MESSAGE;
    if (d->msix.capability != 0 && d->has_msi && status_is_ok(make_messages(d)))
        return STATUS_OK;
    drop(d);
    d->info.irq_kind = IRQ_LINE;
    if (!d->has_line)
        return STATUS_OK;
    status_t status = sys_interrupt_create(devmgr.interrupts, os_self.budget, d->line.number,
                                           d->line.flags, &d->irqs[0]);
    d->irq_count = status_is_ok(status);
    return status;
}

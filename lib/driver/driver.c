/* See driver.h. */
#include <driver/driver.h>
#include <os/memory.h>
#include <os/start.h>
#include <stdio.h>
#include <veridian/syscalls.h>

static handle_t numbered_cap(const char *kind, uint32_t number)
{
    char name[OS_CAP_NAME_BYTES];
    snprintf(name, sizeof(name), "%s.%u", kind, number);
    return os_cap(name);
}

static status_t open_window(struct driver_device *d, uint32_t i)
{
    const struct device_window *window = &d->info->windows[i];
    handle_t handle = numbered_cap("window", i);
    if (window->kind == WINDOW_NONE || handle == 0)
        return STATUS_OK;
    if (window->kind == WINDOW_PORTS) {
        d->ports[i] = handle;
        return STATUS_OK;
    }
    void *mapped;
    status_t status = memory_map(handle, 0, page_round_up(window->page_offset + window->bytes),
                                 MAP_READ | MAP_WRITE, &mapped);
    if (status == STATUS_OK)
        d->windows[i] = (volatile uint8_t *)mapped + window->page_offset;
    return status;
}

static status_t open_irq(struct driver_device *d, uint32_t i)
{
    d->irqs[i] = numbered_cap("irq", i);
    if (d->irqs[i] == 0)
        return STATUS_NOT_FOUND;
    status_t status = sys_interrupt_bind(d->irqs[i], d->queue, i);
    return status == STATUS_OK ? sys_interrupt_ack(d->irqs[i]) : status; /* it begins masked */
}

status_t driver_open(struct driver_device *d)
{
    *d = (struct driver_device){.dma = os_cap("dma")};
    handle_t memory = os_cap("device");
    void *mapped;
    if (memory == 0)
        return STATUS_NOT_FOUND;
    status_t status = memory_map(memory, 0, sizeof(struct device_info), MAP_READ, &mapped);
    if (status != STATUS_OK)
        return status;
    d->info = mapped;
    status =
        d->info->irqs <= DEVICE_IRQS ? sys_queue_create(os_self.budget, &d->queue) : STATUS_CORRUPT;
    for (uint32_t i = 0; i < DEVICE_WINDOWS && status == STATUS_OK; i++)
        status = open_window(d, i);
    for (uint32_t i = 0; i < d->info->irqs && status == STATUS_OK; i++)
        status = open_irq(d, i);
    return status;
}

void driver_irq_ack(const struct driver_device *d, uint32_t index)
{
    if (index < DEVICE_IRQS && d->irqs[index] != 0)
        status_ignore(sys_interrupt_ack(d->irqs[index]));
}

status_t driver_dma_allocate(const struct driver_device *d, size_t bytes, struct dma_buffer *buffer)
{
    handle_t memory;
    size_t pages = (size_t)(page_round_up(bytes) / PAGE_SIZE);
    uint64_t addresses[64], mapping;
    if (pages == 0 || pages > 64)
        return STATUS_RANGE;
    status_t status =
        memory_map_new(pages * PAGE_SIZE, MEMORY_CONTIGUOUS, &memory, &buffer->address);
    if (status != STATUS_OK)
        return status;
    status = sys_dmaspace_map(d->dma, memory, 0, pages * PAGE_SIZE, addresses,
                              pages * sizeof(uint64_t), &mapping);
    for (size_t i = 1; i < pages && status == STATUS_OK; i++)
        if (addresses[i] != addresses[0] + i * PAGE_SIZE)
            status = STATUS_UNSUPPORTED;
    buffer->bus = status == STATUS_OK ? addresses[0] : 0;
    buffer->bytes = pages * PAGE_SIZE;
    return status;
}

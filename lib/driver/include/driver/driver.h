#pragma once
/* What every driver begins with: its device as devmgr describes it, registers, interrupts, memory for DMA.
 *
 * A driver's main() calls driver_open(), brings its device up, and enters server_run() with the device's queue, whose events carry the
 * interrupt's number as cookie. Bus addresses come from the DmaSpace only. Whatever the device says is input: checked, never trusted. */
#include <idl/device.h>
#include <os/server.h>
#include <stddef.h>
#include <stdint.h>
#include <veridian/abi.h>

struct driver_device {
    const struct device_info *info;
    volatile uint8_t *windows[DEVICE_WINDOWS]; /* mapped; NULL where there is none or it is ports */
    handle_t ports[DEVICE_WINDOWS];
    handle_t irqs[DEVICE_IRQS];
    handle_t dma;
    handle_t queue; /* interrupts are bound here, cookie = number */
};

/** Read "device", map the windows, bind the interrupts. NOT_FOUND: not started by devmgr. NO_MEMORY, CORRUPT. */
MUST_CHECK status_t driver_open(struct driver_device *device);

/** The register at @offset of window @index if @bytes there are inside the window, else NULL. */
volatile void *driver_registers(const struct driver_device *device, uint32_t index, uint64_t offset,
                                uint64_t bytes);

/** Let interrupt @index through again. */
void driver_irq_ack(const struct driver_device *device, uint32_t index);

/** Physically contiguous memory, mapped here and for the device. */
struct dma_buffer {
    void *address;
    uint64_t bus;
    size_t bytes;
};
MUST_CHECK status_t driver_dma_allocate(const struct driver_device *device, size_t bytes,
                                        struct dma_buffer *buffer);

/** A PCI capability (PCI Local Bus 3.0, 6.7) with id @id after offset @after (0: the first): its offset in info->config, or 0. */
uint32_t driver_pci_capability(const struct device_info *info, uint8_t id, uint32_t after);
uint16_t driver_config16(const struct device_info *info, uint32_t offset);
uint32_t driver_config32(const struct device_info *info, uint32_t offset);

static inline uint8_t mmio_read8(const volatile void *at)
{
    return *(const volatile uint8_t *)at;
}
static inline uint16_t mmio_read16(const volatile void *at)
{
    return *(const volatile uint16_t *)at;
}
static inline uint32_t mmio_read32(const volatile void *at)
{
    return *(const volatile uint32_t *)at;
}
static inline void mmio_write8(volatile void *at, uint8_t value)
{
    *(volatile uint8_t *)at = value;
}
static inline void mmio_write16(volatile void *at, uint16_t value)
{
    *(volatile uint16_t *)at = value;
}
static inline void mmio_write32(volatile void *at, uint32_t value)
{
    *(volatile uint32_t *)at = value;
}

/* What a driver looks up of its device, from what devmgr wrote of it: no system is needed for that. */
#include <driver/driver.h>
#include <string.h>

volatile void *driver_registers(const struct driver_device *d, uint32_t index, uint64_t offset,
                                uint64_t bytes)
{
    uint64_t end;
    if (index >= DEVICE_WINDOWS || d->windows[index] == NULL)
        return NULL;
    if (__builtin_add_overflow(offset, bytes, &end) || end > d->info->windows[index].bytes)
        return NULL;
    return d->windows[index] + offset;
}

uint16_t driver_config16(const struct device_info *info, uint32_t offset)
{
    uint16_t value = 0xffff;
    if (offset <= DEVICE_CONFIG_BYTES - sizeof(value))
        memcpy(&value, &info->config[offset], sizeof(value));
    return value;
}

uint32_t driver_config32(const struct device_info *info, uint32_t offset)
{
    uint32_t value = 0xffffffff;
    if (offset <= DEVICE_CONFIG_BYTES - sizeof(value))
        memcpy(&value, &info->config[offset], sizeof(value));
    return value;
}

uint32_t driver_pci_capability(const struct device_info *info, uint8_t id, uint32_t after)
{
    uint32_t at = after == 0 ? info->config[0x34] & 0xfcu : info->config[after + 1] & 0xfcu;
    for (uint32_t steps = 0; at >= 0x40 && at <= DEVICE_CONFIG_BYTES - 4 && steps < 48; steps++) {
        if (info->config[at] == id)
            return at;
        at = info->config[at + 1] & 0xfcu;
    }
    return 0;
}

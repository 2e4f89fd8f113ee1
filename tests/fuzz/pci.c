/* libFuzzer target of devmgr's reader of a PCI function: its configuration space is the input. It is memory, so a register holds what was written
 * last, which no device does: whatever it says is to be taken as it is. */
#include "target.h"

#include <pci_host.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pci_bar bars[DEVICE_WINDOWS];
    struct pci_msix msix;
    struct pci_bridge bridge;
    struct pci_host host = {.first_bus = 0,
                            .last_bus = 255,
                            .next_bus = 1,
                            .node = -1,
                            .low = {.bus = 1u << 30, .cpu = 1u << 30, .bytes = 1u << 28}};
    if (size == 0)
        return 0;
    uint8_t *config = calloc(1, PCI_FUNCTION_BYTES);
    HOLDS(config != NULL);
    memcpy(config, data, size < PCI_FUNCTION_BYTES ? size : PCI_FUNCTION_BYTES);
    host.low.next = host.low.bus;
    struct pci_function f = {.config = config, .address = data[0]};
    (void)pci_is_present(&f);
    (void)pci_is_bridge(&f);
    HOLDS(pci_find_capability(&f, data[0]) < 256);
    pci_read_bars(&f, bars);
    pci_note_bars(&host, bars);
    if (pci_find_msix(&f, &msix)) {
        HOLDS(msix.bar < DEVICE_WINDOWS && msix.pba_bar < DEVICE_WINDOWS);
        for (uint32_t i = 0; i < DEVICE_WINDOWS; i++)
            HOLDS(pci_driver_bytes(&bars[i], i, &msix) <= bars[i].bytes);
    }
    pci_bridge_read(&f, &bridge);
    pci_note_bridge(&host, &bridge);
    pci_size_bars(&f, bars);
    (void)pci_assign(&host, &f, data[0] % 2 == 0, bars);
    HOLDS(host.low.next >= host.low.bus || host.low.next == 0);
    HOLDS(pci_pin(&f) <= 4);
    (void)pci_reset(&f);
    pci_disable(&f);
    free(config);
    return 0;
}

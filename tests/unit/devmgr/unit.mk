# What devmgr reads of firmware and of PCI functions, from memory, hostile too; the device trees are QEMU's.
SOURCES := services/devmgr/acpi.c services/devmgr/pci.c services/devmgr/pci_host.c services/devmgr/tree.c lib/devicetree/devicetree.c
CFLAGS := -Iservices/devmgr
PORTS := libfdt

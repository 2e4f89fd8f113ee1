# What devmgr reads of firmware and of PCI functions, from memory, hostile too.
SOURCES := services/devmgr/acpi.c services/devmgr/pci.c
CFLAGS := -Iservices/devmgr

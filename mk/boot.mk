# The UEFI image: loader, kernel and boot archive in one PE file. boot/arch/<arch>/loader.mk has LOADER_TARGET, LOADER_CFLAGS and LOADER_LINK,
# for compiler and linker of the PE format differ: the LLVM linker has no RISC-V there.

EFI_IMAGE := $(O)/veridian-$(ARCH).efi

ifneq ($(wildcard boot/arch/$(ARCH)/loader.mk),)
include boot/arch/$(ARCH)/loader.mk

LOADER_SOURCES := $(sort $(wildcard boot/*.c boot/arch/$(ARCH)/*.c boot/arch/$(ARCH)/*.S))
LOADER_OBJECTS := $(LOADER_SOURCES:%=$(O)/lobj/%.o)
$(call remember,loader,$(LOADER_OBJECTS))

# No stack protector: its guard would have to come from somewhere, and nothing that the loader reads is an attacker's.
LOADER_FLAGS = --target=$(LOADER_TARGET) -ffreestanding -nostdinc -isystem $(CLANG_RESOURCE)/include \
               $(filter-out -g -fstack-protector-strong,$(CFLAGS_COMMON)) $(LOADER_CFLAGS) \
               -Iboot/arch/$(ARCH) -Ikernel/include -I$(GEN)/include

$(O)/lobj/%.o: % $(MAKEFILES_READ) boot/arch/$(ARCH)/loader.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(LOADER_FLAGS) $(DEPENDENCIES) -c $< -o $@

$(O)/lobj/payload.o: boot/payload.S $(KERNEL) $(BOOT_ARCHIVE) $(MAKEFILES_READ)
	@mkdir -p $(@D)
	$(Q)$(CC) --target=$(LOADER_TARGET) $(filter -march=% -mabi=%,$(LOADER_CFLAGS)) -DKERNEL='"$(KERNEL)"' -DARCHIVE='"$(BOOT_ARCHIVE)"' -c $< -o $@

$(EFI_IMAGE): $(LISTS)/loader $(LOADER_OBJECTS) $(O)/lobj/payload.o
	$(call say,LD,$@)
	$(Q)$(LOADER_LINK)
-include $(LOADER_OBJECTS:.o=.d)
endif

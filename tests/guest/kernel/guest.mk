# A boot archive whose init is the kernel's guest test: freestanding, loaded at a fixed address (the system's own init is position-independent).

GUEST_KERNEL := $(O)/guest/kernel
GUEST_KERNEL_SOURCES := $(sort $(wildcard tests/guest/kernel/*.c) $(GUEST_FRAME))
GUEST_KERNEL_OBJECTS := $(GUEST_KERNEL_SOURCES:%=$(GUEST_KERNEL)/%.o)
GUEST_KERNEL_CFLAGS = --target=$(USER_TARGET) -ffreestanding -nostdinc -isystem $(CLANG_RESOURCE)/include -fno-pic -fno-pie \
                      $(CFLAGS_COMMON) $(USER_ARCH_CFLAGS) -fno-stack-protector -UCONFIG_KASAN -UCONFIG_KCSAN \
                      -Itests/guest/kernel -Ilib/os/include -Ilib/os/arch/$(ARCH)/include -Ikernel/include -Ikernel/arch/$(ARCH)/include -I$(GEN)/include

$(GUEST_KERNEL)/%.o: % $(MAKEFILES_READ) tests/guest/kernel/guest.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(GUEST_KERNEL_CFLAGS) $(DEPENDENCIES) -c $< -o $@
$(GUEST_KERNEL)/init: $(GUEST_KERNEL_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static --gc-sections -z separate-code -z max-page-size=4096 -z noexecstack --build-id=none $^ -o $@
$(GUEST_KERNEL)/boot.img: $(GUEST_KERNEL)/init tools/mkboot
	$(Q)tools/mkboot --out $@ init=$<
-include $(GUEST_KERNEL_OBJECTS:.o=.d)

.PHONY: guest-kernel
guest-kernel: $(KERNEL) $(GUEST_KERNEL)/boot.img

# A boot archive whose init is the system-call fuzzer, in the frame of the kernel's guest tests.

GUEST_FUZZ := $(O)/guest/fuzz
GUEST_FUZZ_OBJECTS := $(patsubst %,$(GUEST_FUZZ)/%.o,$(sort $(wildcard tests/guest/fuzz/*.c)) $(GUEST_FRAME))

$(GUEST_FUZZ)/%.o: % $(MAKEFILES_READ) tests/guest/fuzz/guest.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(GUEST_KERNEL_CFLAGS) $(DEPENDENCIES) -c $< -o $@
$(GUEST_FUZZ)/init: $(GUEST_FUZZ_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static --gc-sections -z separate-code -z max-page-size=4096 -z noexecstack --build-id=none $^ -o $@
$(GUEST_FUZZ)/boot.img: $(GUEST_FUZZ)/init tools/mkboot
	$(Q)tools/mkboot --out $@ init=$<
-include $(GUEST_FUZZ_OBJECTS:.o=.d)

.PHONY: guest-fuzz
guest-fuzz: $(KERNEL) $(GUEST_FUZZ)/boot.img

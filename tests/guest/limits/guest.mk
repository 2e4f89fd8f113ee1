# A boot archive whose init tests what happens at the limits, in the frame of the kernel's guest tests.

GUEST_LIMITS := $(O)/guest/limits
GUEST_LIMITS_OBJECTS := $(patsubst %,$(GUEST_LIMITS)/%.o,$(sort $(wildcard tests/guest/limits/*.c)) $(GUEST_FRAME))

$(GUEST_LIMITS)/%.o: % $(MAKEFILES_READ) tests/guest/limits/guest.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(GUEST_KERNEL_CFLAGS) $(DEPENDENCIES) -c $< -o $@
$(GUEST_LIMITS)/init: $(GUEST_LIMITS_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static --gc-sections -z separate-code -z max-page-size=4096 -z noexecstack --build-id=none $^ -o $@
$(GUEST_LIMITS)/boot.img: $(GUEST_LIMITS)/init tools/mkboot
	$(Q)tools/mkboot --out $@ init=$<
-include $(GUEST_LIMITS_OBJECTS:.o=.d)

.PHONY: guest-limits
guest-limits: $(KERNEL) $(GUEST_LIMITS)/boot.img

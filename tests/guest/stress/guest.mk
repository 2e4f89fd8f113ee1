# A boot archive whose init is the stress test, in the frame of the kernel's guest tests.

GUEST_STRESS := $(O)/guest/stress
GUEST_STRESS_OBJECTS := $(patsubst %,$(GUEST_STRESS)/%.o,$(sort $(wildcard tests/guest/stress/*.c)) $(GUEST_FRAME))

$(GUEST_STRESS)/%.o: % $(MAKEFILES_READ) tests/guest/stress/guest.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(GUEST_KERNEL_CFLAGS) $(DEPENDENCIES) -c $< -o $@
$(GUEST_STRESS)/init: $(GUEST_STRESS_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static --gc-sections -z separate-code -z max-page-size=4096 -z noexecstack --build-id=none $^ -o $@
$(GUEST_STRESS)/boot.img: $(GUEST_STRESS)/init tools/mkboot
	$(Q)tools/mkboot --out $@ init=$<
-include $(GUEST_STRESS_OBJECTS:.o=.d)

.PHONY: guest-stress
guest-stress: $(KERNEL) $(GUEST_STRESS)/boot.img

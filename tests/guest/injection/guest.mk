# A boot archive whose init is killed at every preemption point, in the frame of the kernel's guest tests.

GUEST_INJECTION := $(O)/guest/injection
GUEST_INJECTION_OBJECTS := $(patsubst %,$(GUEST_INJECTION)/%.o,$(sort $(wildcard tests/guest/injection/*.c)) $(GUEST_FRAME))

$(GUEST_INJECTION)/%.o: % $(MAKEFILES_READ) tests/guest/injection/guest.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(GUEST_KERNEL_CFLAGS) $(DEPENDENCIES) -c $< -o $@
$(GUEST_INJECTION)/init: $(GUEST_INJECTION_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static --gc-sections -z separate-code -z max-page-size=4096 -z noexecstack --build-id=none $^ -o $@
$(GUEST_INJECTION)/boot.img: $(GUEST_INJECTION)/init tools/mkboot
	$(Q)tools/mkboot --out $@ init=$<
-include $(GUEST_INJECTION_OBJECTS:.o=.d)

.PHONY: guest-injection
guest-injection: $(KERNEL) $(GUEST_INJECTION)/boot.img

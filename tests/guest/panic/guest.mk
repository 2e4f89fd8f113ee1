# A boot archive whose init is a program for a panic to stop, in the frame of the kernel's guest tests.

GUEST_PANIC := $(O)/guest/panic
GUEST_PANIC_OBJECTS := $(patsubst %,$(GUEST_PANIC)/%.o,$(sort $(wildcard tests/guest/panic/*.c)) $(GUEST_FRAME))

$(GUEST_PANIC)/%.o: % $(MAKEFILES_READ) tests/guest/panic/guest.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(GUEST_KERNEL_CFLAGS) $(DEPENDENCIES) -c $< -o $@
$(GUEST_PANIC)/init: $(GUEST_PANIC_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static --gc-sections -z separate-code -z max-page-size=4096 -z noexecstack --build-id=none $^ -o $@
$(GUEST_PANIC)/boot.img: $(GUEST_PANIC)/init tools/mkboot
	$(Q)tools/mkboot --out $@ init=$<
-include $(GUEST_PANIC_OBJECTS:.o=.d)

.PHONY: guest-panic
guest-panic: $(KERNEL) $(GUEST_PANIC)/boot.img

# A boot archive whose init tests the scheduler, in the frame of the kernel's guest tests.

GUEST_SCHED := $(O)/guest/sched
GUEST_SCHED_OBJECTS := $(patsubst %,$(GUEST_SCHED)/%.o,$(sort $(wildcard tests/guest/sched/*.c)) $(GUEST_FRAME))

$(GUEST_SCHED)/%.o: % $(MAKEFILES_READ) tests/guest/sched/guest.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(GUEST_KERNEL_CFLAGS) $(DEPENDENCIES) -c $< -o $@
$(GUEST_SCHED)/init: $(GUEST_SCHED_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static --gc-sections -z separate-code -z max-page-size=4096 -z noexecstack --build-id=none $^ -o $@
$(GUEST_SCHED)/boot.img: $(GUEST_SCHED)/init tools/mkboot
	$(Q)tools/mkboot --out $@ init=$<
-include $(GUEST_SCHED_OBJECTS:.o=.d)

.PHONY: guest-sched
guest-sched: $(KERNEL) $(GUEST_SCHED)/boot.img

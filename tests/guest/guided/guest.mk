# A boot archive whose init is the system-call fuzzer that coverage guides (of the kcov build), and kernels with planted mistakes for it.

GUEST_GUIDED := $(O)/guest/guided
GUEST_GUIDED_OBJECTS := $(patsubst %,$(GUEST_GUIDED)/%.o,$(sort $(wildcard tests/guest/guided/*.[cS])) tests/guest/fuzz/child.c tests/guest/fuzz/parent.c $(GUEST_FRAME))

$(GUEST_GUIDED)/%.o: % $(MAKEFILES_READ) tests/guest/guided/guest.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(GUEST_KERNEL_CFLAGS) -Itests/guest/fuzz $(DEPENDENCIES) -c $< -o $@
$(GUEST_GUIDED)/tests/guest/guided/corpus.S.o: tests/fuzz/corpus/syscalls
$(GUEST_GUIDED)/init: $(GUEST_GUIDED_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static --gc-sections -z separate-code -z max-page-size=4096 -z noexecstack --build-id=none $^ -o $@
$(GUEST_GUIDED)/boot.img: $(GUEST_GUIDED)/init tools/mkboot
	$(Q)tools/mkboot --out $@ init=$<
-include $(GUEST_GUIDED_OBJECTS:.o=.d)

.PHONY: guest-guided
guest-guided: $(KERNEL) $(GUEST_GUIDED)/boot.img

# Each stands in the place of the system call that its first line names.
ifeq ($(BUILD),kcov)
GUIDED_PLANTS := $(wildcard tests/guest/guided/plants/*.c)
guided_wraps = $(shell sed -n '1s,^/[*] wraps: \([a-z_]*\);.*,--wrap=\1,p' $(1))
$(foreach s,$(GUIDED_PLANTS),$(eval $(call kernel_rule,$(O)/plants/$(notdir $(basename $(s))),$(O)/kobj/$(s).o,$(call guided_wraps,$(s)))))
-include $(GUIDED_PLANTS:%.c=$(O)/kobj/%.c.d)

.PHONY: guided-plants
guided-plants: $(GUIDED_PLANTS:tests/guest/guided/plants/%.c=$(O)/plants/%/kernel.elf) $(GUEST_GUIDED)/boot.img
endif

# Kernels with planted mistakes (make plants: those of this BUILD), and a boot archive whose init calls them.

GUEST_DETECT := $(O)/guest/detect
GUEST_DETECT_OBJECTS := $(patsubst %,$(GUEST_DETECT)/%.o,tests/guest/detect/detect.c $(GUEST_FRAME))

$(GUEST_DETECT)/%.o: % $(MAKEFILES_READ) tests/guest/detect/guest.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(GUEST_KERNEL_CFLAGS) $(DEPENDENCIES) -c $< -o $@
$(GUEST_DETECT)/init: $(GUEST_DETECT_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static --gc-sections -z separate-code -z max-page-size=4096 -z noexecstack --build-id=none $^ -o $@
$(GUEST_DETECT)/boot.img: $(GUEST_DETECT)/init tools/mkboot
	$(Q)tools/mkboot --out $@ init=$<

PLANT_SOURCES := $(shell grep -l '^/[*] build: $(BUILD);' $(wildcard tests/guest/detect/plants/*.c tests/guest/detect/plants/arch/$(ARCH)/*.c))
PLANTS := $(patsubst %,$(O)/plants/%,$(notdir $(basename $(PLANT_SOURCES))))
$(foreach s,$(PLANT_SOURCES),$(eval $(call kernel_rule,$(O)/plants/$(notdir $(basename $(s))),$(O)/kobj/$(s).o,--wrap=sys_system_nop)))
-include $(GUEST_DETECT_OBJECTS:.o=.d) $(PLANT_SOURCES:%.c=$(O)/kobj/%.c.d)

.PHONY: plants
plants: $(PLANTS:%=%/kernel.elf) $(GUEST_DETECT)/boot.img

# A boot archive whose init is a small personality that runs Linux programs, which are built here and carried in it, in the frame of the
# kernel's guest tests.

GUEST_FOREIGN := $(O)/guest/foreign
GUEST_FOREIGN_SOURCES := $(sort $(wildcard tests/guest/foreign/*.c) tests/guest/foreign/programs.S)
GUEST_FOREIGN_OBJECTS := $(patsubst %,$(GUEST_FOREIGN)/%.o,$(GUEST_FOREIGN_SOURCES) $(GUEST_FRAME))
GUEST_FOREIGN_PROGRAMS := $(patsubst tests/guest/foreign/programs/%.c,$(GUEST_FOREIGN)/%.elf,$(sort $(wildcard tests/guest/foreign/programs/*.c)))

$(GUEST_FOREIGN)/%.o: % $(MAKEFILES_READ) tests/guest/foreign/guest.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(GUEST_KERNEL_CFLAGS) -Itests/guest/foreign -Itests/guest/foreign/arch/$(ARCH) -I$(GUEST_FOREIGN) $(DEPENDENCIES) -c $< -o $@
$(GUEST_FOREIGN)/tests/guest/foreign/programs.S.o: $(GUEST_FOREIGN_PROGRAMS)
$(GUEST_FOREIGN)/%.elf: $(GUEST_FOREIGN)/tests/guest/foreign/programs/%.c.o $(GUEST_FOREIGN)/tests/guest/foreign/arch/$(ARCH)/start.S.o
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static -z separate-code -z max-page-size=4096 -z noexecstack --build-id=none $^ -o $@
$(GUEST_FOREIGN)/init: $(GUEST_FOREIGN_OBJECTS)
	$(call say,LD,$@)
	$(Q)$(LD) -nostdlib -static --gc-sections -z separate-code -z max-page-size=4096 -z noexecstack --build-id=none $^ -o $@
$(GUEST_FOREIGN)/boot.img: $(GUEST_FOREIGN)/init tools/mkboot
	$(Q)tools/mkboot --out $@ init=$<
-include $(GUEST_FOREIGN_OBJECTS:.o=.d) $(GUEST_FOREIGN_PROGRAMS:$(GUEST_FOREIGN)/%.elf=$(GUEST_FOREIGN)/tests/guest/foreign/programs/%.c.d)

.SECONDARY: $(patsubst %,$(GUEST_FOREIGN)/%.o,$(wildcard tests/guest/foreign/programs/*.c tests/guest/foreign/arch/$(ARCH)/*.S))
.PHONY: guest-foreign
guest-foreign: $(KERNEL) $(GUEST_FOREIGN)/boot.img

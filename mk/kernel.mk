# The kernel: every .c and .S below kernel/ but the other architectures', and the generated dispatch.
# Linked twice: the second link carries the table of the first one's function names, for backtraces.

KERNEL := $(O)/kernel.elf
KERNEL_DEBUG := $(O)/kernel.debug.elf
KERNEL_SCRIPT := kernel/arch/$(ARCH)/kernel.ld

# lib/devicetree is the kernel's too: it reads the tree before devmgr does.
KERNEL_SOURCES := $(sort lib/devicetree/devicetree.c \
                         $(shell find kernel -path kernel/arch -prune -o \( -name '*.c' -o -name '*.S' \) -print) \
                         $(shell find kernel/arch/$(ARCH) -name '*.c' -o -name '*.S' 2>/dev/null))
KERNEL_OBJECTS := $(KERNEL_SOURCES:%=$(O)/kobj/%.o) $(GEN_KERNEL_SOURCES:%=$(O)/kobj/gen/%.o)

$(call remember,kernel,$(KERNEL_OBJECTS))

KERNEL_INCLUDES := -Ikernel -Ikernel/include -Ikernel/arch/$(ARCH)/include -I$(GEN)/include -I$(GEN)/kernel \
                   -Ilib/devicetree/include -isystemports/libfdt/include -isystem$(LIBFDT)
KERNEL_CFLAGS = --target=$(KERNEL_TARGET) -ffreestanding -nostdinc -isystem $(CLANG_RESOURCE)/include \
                -fno-pic -fno-pie $(CFLAGS_COMMON) -momit-leaf-frame-pointer -Wframe-larger-than=1024 $(KERNEL_ARCH_CFLAGS) \
                $(KERNEL_SANITIZE_$(BUILD)) $(KERNEL_INCLUDES) $(KERNEL_OPTIMISE) $(KERNEL_WHOLE) $(KERNEL_INIT) $(KERNEL_EXTRA_CFLAGS)

# The run time of a sanitiser is not instrumented itself; nor is what runs before shadow memory is mapped, or maps it: early.c and what it
# calls, on the boot CPU alone. Those files say so. What of them runs later reads what has not changed since (the command line, the device
# tree, the kernel's root table), maps a device or a stack while the machine is brought up, or does no more than sums (kernelmap_is_stack).
# Backtraces say it by function (arch_backtrace): they read what a stack may hold.
KERNEL_SANITIZE_kasan := -fsanitize=kernel-address -mllvm -asan-mapping-offset=$(KASAN_SHADOW_OFFSET) \
                         -mllvm -asan-instrumentation-with-call-threshold=10000 -mllvm -asan-stack=1 \
                         -mllvm -asan-globals=1 -Wno-error=frame-larger-than -DKASAN_SHADOW_OFFSET=$(KASAN_SHADOW_OFFSET)
KERNEL_SANITIZE_kcsan := -fsanitize=thread -mllvm -tsan-distinguish-volatile=1 \
                         -mllvm -tsan-instrument-func-entry-exit=0
KERNEL_SANITIZE_kcov := $(KERNEL_SANITIZE_kasan) -fsanitize-coverage=trace-pc
NOT_SANITIZED := -fno-sanitize=kernel-address,thread -fno-sanitize-coverage=trace-pc
UNSANITIZED := kernel/debug/kasan.c kernel/debug/kcsan.c kernel/debug/kcov.c kernel/arch/$(ARCH)/early.c \
               kernel/mm/kernelmap.c kernel/boot/ranges.c kernel/boot/fdt.c kernel/boot/handoff.c lib/devicetree/devicetree.c
$(UNSANITIZED:%=$(O)/kobj/%.o): KERNEL_EXTRA_CFLAGS := $(NOT_SANITIZED)

# What runs at boot alone: of other sources the functions that say INIT_TEXT. It is a section of its own, whose memory is given back when boot is
# over, so nothing that stays may refer to it: tools/check-init looks at every kernel that is linked.
INIT_SOURCES := kernel/arch/$(ARCH)/early.c lib/devicetree/devicetree.c \
                $(addprefix kernel/boot/,cpio.c cpus.c elf.c fdt.c handoff.c init.c ranges.c)
INIT := -include kernel/include/init_text.h
$(INIT_SOURCES:%=$(O)/kobj/%.o): KERNEL_INIT := $(INIT)

# The reader of device trees (ports/libfdt) in this kernel's own build. It runs before shadow memory too.
LIBFDT_SOURCES := fdt.c fdt_ro.c fdt_addresses.c fdt_check.c
LIBFDT_OBJECTS := $(LIBFDT_SOURCES:%=$(O)/kobj/libfdt/%.o)
$(LIBFDT_OBJECTS): KERNEL_EXTRA_CFLAGS := $(NOT_SANITIZED) -Wno-everything
# As one section it would be kept whole, with what refers to parts that are not here; optimised whole, what is not used is gone before.
$(LIBFDT_OBJECTS): KERNEL_INIT = $(if $(KERNEL_WHOLE),$(INIT))
$(O)/kobj/libfdt/%.o: $(LIBFDT)/.stamp $(MAKEFILES_READ)
	@mkdir -p $(@D)
	$(call say,CC,libfdt/$*)
	$(Q)$(CC) $(KERNEL_CFLAGS) $(DEPENDENCIES) -c $(LIBFDT)/$* -o $@

# What runs at every call and fault is compiled for speed, all else for size. The release build is optimised whole, at link time: what one
# file calls once in another has no prologue, no guard and no return of its own. Between files nothing else is inlined.
KERNEL_FAST := $(addprefix kernel/,ipc/fastpath.c cap/cap.c sched/sched.c sched/trap.c sched/wait.c ipc/foreign.c lib/string.c lib/chacha.c \
                 ipc/endpoint.c mm/aspace_fault.c mm/aspace_map.c mm/kmem.c mm/mapping_tree.c \
                 mm/aspace_copy.c mm/pagetable.c obj/notification.c)
ifeq ($(BUILD),release)
$(patsubst %,$(O)/kobj/%.o,$(filter-out $(KERNEL_FAST),$(KERNEL_SOURCES))) $(GEN_KERNEL_SOURCES:%=$(O)/kobj/gen/%.o) $(LIBFDT_OBJECTS): KERNEL_OPTIMISE := $(or $(KERNEL_SMALL),-Oz)
KERNEL_WHOLE := -flto
KERNEL_WHOLE_LINK := -mllvm -inline-threshold=0 $(KERNEL_SMALL_LINK) --icf=safe
# The slow path never returns to the fast one. Who knows that calls it instead of jumping there, and needs a frame for it.
$(O)/kobj/kernel/ipc/fastpath.c.o: KERNEL_WHOLE :=
endif

$(O)/kobj/%.o: % $(MAKEFILES_READ) | $(LIBFDT)/.stamp
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(KERNEL_CFLAGS) $(DEPENDENCIES) -c $< -o $@

$(O)/kobj/gen/%.o: $(GEN)/% $(MAKEFILES_READ)
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(KERNEL_CFLAGS) $(DEPENDENCIES) -c $< -o $@

# Where all is compiled at link time it is the linker that warns of large frames.
KERNEL_LINK = $(LD) -nostdlib -static --build-id=none --gc-sections --fatal-warnings \
              -z max-page-size=4096 -T $(KERNEL_SCRIPT) $(KERNEL_WHOLE_LINK)

$(O)/ksyms-first.S: tools/ksyms $(MAKEFILES_READ)
	@mkdir -p $(@D)
	$(Q)tools/ksyms --empty > $@
$(O)/ksyms-first.o: $(O)/ksyms-first.S
	$(Q)$(KSYMS_CC) -c $< -o $@
KSYMS_CC = $(CC) --target=$(KERNEL_TARGET) $(KERNEL_ARCH_CFLAGS) -Wno-unused-command-line-argument

# What the second link takes, in the rule for $(@D)/kernel.debug.elf.
KERNEL_LINKED = $(if $(KERNEL_WHOLE),$(filter %.S.o %/fastpath.c.o %/ksyms-last.o,$^) $(@D)/kernel.whole.o,$(filter %.o,$^))

# The kernel in folder $(1): kernel.debug.elf and kernel.elf. Tests plant mistakes: further objects $(2), flags of the linker $(3).
# What the first link makes of the whole (kernel.whole.o), the second takes as it is, with what was not part of it.
define kernel_rule
$(1)/kernel.first.elf: $(LISTS)/kernel $(KERNEL_OBJECTS) $(LIBFDT_OBJECTS) $(2) $(O)/ksyms-first.o $(KERNEL_SCRIPT)
	@mkdir -p $$(@D)
	$(Q)$$(KERNEL_LINK) $(3) $(if $(KERNEL_WHOLE),--lto-obj-path=$(1)/kernel.whole.o) $$(filter %.o,$$^) -o $$@
$(1)/ksyms-last.S: $(1)/kernel.first.elf
	$(Q)$(NM) --defined-only --no-sort $$< | tools/ksyms > $$@
$(1)/ksyms-last.o: $(1)/ksyms-last.S
	$(Q)$$(KSYMS_CC) -c $$< -o $$@
$(1)/kernel.debug.elf: $(LISTS)/kernel $(KERNEL_OBJECTS) $(LIBFDT_OBJECTS) $(2) $(1)/ksyms-last.o $(KERNEL_SCRIPT) tools/check-init
	$$(call say,LD,$$@)
	$(Q)tools/check-init $(if $(findstring kernel-address,$(KERNEL_SANITIZE_$(BUILD))),--own) $$(KERNEL_LINKED)
	$(Q)$$(KERNEL_LINK) $(3) $$(KERNEL_LINKED) -o $$@
	@$(NM) --defined-only --no-sort $$@ | tools/ksyms | cmp -s - $(1)/ksyms-last.S || \
	  { echo "ksyms: the names moved between the links: .ksyms must come after the text" >&2; exit 1; }
$(1)/kernel.elf: $(1)/kernel.debug.elf
	$(Q)$(OBJCOPY) --strip-all $$< $$@
	$(Q)$$(KERNEL_FINISH)
endef
$(eval $(call kernel_rule,$(O)))

-include $(KERNEL_OBJECTS:.o=.d) $(LIBFDT_OBJECTS:.o=.d)

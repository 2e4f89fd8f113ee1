# Gates and tests.
#
# A gate is a goal that fails, and prints why, when the tree breaks its rule: format-check, manual-check, lint, boundary, branches, gcc, opaque.
# tests/stages/ holds what `make test` runs, in order; tests/rules/ proves that each gate fires.

# --- host unit tests: tests/unit/<area>/*.c with the sources that its unit.mk lists, under ASan and UBSan -------------
# Those that ask for PORTS := libfdt can write device trees too.

UNIT_AREAS := $(sort $(patsubst tests/unit/%/unit.mk,%,$(wildcard tests/unit/*/unit.mk)))
UNIT_CFLAGS = -std=gnu17 -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all \
              $(WARNINGS) $(CLANG_WARNINGS) -DCONFIG_DEBUG=1 -DUNIT_TEST=1 \
              $(patsubst %,-I%,$(sort $(wildcard lib/*/include lib/*/arch/$(shell uname -m)/include))) \
              -Itests/unit/include -I$(GEN)/include -I$(GEN)/kernel

# Only for tests of kernel sources: the kernel has headers with names of the C library's (sched.h).
UNIT_KERNEL := -Ikernel -Ikernel/include -Ikernel/arch/host/include

UNIT_LIBFDT_OBJECTS := $(patsubst %,$(BUILD_ROOT)/unit/libfdt/%.o,$(LIBFDT_SOURCES) fdt_sw.c fdt_rw.c fdt_wip.c fdt_strerror.c)
$(UNIT_LIBFDT_OBJECTS): $(BUILD_ROOT)/unit/libfdt/%.o: $(LIBFDT)/.stamp $(MAKEFILES_READ)
	@mkdir -p $(@D)
	$(Q)$(CC) $(UNIT_CFLAGS) -Wno-everything -isystem$(LIBFDT) -c $(LIBFDT)/$* -o $@

# $(1) area, $(2) SOURCES, $(3) CFLAGS, $(4) PORTS of its unit.mk
define unit_rule
UNIT_$(1)_OBJECTS := $(patsubst %,$(BUILD_ROOT)/unit/$(1)/%.o,$(sort $(wildcard tests/unit/$(1)/*.c) $(2)))
$$(UNIT_$(1)_OBJECTS): $(BUILD_ROOT)/unit/$(1)/%.o: % $$(MAKEFILES_READ) tests/unit/$(1)/unit.mk $(4:libfdt=| $(LIBFDT)/.stamp)
	@mkdir -p $$(@D)
	$$(call say,CC,$$<)
	$(Q)$$(CC) $(if $(filter kernel/%,$(2)),$(UNIT_KERNEL)) $$(UNIT_CFLAGS) $(3) $(4:libfdt=-isystem$(LIBFDT)) $$(DEPENDENCIES) -c $$< -o $$@
$(BUILD_ROOT)/unit/$(1)/unit: $$(UNIT_$(1)_OBJECTS) $(4:libfdt=$(UNIT_LIBFDT_OBJECTS))
	$$(call say,LD,$$@)
	$(Q)$$(CC) -fsanitize=address,undefined $$^ -o $$@
-include $$(UNIT_$(1)_OBJECTS:.o=.d)
endef
$(foreach a,$(UNIT_AREAS),$(eval SOURCES :=)$(eval CFLAGS :=)$(eval PORTS :=)$(eval \
  include tests/unit/$(a)/unit.mk)$(eval $(call unit_rule,$(a),$(SOURCES),$(CFLAGS),$(PORTS))))

.PHONY: unit unit-build
unit-build: $(UNIT_AREAS:%=$(BUILD_ROOT)/unit/%/unit)
unit: unit-build
	@for a in $(UNIT_AREAS); do echo "# $$a"; $(BUILD_ROOT)/unit/$$a/unit; done
	@for t in $(wildcard tests/unit/*/test_*.py); do echo "# $$t"; python3 $$t; done

# --- which files a gate looks at: all, or with SCOPE=arch those that one architecture alone has. The others differ between
# architectures by nothing but types and flags, which the compiler of record sees on each.

SCOPE ?= all
in_scope = $(if $(filter arch,$(SCOPE)),$(foreach f,$(1),$(if $(findstring arch/$(ARCH)/,$(f)),$(f))),$(1))

# --- format and lint ----------------------------------------------------------------------------------------------

C_FILES := $(sort $(shell find boot kernel lib services drivers fs apps tests -name '*.[ch]' 2>/dev/null))

.PHONY: format format-check lint boundary branches
format:
	clang-format-$(LLVM) -i $(C_FILES)
format-check:
	$(Q)clang-format-$(LLVM) --dry-run -Werror $(C_FILES)

# The manual as the generator writes it.
MANUAL := docs/reference
.PHONY: manual manual-check
manual: gen
	$(Q)mkdir -p $(MANUAL) && rm -f $(MANUAL)/*.md && cp $(GEN)/docs/*.md $(MANUAL)
manual-check: gen
	@diff -r $(GEN)/docs $(MANUAL) || { echo '$(MANUAL) is out of date: run make manual' >&2; exit 1; }

# The boundary of the architecture (tools/check-boundary): a part of the build, of every kind. No kernel is made whose sides share what
# arch.h does not list, and no boot archive of programs that ask which architecture it is.
BOUNDARY_LIST := kernel/include/arch.h
BOUNDARY_USER := apps boot drivers fs lib services tests/bench tests/guest
boundary: $(O)/.boundary $(BUILD_ROOT)/.boundary
$(O)/.boundary: $(KERNEL_OBJECTS) $(LISTS)/kernel tools/check-boundary $(BOUNDARY_LIST) $(wildcard kernel/arch/*/*.[chS] kernel/arch/*/include/*.h)
	$(Q)tools/check-boundary --nm $(NM) --arch $(ARCH) --header $(BOUNDARY_LIST) --more lib/devicetree --more $(GEN)/kernel $(KERNEL_OBJECTS)
	@touch $@
$(BUILD_ROOT)/.boundary: tools/check-boundary $(shell find $(BOUNDARY_USER) -name '*.[chS]' -not -path '*/arch/*')
	$(Q)tools/check-boundary --user $(BOUNDARY_USER)
	@touch $@
$(KERNEL): | $(O)/.boundary
$(BOOT_ARCHIVE): | $(BUILD_ROOT)/.boundary

# Returns and landing pads of what is linked, on the architecture whose fragment says what looks at them.
branches: $(KERNEL) $(BOOT_ARCHIVE)
	$(Q)$(or $(CHECK_BRANCHES),true) $(KERNEL_DEBUG) $(PROGRAMS:%=$(O)/bin/%.debug)

# clang-tidy sees each file with the flags of its object. The stamp makes the gate incremental and parallel.
$(O)/lint/kernel/%: kernel/% .clang-tidy $(O)/kobj/kernel/%.o
	@mkdir -p $(@D)
	$(call say,TIDY,$<)
	$(Q)clang-tidy-$(LLVM) --quiet $< -- $(KERNEL_CFLAGS) 2>/dev/null
	@touch $@
$(O)/lint/boot/%: boot/% .clang-tidy $(O)/lobj/boot/%.o
	@mkdir -p $(@D)
	$(call say,TIDY,$<)
	$(Q)clang-tidy-$(LLVM) --quiet $< -- $(LOADER_FLAGS) 2>/dev/null
	@touch $@
$(O)/lint/%: % .clang-tidy $(O)/uobj/%.o
	@mkdir -p $(@D)
	$(call say,TIDY,$<)
	$(Q)clang-tidy-$(LLVM) --quiet $< -- $(USER_CFLAGS) 2>/dev/null
	@touch $@
LINT_FILES = $(filter %.c,$(patsubst $(O)/kobj/%.o,%,$(filter-out $(O)/kobj/gen/%,$(KERNEL_OBJECTS))) \
                          $(patsubst $(O)/uobj/%.o,%,$(filter-out $(O)/uobj/gen/%,$(USER_OBJECTS))) \
                          $(LOADER_SOURCES))
lint: $(patsubst %,$(O)/lint/%,$(call in_scope,$(LINT_FILES)))

# --- the second compiler, and statuses of a type that mixes with nothing --------------------------------------------

GCC_FLAGS := -Wlogical-op -Wduplicated-cond -Wno-unknown-pragmas
# Flags that only clang has, and their counterparts. Left to the link, gcc would not look for what it sees only when it optimises.
as_gcc = $(patsubst -fsanitize-trap=all,-fsanitize-undefined-trap-on-error,$(filter-out $(CLANG_WARNINGS) --target=% $(KERNEL_WHOLE) \
           -fstrict-flex-arrays=3 -fdebug-compilation-dir=% -momit-leaf-frame-pointer -nostdinc -isystem \
           $(CLANG_RESOURCE)/include $(SYSROOT)/include $(KERNEL_SANITIZE_$(BUILD)),$(1))) $(GCC_FLAGS)
GCC_INCLUDE = -nostdinc -isystem $(shell $(GCC) -print-file-name=include)

$(O)/gcc/kobj/%.o: % | $(LIBFDT)/.stamp
	@mkdir -p $(@D)
	$(call say,GCC,$<)
	$(Q)$(GCC) $(call as_gcc,$(KERNEL_CFLAGS)) $(GCC_INCLUDE) $(DEPENDENCIES) -c $< -o $@
$(O)/gcc/kobj/gen/%.o: $(GEN)/%
	@mkdir -p $(@D)
	$(call say,GCC,$<)
	$(Q)$(GCC) $(call as_gcc,$(KERNEL_CFLAGS)) $(GCC_INCLUDE) $(DEPENDENCIES) -c $< -o $@
$(O)/gcc/uobj/%.o: % | $(SYSROOT)/.stamp $(SYSROOT)/.libfdt
	@mkdir -p $(@D)
	$(call say,GCC,$<)
	$(Q)$(GCC) $(call as_gcc,$(USER_CFLAGS)) -nostdinc -isystem $(SYSROOT)/include $(GCC_INCLUDE) $(DEPENDENCIES) -c $< -o $@
$(O)/gcc/uobj/gen/%.o: $(GEN)/% | $(SYSROOT)/.stamp $(SYSROOT)/.libfdt
	@mkdir -p $(@D)
	$(call say,GCC,$<)
	$(Q)$(GCC) $(call as_gcc,$(USER_CFLAGS)) -nostdinc -isystem $(SYSROOT)/include $(GCC_INCLUDE) $(DEPENDENCIES) -c $< -o $@

$(O)/opaque/kobj/%: % $(O)/kobj/%.o
	@mkdir -p $(@D)
	$(call say,OPAQUE,$<)
	$(Q)$(CC) $(KERNEL_CFLAGS) -DSTATUS_OPAQUE=1 -fsyntax-only $<
	@touch $@
$(O)/opaque/kobj/gen/%: $(GEN)/% $(O)/kobj/gen/%.o
	@mkdir -p $(@D)
	$(call say,OPAQUE,$<)
	$(Q)$(CC) $(KERNEL_CFLAGS) -DSTATUS_OPAQUE=1 -fsyntax-only $<
	@touch $@
$(O)/opaque/uobj/%: % $(O)/uobj/%.o
	@mkdir -p $(@D)
	$(call say,OPAQUE,$<)
	$(Q)$(CC) $(USER_CFLAGS) -DSTATUS_OPAQUE=1 -fsyntax-only $<
	@touch $@
$(O)/opaque/uobj/gen/%: $(GEN)/% $(O)/uobj/gen/%.o
	@mkdir -p $(@D)
	$(call say,OPAQUE,$<)
	$(Q)$(CC) $(USER_CFLAGS) -DSTATUS_OPAQUE=1 -fsyntax-only $<
	@touch $@

# Assembly has no statuses, and one assembler is enough.
ALL_C_OBJECTS = $(filter %.c.o,$(KERNEL_OBJECTS) $(USER_OBJECTS))
.PHONY: gcc opaque
gcc: $(patsubst $(O)/%,$(O)/gcc/%,$(call in_scope,$(ALL_C_OBJECTS)))
opaque: $(patsubst $(O)/%.o,$(O)/opaque/%,$(call in_scope,$(ALL_C_OBJECTS)))

# --- for tests of the rules: the flags as response files -------------------------------------------------------------

.PHONY: flags
flags:
	@$(shell mkdir -p $(O)/flags)
	@$(file >$(O)/flags/clang-kernel,$(KERNEL_CFLAGS))
	@$(file >$(O)/flags/clang-user,$(filter-out -MMD,$(USER_CFLAGS)))
	@$(file >$(O)/flags/gcc-kernel,$(call as_gcc,$(KERNEL_CFLAGS)) $(GCC_INCLUDE))
	@$(file >$(O)/flags/hardening,$(HARDENING))

# Every header stands alone (those in an arch folder are parts of one that includes them).
HEADERS_KERNEL := $(sort $(shell find kernel/include kernel/arch/$(ARCH)/include -name '*.h' 2>/dev/null))
HEADERS_USER := $(sort $(shell find lib -path '*/include/*' -name '*.h' -not -path '*/arch/*' 2>/dev/null))
.PHONY: headers
headers: $(HEADERS_KERNEL:%=$(O)/headers/kernel/%) $(HEADERS_USER:%=$(O)/headers/user/%)
$(O)/headers/kernel/%.h: %.h $(MAKEFILES_READ)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KERNEL_CFLAGS) -MMD -MP -MF $@.d -MT $@ -c -include $< -x c /dev/null -o $@.o
	@touch $@
$(O)/headers/user/%.h: %.h $(MAKEFILES_READ) | $(SYSROOT)/.stamp $(SYSROOT)/.libfdt
	@mkdir -p $(@D)
	$(Q)$(CC) $(USER_CFLAGS) -MMD -MP -MF $@.d -MT $@ -c -include $< -x c /dev/null -o $@.o
	@touch $@
-include $(HEADERS_KERNEL:%=$(O)/headers/kernel/%.d) $(HEADERS_USER:%=$(O)/headers/user/%.d)

# --- proofs by CBMC of the kernel's own sources: all of them, with a table; PROOFS='ring buddy …' only those -----------------

PROOFS ?= $(patsubst tests/proof/cbmc/%.c,%,$(wildcard tests/proof/cbmc/*.c))
.PHONY: prove
prove: gen
	@tests/proof/cbmc/check --build-root $(BUILD_ROOT) --table $(PROOFS:%=tests/proof/cbmc/%.c)

# --- all of it ----------------------------------------------------------------------------------------------------

.PHONY: test test-long parity
# STAGES='10-format …' runs only those; ARCH=… only what that architecture has, else it is the one for what is done once.
STAGES ?=
ARCHS := $(ARCH) $(if $(filter file,$(origin ARCH)),$(filter-out $(ARCH),$(ARCHS_ALL)))
# BUILD, SMP and MEM change what the guest and system tests run on when they are given (tests/stages/README.md); else each stage has its own, and
# what a test starts by make has the defaults.
given = $(if $(call is-given,$(1)),$(2)=$($(1)))
TEST_RUNNER = env -u BUILD -u SMP -u MEM -u DISK $(call given,BUILD,BUILDS) $(call given,BUILD,TEST_BUILD) $(call given,SMP,TEST_SMP) $(call given,MEM,TEST_MEM) \
              SETUP_SECONDS=$(SETUP_SECONDS) BUILD_ROOT=$(BUILD_ROOT) ARCH=$(ARCH) ARCHS='$(ARCHS)' MAKE=$(MAKE) JOBS=$${JOBS:-$$(nproc)} tools/test-runner \
              $(if $(STAGES),--only $(STAGES) --)
test:
	@$(TEST_RUNNER) tests/stages
test-long:
	@$(TEST_RUNNER) tests/stages tests/stages-long
# The README's table of features and architectures, from what the last test run left.
parity:
	@BUILD_ROOT=$(BUILD_ROOT) tools/parity --build-root $(BUILD_ROOT) --write README.md

# --- the benchmark's counter, a plugin of QEMU ------------------------------------------------------------------------

BENCH_COUNTER := $(BUILD_ROOT)/bench/count.so
$(BENCH_COUNTER): tests/bench/count.c $(wildcard tests/bench/arch/*/count.c) tests/bench/count.h ports/qemu/recipe ports/fetch $(BUILD_ROOT)/setup.mk
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) -std=gnu17 -O2 $(WARNINGS) $(CLANG_WARNINGS) -shared -fPIC \
	  -isystem "$$(ports/fetch qemu --build-root $(BUILD_ROOT))/include/qemu" $(filter %.c,$^) -o $@
.PHONY: bench-counter
bench-counter: $(BENCH_COUNTER)

# --- guest tests that bring a boot archive of their own ---------------------------------------------------------------

# The frame of those that are an init without a C library (tests/guest/kernel/guest.h), and the architecture's part of it.
GUEST_FRAME := tests/guest/kernel/guest.c $(sort $(wildcard tests/guest/kernel/arch/$(ARCH)/*)) kernel/lib/string.c kernel/lib/format.c

include $(sort $(wildcard tests/guest/*/guest.mk))
# What all programs read, those of the tests among them.
-include $(USER_OBJECTS:.o=.d)

# Variables, folders, tools and compiler flags.
#
# Goals
#   all           kernel.elf and boot.img (the default)
#   image         a disk that a UEFI firmware boots  (with DISK as its root file system)
#   run           boot QEMU on the terminal          debug       the same, halted, with gdb attached
#   prof          a flame graph of CMD, as SVG
#   test          what CI runs                       test-long   and what takes longer
#   prove         CBMC on the kernel's sources
#   unit          host unit tests                    bench       figures beside their budgets
#   format        clang-format in place              lint        clang-tidy and the other gates
#   gen           run the IDL generator              manual      write docs/reference anew
#   clean         remove the build folder
# Variables
#   ARCH=x86_64   BUILD=release|debug|kasan|kcsan|kcov   SMP=4  MEM=256M     (bench: ARCH only)
#   CMD='…'       one command line for run           DISK=file.img   another root disk   WRITE=1  keep its changes
#   APPEND='…'    words for the kernel's command line
#   SEED=number   what the fuzzers of test send, when its tests kill services, where they damage disks (each says what it was)
#   BOOT=direct|uefi   how run and debug start: kernel.elf and boot.img given by QEMU, or the disk by the firmware
#   SCREEN=gtk    a display beside the serial console, shown as QEMU's -display says (gtk, sdl, vnc=:1 …)
#   BUILD_ROOT=build   where everything built goes   V=1   show the commands

ARCH ?= x86_64
# What is measured and tested is what is shipped, so release is the default everywhere.
BUILD ?= release
SMP ?= 4
MEM ?= 256M
BOOT ?= direct
APPEND ?=
CMD ?=
SCREEN ?=
WRITE ?=
BUILD_ROOT ?= build

# Was the variable set by who calls make?
is-given = $(filter command% environment%,$(origin $(1)))

ifeq ($(filter $(BUILD),release debug kasan kcsan kcov),)
$(error BUILD=$(BUILD): one of release, debug, kasan, kcsan, kcov)
endif
# Those that mk/arch-<name>.mk is there for; the one that is asked for first.
ARCHS_ALL := $(patsubst mk/arch-%.mk,%,$(wildcard mk/arch-*.mk))
ifeq ($(filter $(ARCH),$(ARCHS_ALL)),)
$(error ARCH=$(ARCH): one of $(ARCHS_ALL))
endif
ifeq ($(filter $(BOOT),direct uefi),)
$(error BOOT=$(BOOT): one of direct, uefi)
endif

O := $(BUILD_ROOT)/$(ARCH)/$(BUILD)
GEN := $(BUILD_ROOT)/gen
SYSROOT := $(BUILD_ROOT)/$(ARCH)/sysroot

LLVM := 19
CC := clang-$(LLVM)
LD := ld.lld-$(LLVM)
AR := llvm-ar-$(LLVM)
NM := llvm-nm-$(LLVM)
OBJCOPY := llvm-objcopy-$(LLVM)

# One short line for each step, beside what is asked for on the standard output; V=1 shows the commands.
V ?=
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %s  %s\n' $(1) $(2) >&2)

# Every object is made anew when the rules that make it change.
MAKEFILES_READ = Makefile $(wildcard mk/*.mk)

ifneq ($(MAKECMDGOALS),clean)
# Tools first: everything else needs them. The fragment says where clang keeps its own headers and run time.
include $(BUILD_ROOT)/setup.mk
include $(GEN)/gen.mk
endif

$(BUILD_ROOT)/setup.mk: tools/setup
	@tools/setup --fragment $@

# One run of the generator writes everything; it leaves files alone that would not change.
IDL := $(sort $(wildcard abi/*.idl idl/*.idl))
$(GEN)/gen.mk: $(BUILD_ROOT)/setup.mk $(wildcard tools/idlgen/*.py) $(IDL)
	@mkdir -p $(GEN)
	@python3 tools/idlgen -o $(GEN) $(IDL)
	@cd $(GEN) && { echo "GEN_USER_SOURCES := $$(find src -name '*.c' 2>/dev/null | LC_ALL=C sort | tr '\n' ' ')"; \
	  echo "GEN_KERNEL_SOURCES := $$(find kernel -name '*.c' | LC_ALL=C sort | tr '\n' ' ')"; } > gen.mk

# A file that changes when a list does, for what must be made anew when one of its inputs goes away:
# $(call remember,NAME,LIST) writes LISTS/NAME unless it holds LIST already.
LISTS := $(O)/lists
ifneq ($(MAKECMDGOALS),clean)
$(shell mkdir -p $(LISTS))
endif
empty :=
space := $(empty) $(empty)
one_word = x$(subst $(space),|,$(strip $(1)))
remember = $(if $(filter-out $(call one_word,$(2)),$(call one_word,$(file <$(LISTS)/$(1)))),$(file >$(LISTS)/$(1),$(strip $(2))))

# --- third-party sources that are compiled more than one way ---------------------------------------------------

# The reader of device trees: kernel, user space, and host unit tests.
LIBFDT := $(BUILD_ROOT)/ports/src/libfdt/libfdt
$(LIBFDT)/.stamp: ports/libfdt/recipe ports/fetch $(BUILD_ROOT)/setup.mk
	$(Q)ports/fetch libfdt --build-root $(BUILD_ROOT) >/dev/null
	@touch $@

# --- flags for every C file -----------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wconversion -Wsign-conversion -Wundef -Wvla -Wcast-align \
            -Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough -Wformat=2
CLANG_WARNINGS := -Wthread-safety -Wthread-safety-beta -Wmissing-variable-declarations -Wcomma -Wassign-enum

# Nothing of the folder, the time or the locale may reach an object.
REPRODUCIBLE := -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(abspath $(BUILD_ROOT))=build \
                -ffile-prefix-map=$(BUILD_ROOT)=build \
                -fdebug-compilation-dir=. -Wdate-time -fno-ident
HARDENING := -fstack-protector-strong -ftrivial-auto-var-init=zero -fstrict-flex-arrays=3 \
             -fsanitize=bounds,signed-integer-overflow -fsanitize-trap=all -fno-strict-aliasing \
             -fno-delete-null-pointer-checks

OPTIMISE_release := -O2
OPTIMISE_debug := -O1
OPTIMISE_kasan := -O1
OPTIMISE_kcsan := -O1
OPTIMISE_kcov := -O1
# The sanitiser builds are debug builds too; kcov is kasan, with coverage.
BUILD_DEFINES_release :=
BUILD_DEFINES_debug := -DCONFIG_DEBUG=1
BUILD_DEFINES_kasan := -DCONFIG_DEBUG=1 -DCONFIG_KASAN=1
BUILD_DEFINES_kcsan := -DCONFIG_DEBUG=1 -DCONFIG_KCSAN=1
BUILD_DEFINES_kcov := $(BUILD_DEFINES_kasan) -DCONFIG_KCOV=1

CFLAGS_COMMON := -std=gnu17 -g -fno-common -ffunction-sections -fdata-sections -fno-omit-frame-pointer \
                 $(WARNINGS) $(CLANG_WARNINGS) $(REPRODUCIBLE) $(HARDENING) $(OPTIMISE_$(BUILD)) $(BUILD_DEFINES_$(BUILD))
DEPENDENCIES = -MMD -MP -MF $(@:.o=.d) -MT $@
ARCHIVE = rm -f $@ && $(AR) rcsD $@ $(filter %.o,$^)

# The architecture's own flags: KERNEL_ARCH_CFLAGS, USER_ARCH_CFLAGS, *_TARGET, and the second compiler, GCC.
include mk/arch-$(ARCH).mk

# VeridianOS: the front door.
#
#   make run                  install what is missing, build, boot to a prompt (Ctrl-A X leaves)
#   make run CMD='ls -l /'    boot, run one command line, print its output, end with its status
#   make test                 everything that CI checks; ends with "N passed, N failed"
#   make help                 the other goals and the variables
#
# How it works: this file holds the goals. mk/config.mk turns the variables into folders and compiler flags,
# mk/kernel.mk and mk/user.mk find the sources by wildcard and say how they become kernel.elf and boot.img,
# mk/check.mk has the gates and tests. Two fragments are made before anything else is looked at, by make's own
# remaking of included files: setup.mk (the tools are installed) and gen.mk (the sources that idlgen writes).
# Every object depends on the headers it read (-MMD) and on the makefiles; nothing is ever built by recursion.

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-builtin-variables
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

.PHONY: all
all: image-direct

include mk/config.mk
include mk/kernel.mk
include mk/user.mk
include mk/boot.mk
include mk/check.mk

# --- what is booted -------------------------------------------------------------------------------------------

.PHONY: image image-direct kernel user gen
image-direct: kernel user
kernel: $(KERNEL)
user: $(BOOT_ARCHIVE)
gen: $(GEN)/gen.mk

# The default root disk does not depend on ARCH or BUILD: real files of pinned Debian packages.
DEFAULT_DISK := $(BUILD_ROOT)/root.img
$(DEFAULT_DISK): tools/mkdisk $(wildcard ports/rootfs-data/*)
	$(call say,MK,$@)
	$(Q)tools/mkdisk --out $@ >&2

DISK ?= $(DEFAULT_DISK)
DISK_GOAL := $(filter $(DEFAULT_DISK),$(DISK))

# The disk that a firmware boots: the UEFI image in a system partition, the root disk behind it.
IMAGE := $(O)/veridian-$(ARCH).img
$(call remember,image,$(DISK))
$(IMAGE): $(EFI_IMAGE) $(LISTS)/image tools/mkimage $(DISK)
	$(call say,MK,$@)
	$(Q)tools/mkimage disk --arch $(ARCH) --efi $(EFI_IMAGE) --root '$(DISK)' --out $@

image: $(IMAGE)

START_direct := --kernel $(KERNEL) --archive $(BOOT_ARCHIVE) $(if $(DISK),--disk '$(DISK)')
START_uefi := --disk $(IMAGE)
GOALS_direct := image-direct $(DISK_GOAL)
GOALS_uefi := $(IMAGE)

RUN := tools/run --arch $(ARCH) --boot $(BOOT) $(START_$(BOOT)) --symbols $(KERNEL_DEBUG) \
       --log $(O)/boot.log --smp $(SMP) --mem $(MEM) $(if $(WRITE),--write) $(if $(APPEND),--append '$(APPEND)') \
       $(if $(SCREEN),--display '$(SCREEN)')

.PHONY: run debug bench prof
# CMD travels in the environment as it was given, so that no quote in it meets a shell and no $ meets make.
override CMD := $(value CMD)
export CMD
run: $(GOALS_$(BOOT))
	@exec $(RUN) $(if $(CMD),--command-from-environment CMD)

# Where the time goes while CMD runs: a flame graph with the names of all functions (docs/tracing.md).
prof: $(GOALS_$(BOOT))
	@CMD="prof -o - $$CMD" $(RUN) --command-from-environment CMD | tools/flamegraph --build $(O) --title "$$CMD"

debug: $(GOALS_$(BOOT))
	@exec $(RUN) --debug

# PROFILE=figure tells where its instructions are spent. The budgets are of the release build, and each figure has a machine of its own.
ifneq ($(filter bench,$(MAKECMDGOALS)),)
$(foreach v,BUILD SMP MEM,$(if $(call is-given,$(v)),$(if $(filter BUILD=release,$(v)=$($(v))),,$(error \
  make bench $(v)=$($(v)): it measures the release build, on the machines that tests/bench/README.md names))))
endif
PROFILE ?=
bench: image-direct $(IMAGE) $(DISK_GOAL) $(BENCH_COUNTER)
	tests/bench/run --arch $(ARCH) --build-root $(BUILD_ROOT) \
	  $(if $(PROFILE),--profile $(PROFILE),--out $(BUILD_ROOT)/$(ARCH)/bench.json)

.PHONY: clean help
clean:
	rm -rf $(BUILD_ROOT)

help:
	@sed -n '/^# Goals/,/^$$/p' mk/config.mk | sed 's/^# \{0,1\}//'

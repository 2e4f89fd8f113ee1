# User space: libraries (lib/<name>), programs (a folder with program.mk, or one file in apps/), the boot archive.
# A program is a static position-independent executable: its folder's .c files, the libraries that program.mk
# names in LIBS, and always the IDL stubs (idl), lib/os and musl. program.mk may list further NAMES of the program, which
# become symbolic links in the boot archive: one program that does what the name says by which it was called; and GENERATED: sources below
# $(GEN) that are its too.

BOOT_ARCHIVE := $(O)/boot.img

# The folder of the program or library that $< belongs to: its headers are seen from the folders below it too.
own_folder = $(subst $(space),/,$(wordlist 1,$(if $(filter drivers/% tests/%,$<),3,2),$(subst /, ,$(dir $<))))

USER_INCLUDES = $(patsubst %,-I%,$(sort $(wildcard lib/*/include lib/*/arch/$(ARCH)/include))) -I$(GEN)/include \
                -isystem $(SYSROOT)/include -isystem $(CLANG_RESOURCE)/include
USER_CFLAGS = --target=$(USER_TARGET) -nostdinc -fPIE $(CFLAGS_COMMON) $(USER_ARCH_CFLAGS) -I$(own_folder) $(USER_INCLUDES)

$(O)/uobj/%.o: % $(MAKEFILES_READ) | $(SYSROOT)/.stamp $(SYSROOT)/.libfdt
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(USER_CFLAGS) $(DEPENDENCIES) -c $< -o $@

$(O)/uobj/gen/%.o: $(GEN)/% $(MAKEFILES_READ) | $(SYSROOT)/.stamp $(SYSROOT)/.libfdt
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(USER_CFLAGS) $(DEPENDENCIES) -c $< -o $@

# musl, unpacked from its pinned source package and built by its recipe.
$(SYSROOT)/.stamp: $(wildcard ports/musl/* ports/musl/*/* ports/build ports/fetch) $(BUILD_ROOT)/setup.mk
	$(call say,PORT,musl)
	$(Q)ports/build musl --arch $(ARCH) --build-root $(BUILD_ROOT) >&2
	@touch $@
$(SYSROOT)/.libfdt: $(SYSROOT)/.stamp $(LIBFDT)/.stamp ports/libfdt/build
	$(Q)ports/build libfdt --arch $(ARCH) --build-root $(BUILD_ROOT)
	@touch $@

# --- libraries ------------------------------------------------------------------------------------------------

# The sources of a folder and those below it, of other architectures none.
sources_in = $(sort $(shell find $(1) -name arch -prune -o \( -name '*.c' -o -name '*.S' \) -print; \
                            find $(wildcard $(1)/arch/$(ARCH)) /dev/null -name '*.c' -o -name '*.S'))

LIBRARIES := $(sort $(shell find lib/ -mindepth 2 -name '*.c' 2>/dev/null | cut -d/ -f2))
define library_rule
LIB_$(1)_OBJECTS := $(patsubst %,$(O)/uobj/%.o,$(call sources_in,lib/$(1)))
$$(call remember,lib$(1),$$(LIB_$(1)_OBJECTS))
$(O)/lib/lib$(1).a: $(LISTS)/lib$(1) $$(LIB_$(1)_OBJECTS)
	@mkdir -p $$(@D)
	$$(call say,AR,$$@)
	$(Q)$$(ARCHIVE)
USER_OBJECTS += $$(LIB_$(1)_OBJECTS)
endef
$(foreach l,$(LIBRARIES),$(eval $(call library_rule,$(l))))

IDL_OBJECTS := $(GEN_USER_SOURCES:%=$(O)/uobj/gen/%.o)
USER_OBJECTS += $(IDL_OBJECTS)
$(call remember,libidl,$(IDL_OBJECTS))
$(O)/lib/libidl.a: $(LISTS)/libidl $(IDL_OBJECTS)
	@mkdir -p $(@D)
	$(call say,AR,$@)
	$(Q)$(ARCHIVE)

# --- programs -------------------------------------------------------------------------------------------------

# lib/os has the first instruction, _start.
USER_LINK = $(LD) -e _start -nostdlib -static -pie --no-dynamic-linker -z relro -z now -z text -z separate-code \
            -z max-page-size=4096 -z noexecstack --gc-sections --build-id=none --hash-style=gnu
USER_BUILTINS ?= $(CLANG_RESOURCE)/lib/linux/libclang_rt.builtins-$(ARCH).a

# $(1) the program's name in the boot archive, $(2) its sources, $(3) its LIBS, $(4) its other NAMES, $(5) its GENERATED sources
define program_rule
PROGRAMS += $(1)
PROGRAM_LINKS += $(4:%=%@$(1))
PROGRAM_$(1)_OBJECTS := $(patsubst %,$(O)/uobj/%.o,$(2)) $(patsubst %,$(O)/uobj/gen/%.o,$(5))
$$(call remember,program-$(1),$$(PROGRAM_$(1)_OBJECTS) $(3))
$(O)/bin/$(1): $(LISTS)/program-$(1) $$(PROGRAM_$(1)_OBJECTS) $(patsubst %,$(O)/lib/lib%.a,$(sort $(3) idl $(filter os,$(LIBRARIES)))) | $(SYSROOT)/.stamp $(SYSROOT)/.libfdt
	@mkdir -p $$(@D)
	$$(call say,LD,$$@)
	$(Q)$$(USER_LINK) $$(PROGRAM_$(1)_OBJECTS) --start-group \
	  $$(filter %.a,$$^) $(SYSROOT)/lib/libfdt.a $(SYSROOT)/lib/libc.a $$(USER_BUILTINS) --end-group -o $$@.debug
	$(Q)$$(OBJCOPY) --strip-all $$@.debug $$@
USER_OBJECTS += $$(PROGRAM_$(1)_OBJECTS)
endef

PROGRAM_FOLDERS := $(sort $(patsubst %/program.mk,%,$(wildcard $(addsuffix /program.mk,services/* drivers/*/* fs/* apps/* tests/guest/*))))
$(foreach p,$(PROGRAM_FOLDERS),$(eval LIBS :=)$(eval NAMES :=)$(eval GENERATED :=)$(eval \
  include $(p)/program.mk)$(eval \
  $(call program_rule,$(notdir $(p)),$(call sources_in,$(p)),$(LIBS),$(NAMES),$(GENERATED))))

LIBS :=
-include apps/program.mk
$(foreach s,$(sort $(wildcard apps/*.c)),$(eval $(call program_rule,$(notdir $(s:.c=)),$(s),$(LIBS),)))

# --- generated sources ----------------------------------------------------------------------------------------

# The console's font: glyphs of the pinned package as a table.
$(GEN)/font/table.c: tools/mkfont ports/unifont/recipe ports/fetch $(BUILD_ROOT)/setup.mk
	@mkdir -p $(@D)
	$(call say,MK,$@)
	$(Q)tools/mkfont --out $@ "$$(ports/fetch unifont --build-root $(BUILD_ROOT))/usr/share/unifont/unifont.hex"

# --- the boot archive -----------------------------------------------------------------------------------------

MANIFESTS := $(sort $(wildcard $(addsuffix /manifest.toml,services/* drivers/*/* fs/* apps/* tests/guest/*)))
CATALOGUE := $(O)/catalogue
$(call remember,catalogue,$(MANIFESTS))
$(CATALOGUE): $(LISTS)/catalogue $(wildcard tools/mkcatalogue) $(MANIFESTS)
	$(call say,MK,$@)
	$(Q)tools/mkcatalogue --out $@ $(MANIFESTS)

$(call remember,boot,$(PROGRAMS) $(PROGRAM_LINKS))
$(BOOT_ARCHIVE): $(LISTS)/boot tools/mkboot $(PROGRAMS:%=$(O)/bin/%) $(if $(wildcard tools/mkcatalogue),$(CATALOGUE)) $(MAKEFILES_READ)
	$(call say,MK,$@)
	$(Q)tools/mkboot --out $@ $(foreach p,$(PROGRAMS),$(p)=$(O)/bin/$(p)) $(PROGRAM_LINKS) $(if $(wildcard tools/mkcatalogue),catalogue=$(CATALOGUE))

# Gates and tests: mostly the names of what tests/ and tools/ do.

# --- host unit tests: tests/unit/<area>/*.c with the sources that its unit.mk lists, under ASan and UBSan ----------

UNIT_AREAS := $(sort $(patsubst tests/unit/%/unit.mk,%,$(wildcard tests/unit/*/unit.mk)))
UNIT_CFLAGS = -std=gnu17 -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all \
              $(WARNINGS) $(CLANG_WARNINGS) -DCONFIG_DEBUG=1 -DUNIT_TEST=1 \
              -Ikernel -Ikernel/include -Ikernel/arch/host/include $(patsubst %,-I%,$(sort $(wildcard lib/*/include))) \
              -Itests/unit/include -I$(GEN)/include -I$(GEN)/kernel

# $(1) area, $(2) SOURCES, $(3) CFLAGS of its unit.mk
define unit_rule
UNIT_$(1)_OBJECTS := $(patsubst %,$(BUILD_ROOT)/unit/$(1)/%.o,$(sort $(wildcard tests/unit/$(1)/*.c) $(2)))
$$(UNIT_$(1)_OBJECTS): $(BUILD_ROOT)/unit/$(1)/%.o: % $$(MAKEFILES_READ) tests/unit/$(1)/unit.mk
	@mkdir -p $$(@D)
	$$(call say,CC,$$<)
	$(Q)$$(CC) $$(UNIT_CFLAGS) $(3) $$(DEPENDENCIES) -c $$< -o $$@
$(BUILD_ROOT)/unit/$(1)/unit: $$(UNIT_$(1)_OBJECTS)
	$$(call say,LD,$$@)
	$(Q)$$(CC) -fsanitize=address,undefined $$^ -o $$@
-include $$(UNIT_$(1)_OBJECTS:.o=.d)
endef
$(foreach a,$(UNIT_AREAS),$(eval SOURCES :=)$(eval CFLAGS :=)$(eval include tests/unit/$(a)/unit.mk)$(eval \
  $(call unit_rule,$(a),$(SOURCES),$(CFLAGS))))

.PHONY: unit unit-build
unit-build: $(UNIT_AREAS:%=$(BUILD_ROOT)/unit/%/unit)
unit: unit-build
	@for a in $(UNIT_AREAS); do echo "# $$a"; $(BUILD_ROOT)/unit/$$a/unit; done

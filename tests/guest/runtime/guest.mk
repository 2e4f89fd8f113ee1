# A boot archive of its own, with the system's first services and the runtime's tests.

GUEST_RUNTIME := $(O)/guest/runtime
GUEST_RUNTIME_SERVICES := init svcmgr logd power

# Built like all programs, but not part of the system's own boot archive.
GUEST_RUNTIME_SAVED := $(PROGRAMS)
$(foreach p,tests child,$(eval $(call program_rule,runtime-$(p),$(call sources_in,tests/guest/runtime/$(p)),,tests/guest/runtime/$(p))))
PROGRAMS := $(GUEST_RUNTIME_SAVED)

GUEST_RUNTIME_MANIFESTS := $(GUEST_RUNTIME_SERVICES:%=services/%/manifest.toml) tests/guest/runtime/tests/manifest.toml

$(GUEST_RUNTIME)/catalogue: tools/mkcatalogue $(GUEST_RUNTIME_MANIFESTS)
	@mkdir -p $(@D)
	$(Q)tools/mkcatalogue --out $@ $(GUEST_RUNTIME_MANIFESTS)
$(GUEST_RUNTIME)/boot.img: tools/mkboot $(GUEST_RUNTIME)/catalogue $(GUEST_RUNTIME_SERVICES:%=$(O)/bin/%) $(O)/bin/runtime-tests $(O)/bin/runtime-child
	$(Q)tools/mkboot --out $@ catalogue=$(GUEST_RUNTIME)/catalogue $(foreach p,$(GUEST_RUNTIME_SERVICES),$(p)=$(O)/bin/$(p)) \
	  tests=$(O)/bin/runtime-tests child=$(O)/bin/runtime-child

.PHONY: guest-runtime
guest-runtime: $(KERNEL) $(GUEST_RUNTIME)/boot.img

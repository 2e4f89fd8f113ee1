# The system's boot archive and a faulty driver.

GUEST_FAULTY := $(O)/guest/faulty

GUEST_FAULTY_SAVED := $(PROGRAMS)
$(eval $(call program_rule,faulty,$(call sources_in,tests/guest/faulty/faulty),virtio driver,))
PROGRAMS := $(GUEST_FAULTY_SAVED)

$(GUEST_FAULTY)/catalogue: tools/mkcatalogue $(MANIFESTS) tests/guest/faulty/faulty/manifest.toml
	@mkdir -p $(@D)
	$(Q)tools/mkcatalogue --out $@ $(MANIFESTS) tests/guest/faulty/faulty/manifest.toml
$(GUEST_FAULTY)/boot.img: tools/mkboot $(GUEST_FAULTY)/catalogue $(PROGRAMS:%=$(O)/bin/%) $(O)/bin/faulty
	$(Q)tools/mkboot --out $@ $(foreach p,$(PROGRAMS),$(p)=$(O)/bin/$(p)) $(PROGRAM_LINKS) catalogue=$(GUEST_FAULTY)/catalogue \
	  faulty=$(O)/bin/faulty

.PHONY: guest-faulty
guest-faulty: $(KERNEL) $(GUEST_FAULTY)/boot.img

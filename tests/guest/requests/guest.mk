# A boot archive of its own: the services of a system with a disk, and the fuzzer of their requests. The disk is that of tests/guest/vfs.

GUEST_REQUESTS := $(O)/guest/requests
GUEST_REQUESTS_PROGRAMS := init svcmgr logd power devmgr virtio-blk uart16550 pl011 ext4 vfs

GUEST_REQUESTS_SAVED := $(PROGRAMS)
$(foreach p,fuzz victim,$(eval $(call program_rule,requests-$(p),$(call sources_in,tests/guest/requests/$(p)),,tests/guest/requests/$(p))))
PROGRAMS := $(GUEST_REQUESTS_SAVED)

GUEST_REQUESTS_MANIFESTS := $(filter $(foreach p,$(GUEST_REQUESTS_PROGRAMS),%/$(p)/manifest.toml),$(MANIFESTS)) \
                            tests/guest/requests/fuzz/manifest.toml tests/guest/requests/victim/manifest.toml

$(GUEST_REQUESTS)/catalogue: tools/mkcatalogue $(GUEST_REQUESTS_MANIFESTS)
	@mkdir -p $(@D)
	$(Q)tools/mkcatalogue --out $@ $(GUEST_REQUESTS_MANIFESTS)
$(GUEST_REQUESTS)/boot.img: tools/mkboot $(GUEST_REQUESTS)/catalogue $(GUEST_REQUESTS_PROGRAMS:%=$(O)/bin/%) $(O)/bin/requests-fuzz $(O)/bin/requests-victim
	$(Q)tools/mkboot --out $@ catalogue=$(GUEST_REQUESTS)/catalogue $(foreach p,$(GUEST_REQUESTS_PROGRAMS),$(p)=$(O)/bin/$(p)) \
	  fuzz=$(O)/bin/requests-fuzz victim=$(O)/bin/requests-victim

# init and the fuzzer alone.
GUEST_KEEPER := $(O)/guest/keeper
$(GUEST_KEEPER)/catalogue: tools/mkcatalogue services/init/manifest.toml tests/guest/requests/svcmgr/manifest.toml
	@mkdir -p $(@D)
	$(Q)tools/mkcatalogue --out $@ $(filter %.toml,$^)
$(GUEST_KEEPER)/boot.img: tools/mkboot $(GUEST_KEEPER)/catalogue $(O)/bin/init $(O)/bin/requests-fuzz
	$(Q)tools/mkboot --out $@ catalogue=$(GUEST_KEEPER)/catalogue init=$(O)/bin/init svcmgr=$(O)/bin/requests-fuzz

.PHONY: guest-requests guest-keeper
guest-keeper: $(KERNEL) $(GUEST_KEEPER)/boot.img
guest-requests: $(KERNEL) $(GUEST_REQUESTS)/boot.img $(O)/guest/vfs/disk.img

# A boot archive of its own: the services that files need, and the program that tests them. The disk comes from
# tests/guest/vfs/mkdisk.

GUEST_VFS := $(O)/guest/vfs
GUEST_VFS_PROGRAMS := init svcmgr logd power devmgr virtio-blk ext4 vfs

GUEST_VFS_SAVED := $(PROGRAMS)
$(eval $(call program_rule,vfs-tests,$(call sources_in,tests/guest/vfs/tests),block ring,tests/guest/vfs/tests))
PROGRAMS := $(GUEST_VFS_SAVED)

GUEST_VFS_MANIFESTS := $(filter $(foreach p,$(GUEST_VFS_PROGRAMS),%/$(p)/manifest.toml),$(MANIFESTS)) \
                       tests/guest/vfs/tests/manifest.toml

$(GUEST_VFS)/catalogue: tools/mkcatalogue $(GUEST_VFS_MANIFESTS)
	@mkdir -p $(@D)
	$(Q)tools/mkcatalogue --out $@ $(GUEST_VFS_MANIFESTS)
$(GUEST_VFS)/boot.img: tools/mkboot $(GUEST_VFS)/catalogue $(GUEST_VFS_PROGRAMS:%=$(O)/bin/%) $(O)/bin/vfs-tests
	$(Q)tools/mkboot --out $@ catalogue=$(GUEST_VFS)/catalogue $(foreach p,$(GUEST_VFS_PROGRAMS),$(p)=$(O)/bin/$(p)) \
	  tests=$(O)/bin/vfs-tests
$(GUEST_VFS)/disk.img: tests/guest/vfs/mkdisk
	@mkdir -p $(@D)
	$(Q)tests/guest/vfs/mkdisk $@

.PHONY: guest-vfs
guest-vfs: $(KERNEL) $(GUEST_VFS)/boot.img $(GUEST_VFS)/disk.img

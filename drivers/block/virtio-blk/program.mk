LIBS := virtio driver ring

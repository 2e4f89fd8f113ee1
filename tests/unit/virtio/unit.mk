# Virtio queues and the block driver's requests, on a disk that says what the test wants it to.
SOURCES := lib/virtio/virtio.c lib/driver/info.c drivers/block/virtio-blk/device.c
CFLAGS := -Idrivers/block/virtio-blk

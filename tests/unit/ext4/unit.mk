# The ext4 reader against images that mke2fs, e2fsck and debugfs of the host make.
SOURCES := $(wildcard fs/ext4/core/*.c)
CFLAGS := -Ifs/ext4/core -D_GNU_SOURCE

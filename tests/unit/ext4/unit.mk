# The ext4 reader against images that mke2fs, e2fsck and debugfs of the host make, and the
# operations of its server.
SOURCES := $(wildcard fs/ext4/core/*.c) $(addprefix fs/ext4/,attributes.c changes.c inodes.c readdir.c service.c windows.c)
CFLAGS := -Ifs/ext4/core -Ifs/ext4 -D_GNU_SOURCE

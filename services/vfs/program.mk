LIBS := vfs tmpfs

# The line discipline of the console, its queue of output and its transcript.
SOURCES := lib/console/tty.c lib/console/output.c lib/console/transcript.c
CFLAGS := -Ilib/console

# The console's clients, whose callers give up; a kernel of this test's own takes their answers.
SOURCES := lib/console/client.c lib/console/tty.c
CFLAGS := -Ilib/console

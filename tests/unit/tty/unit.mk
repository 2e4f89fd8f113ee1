# The line discipline of the console, its queue of output and its transcript.
SOURCES := drivers/serial/uart16550/tty.c drivers/serial/uart16550/output.c drivers/serial/uart16550/transcript.c
CFLAGS := -Idrivers/serial/uart16550

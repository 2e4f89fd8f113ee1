# The line discipline of the console, and its queue of output.
SOURCES := drivers/serial/uart16550/tty.c drivers/serial/uart16550/output.c
CFLAGS := -Idrivers/serial/uart16550

# The terminal: control functions by the screens they make, random ones against a model, random bytes; the font and the painter by their pixels.
SOURCES := $(wildcard lib/term/*.c) lib/font/font.c drivers/gpu/fbcon/paint.c $(GEN)/font/table.c
CFLAGS := -D_GNU_SOURCE -Idrivers/gpu/fbcon

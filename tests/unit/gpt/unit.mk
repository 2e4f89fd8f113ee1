# Finding a partition: on good tables, damaged ones, and every table with one byte changed.
SOURCES := lib/gpt/gpt.c
CFLAGS :=

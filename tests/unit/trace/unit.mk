# What trace and prof write.
SOURCES := apps/trace/model.c apps/trace/json.c apps/trace/stacks.c $(GEN)/src/trace.c
CFLAGS := -D_GNU_SOURCE -Iapps/trace

LIBS := tool
NAMES := $(shell sed -n 's/^TOOL(\(.*\))$$/\1/p' apps/tools/list.h)

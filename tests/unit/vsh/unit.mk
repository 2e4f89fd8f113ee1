# The shell's parser, expansion and arithmetic, patterns, growing text, SHA-256.
SOURCES := apps/vsh/words.c apps/vsh/parse.c apps/vsh/expand.c apps/vsh/arithmetic.c lib/tool/pattern.c lib/tool/text.c lib/tool/sha256.c
CFLAGS := -D_GNU_SOURCE -Iapps/vsh

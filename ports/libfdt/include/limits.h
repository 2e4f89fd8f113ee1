/* What libfdt uses of the C library's, which gcc's own looks for. */
#define INT_MAX __INT_MAX__

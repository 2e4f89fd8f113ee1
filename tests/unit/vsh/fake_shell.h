#pragma once
/* A shell of a few variables for expansion to ask, without a system: for the unit tests, and tests/fuzz/vsh.c. What commands print and which names there
 * are is each one's own to say. */
#include <expand.h>

struct fake_shell {
    /** Name and value of each that is set from the beginning; the last is {NULL, NULL}. */
    const char *const (*variables)[2];
    char *const *arguments;
    size_t argument_count;
    /** The one that was set last; "": none. */
    char set_name[32], set_value[64];
    unsigned complaints;
};

/* For struct expand_host, whose shell is a struct fake_shell: */
const char *fake_get(void *shell, const char *name);
/** False: longer than there is room for. */
bool fake_set(void *shell, const char *name, const char *value);
char *const *fake_arguments(void *shell, size_t *count);
void fake_complain(void *shell, const char *what, const char *word);

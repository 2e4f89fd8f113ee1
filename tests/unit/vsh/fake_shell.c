#include "fake_shell.h"

#include <stdlib.h>
#include <string.h>

const char *fake_get(void *shell, const char *name)
{
    const struct fake_shell *fake = shell;
    if (fake->set_name[0] != '\0' && strcmp(name, fake->set_name) == 0)
        return fake->set_value;
    for (size_t i = 0; fake->variables[i][0] != NULL; i++)
        if (strcmp(name, fake->variables[i][0]) == 0)
            return fake->variables[i][1];
    return NULL;
}

bool fake_set(void *shell, const char *name, const char *value)
{
    struct fake_shell *fake = shell;
    if (strlen(name) >= sizeof(fake->set_name) || strlen(value) >= sizeof(fake->set_value))
        return false;
    strcpy(fake->set_name, name);
    strcpy(fake->set_value, value);
    return true;
}

char *const *fake_arguments(void *shell, size_t *count)
{
    const struct fake_shell *fake = shell;
    *count = fake->argument_count;
    return fake->arguments;
}

void fake_complain(void *shell, const char *what, const char *word)
{
    struct fake_shell *fake = shell;
    if (what == NULL || word == NULL)
        abort();
    fake->complaints++;
}

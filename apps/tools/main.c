/* tools: many small programs in one, so that they share their memory; the name by which it is called says which one it is. */
#include "tools.h"

#include <stdio.h>
#include <string.h>

#include "list.h"

struct tool {
    const char *name;
    int (*main)(int argc, char **argv);
};

static const struct tool tools[] = {
#define TOOL(name) {#name, name##_main},
#include "list.h"
};

static const struct tool *find(const char *name)
{
    for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
        if (strcmp(tools[i].name, name) == 0) {
            return &tools[i];
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    tool_name = argc > 0 ? path_base(argv[0]) : "tools";
    const struct tool *tool = find(tool_name);
    if (!tool && argc > 1) {
        // "tools ls -l"
        argv++;
        argc--;
        tool_name = argv[0];
        tool = find(tool_name);
    }
    if (!tool) {
        fprintf(stderr, "tools: there is no %s\n", tool_name);
        return 127;
    }
    int status = tool->main(argc, argv);
    out_flush();
    return status;
}

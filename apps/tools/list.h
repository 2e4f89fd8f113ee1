/* Every tool, once: `TOOL(name)`. Without a pragma once: who includes it says what TOOL is. */
#ifndef TOOL
#define TOOL(name) int name##_main(int argc, char **argv);
#endif
TOOL(ls)
TOOL(cat)
TOOL(head)
TOOL(tail)
TOOL(wc)
TOOL(tee)
TOOL(cp)
TOOL(mv)
TOOL(rm)
TOOL(mkdir)
TOOL(rmdir)
TOOL(ln)
TOOL(readlink)
TOOL(touch)
TOOL(chmod)
TOOL(truncate)
TOOL(basename)
TOOL(dirname)
#undef TOOL

"""<veridian/abi.h>: statuses, rights, constants and structures, for kernel and user space alike."""

from model import INTEGERS, Const, Enum, Struct
from output import banner, comment

PROLOGUE = """
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Names a capability of the calling process: slot and tag. 0 is never valid. */
typedef uint64_t handle_t;
#define HANDLE_NONE ((handle_t)0)

/** On functions whose status the caller must look at; status_ignore() says that it does not care. */
#define MUST_CHECK __attribute__((warn_unused_result))

"""

STATUS_TYPE = """
#ifdef STATUS_OPAQUE
typedef struct status_opaque *status_t;
#define STATUS_VALUE(code) ((status_t)(intptr_t)(code))
#else
typedef int32_t status_t;
#define STATUS_VALUE(code) ((status_t)(code))
#endif

"""

STATUS_FUNCTIONS = """
/** The status as a number, for registers, messages and switches over STATUS_CODE_*. */
static inline int32_t status_code(status_t status)
{
#ifdef STATUS_OPAQUE
    return (int32_t)(intptr_t)status;
#else
    return status;
#endif
}

/** The status that a register or message carries; bits above 31 are dropped. */
static inline status_t status_from_code(uint64_t code)
{
    return STATUS_VALUE((int32_t)(uint32_t)code);
}

static inline bool status_is_ok(status_t status)
{
    return status == STATUS_OK;
}

/** Nothing can be done about @status, and that is meant. */
static inline void status_ignore(status_t status)
{
    (void)status;
}

/** The name of @status without STATUS_, or "?" if there is none. */
static inline const char *status_name(status_t status)
{
    switch (status_code(status)) {
"""


def literal(kind, text):
    """A constant of the C type of @kind; the least i64 has no literal of its own in C."""
    macro = INTEGERS[kind].literal
    if text.startswith("-"):
        return f"(-{macro}({text[1:]}))"
    return f"{macro}({text})"


def const_lines(const):
    # C libraries have a PAGE_SIZE of their own in <limits.h>.
    undef = f"#undef {const.name}\n" if const.name.startswith("PAGE_") else ""
    return f"{comment(const.doc)}{undef}#define {const.name} {literal(const.type, const.text)}\n"


def enum_lines(enum):
    out = [comment(enum.doc)]
    if not enum.doc:
        out.append(f"/* {enum.name} */\n")
    for member in enum.members:
        value = hex(1 << member.value) if enum.is_flags else str(member.value)
        out.append(f"{comment(member.doc)}#define {enum.prefix}_{member.name} {literal(enum.type, value)}\n")
    if enum.is_flags:
        if all(member.name != "ALL" for member in enum.members):
            value = hex(sum(1 << member.value for member in enum.members))
            out.append(f"/** Every {enum.name} bit there is. */\n#define {enum.prefix}_ALL {literal(enum.type, value)}\n")
        return "".join(out)
    out.append(f"\n/** The name of a value of {enum.name}, or \"?\". */\n")
    out.append(f"static inline const char *{enum.name}_name({INTEGERS[enum.type].c} value)\n{{\n    switch (value) {{\n")
    for member in enum.members:
        out.append(f'    case {enum.prefix}_{member.name}:\n        return "{member.name}";\n')
    out.append('    default:\n        return "?";\n    }\n}\n')
    return "".join(out)


def status_lines(enum):
    out = [comment(enum.doc), STATUS_TYPE]
    for member in enum.members:
        out.append(comment(member.doc))
        out.append(f"#define STATUS_CODE_{member.name} {literal(enum.type, str(member.value))}\n")
        out.append(f"#define STATUS_{member.name} STATUS_VALUE(STATUS_CODE_{member.name})\n")
    out.append(STATUS_FUNCTIONS)
    for member in enum.members:
        out.append(f'    case STATUS_CODE_{member.name}:\n        return "{member.name}";\n')
    out.append('    default:\n        return "?";\n    }\n}\n')
    return "".join(out)


def c_type(name):
    return INTEGERS[name].c if name in INTEGERS else f"struct {name}"


def struct_lines(struct):
    out = [comment(struct.doc), f"struct {struct.name} {{\n"]
    for field in struct.fields:
        array = f"[{field.count}]" if field.count is not None else ""
        out.append(f"{comment(field.doc, '    ')}    {c_type(field.type)} {field.name}{array};\n")
    out.append("};\n")
    out.append(f'_Static_assert(sizeof(struct {struct.name}) == {struct.size}, "size of {struct.name}");\n')
    for field in struct.fields:
        out.append(
            f"_Static_assert(offsetof(struct {struct.name}, {field.name}) == {field.offset}, "
            f'"{struct.name}.{field.name}");\n'
        )
    return "".join(out)


def item_lines(item):
    """The C text of one constant, enumeration or structure."""
    if isinstance(item, Const):
        return const_lines(item)
    if isinstance(item, Enum):
        return status_lines(item) if item.name == "status" else enum_lines(item)
    return struct_lines(item)


def by_dependency(model, structs):
    """@structs with each behind those that it contains."""
    done, order = set(), []

    def visit(struct):
        if struct.name in done:
            return
        done.add(struct.name)
        for field in struct.fields:
            inner = model.struct(field.type)
            if inner in structs:
                visit(inner)
        order.append(struct)

    for struct in structs:
        visit(struct)
    return order


def unit_items(model, units):
    """Constants, then enumerations, then structures of @units as C text."""
    chosen = []
    for kind in (Const, Enum):
        chosen += [item for unit in units for item in unit.of(kind)]
    chosen += by_dependency(model, [item for unit in units for item in unit.of(Struct)])
    # Undocumented constants stand together, everything else apart.
    text = ""
    for item in chosen:
        lines = item_lines(item)
        text += lines if isinstance(item, Const) and not item.doc else ("\n" if text else "") + lines
    return text


def emit(model):
    return {"include/veridian/abi.h": banner(model.abi) + PROLOGUE + unit_items(model, model.abi)}

"""docs/NAME.md: the reference manual, one page for each interface file, and docs/README.md, which lists them."""

import re

from emit_protocol import client_params
from emit_syscalls import user_params
from model import INTEGERS, Const, Enum, Interface, Struct

KINDS = {
    "in_bytes": "memory to read: address, length",
    "out_bytes": "memory to write: address, length",
    "in_buffer": "granted for reading",
    "out_buffer": "granted for writing",
}


def prose(doc):
    """Documentation text with its @names and <headers> set as code."""
    return re.sub(r"<[\w/]+\.h>", r"`\g<0>`", re.sub(r"@(\w+)", r"`\1`", doc))


def essay(doc):
    """The essay of a file: what it indents stays as it is."""
    out = []
    for line in doc.split("\n"):
        if line.startswith("  "):
            if out and out[-1] and not out[-1].startswith("    "):
                out.append("")
            out.append("    " + line.strip())
        else:
            if out and out[-1].startswith("    ") and line:
                out.append("")
            out.append(prose(line))
    return "\n".join(out)


def cell(doc):
    return prose(doc).replace("\n", " ").replace("|", "\\|")


def kind_text(param):
    if param.kind == "int":
        return param.type + (f", {param.of}" if param.of else "")
    if param.kind == "cap":
        rights = f" with {', '.join(param.rights)}" if param.rights else ""
        return f"{'moved ' if param.move else ''}capability: {param.type}{rights}"
    if param.kind in ("in_struct", "out_struct", "struct"):
        return f"struct {param.type}" + {"in_struct": ", read", "out_struct": ", written"}.get(param.kind, "")
    if param.kind in ("string", "bytes"):
        return f"{param.kind}, at most {param.limit} bytes"
    return KINDS.get(param.kind, param.kind)


def rows(head, lines):
    return f"| {' | '.join(head)} |\n|{'---|' * len(head)}\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def place_text(interface, param, is_result):
    """Where a parameter travels."""
    if not interface.is_protocol:
        wide = param.kind in ("in_bytes", "out_bytes")
        first = f"{'r' if is_result else 'a'}{param.register}"
        return f"{first}, a{param.register + 1}" if wide else first
    if param.kind == "int":
        return f"word {param.register}"
    if param.kind == "cap":
        return f"capability {param.register}"
    return f"grant {param.register}" if param.kind.endswith("_buffer") else "data"


def method_page(interface, method):
    out = [f"### {interface.name}.{method.name}\n\n"]
    if method.raw:
        out.append(f"Number {method.number}; a register layout of its own: see `<os/syscall.h>`.\n\n")
    elif interface.is_protocol:
        params = ", ".join(client_params(method))
        out.append(f"Label {method.number}\n\n    status_t {interface.name}_{method.name}({params});\n\n")
    else:
        params = ", ".join(user_params(method))
        out.append(f"Number {method.number}\n\n    status_t sys_{interface.name}_{method.name}({params});\n\n")
    if method.quick:
        out.append("It never waits.\n\n")
    if method.doc:
        out.append(prose(method.doc) + "\n\n")
    lines = [("in", f"`{p.name}`", kind_text(p), place_text(interface, p, False)) for p in method.params]
    lines += [("out", f"`{p.name}`", kind_text(p), place_text(interface, p, True)) for p in method.results]
    if lines:
        out.append(rows(("", "name", "is", "in"), lines) + "\n")
    notes = []
    if method.rights:
        notes.append(f"Session rights: {', '.join(method.rights)}.")
    if method.errors:
        notes.append(f"Statuses: {', '.join(method.errors)}.")
    if method.pending:
        notes.append("May be answered later.")
    if method.deadline:
        notes.append("Has a variant with a deadline.")
    return "".join(out) + (" ".join(notes) + "\n\n" if notes else "")


def enum_page(enum):
    what = "bit" if enum.is_flags else "value"
    lines = [(f"`{enum.prefix}_{m.name}`", str(m.value), cell(m.doc)) for m in enum.members]
    head = f"### {enum.name}: {INTEGERS[enum.type].c}\n\n" + (prose(enum.doc) + "\n\n" if enum.doc else "")
    return head + rows(("name", what, ""), lines) + "\n"


def struct_page(struct):
    lines = []
    for field in struct.fields:
        kind = field.type + (f"[{field.count}]" if field.count is not None else "")
        lines.append((str(field.offset), f"`{field.name}`", kind, cell(field.doc)))
    head = f"### struct {struct.name}, {struct.size} bytes\n\n" + (prose(struct.doc) + "\n\n" if struct.doc else "")
    return head + rows(("offset", "field", "type", ""), lines) + "\n"


def page(unit):
    out = [f"# {unit.name}\n\nReference, generated from `{unit.path}`.\n\n"]
    if unit.doc:
        out.append(essay(unit.doc) + "\n\n")
    for interface in sorted(unit.of(Interface), key=lambda item: item.number):
        what = "Protocol" if interface.is_protocol else "Object"
        out.append(f"## {what} {interface.name} = {interface.number}\n\n")
        out.append(prose(interface.doc) + "\n\n" if interface.doc else "")
        out += [method_page(interface, method) for method in interface.methods]
    consts = unit.of(Const)
    if consts:
        lines = [(f"`{c.name}`", c.type, c.text, cell(c.doc)) for c in consts]
        out.append("## Constants\n\n" + rows(("name", "type", "value", ""), lines) + "\n")
    if unit.of(Enum):
        out.append("## Enumerations and flags\n\n" + "".join(enum_page(enum) for enum in unit.of(Enum)))
    if unit.of(Struct):
        out.append("## Structures\n\n" + "".join(struct_page(struct) for struct in unit.of(Struct)))
    return "".join(out).rstrip("\n") + "\n"


def index(model):
    lines = [(f"[{u.name}]({u.name}.md)", f"`{u.path}`", cell(re.split(r"\n\n|(?<=\.) ", u.doc)[0])) for u in model.units]
    return "# Reference manual\n\nGenerated: `make manual` writes these pages anew.\n\n" + rows(("page", "of", "is"), lines)


def emit(model):
    pages = {f"docs/{unit.name}.md": page(unit) for unit in model.units}
    return {"docs/README.md": index(model), **pages}

"""kernel/handlers.h and kernel/dispatch.c: the kernel's side of every system call.

The dispatcher does what can be said in the interface file: widths, handles, types, rights, copying of
structures. A handler sees only checked values. An `out` structure is written once before the handler
runs: a page that is absent then ends the call while it has changed nothing, so that it can restart.
"""

from checks import wrong_value
from emit_syscalls import errors_text, result_type
from model import INTEGERS
from output import banner, comment, wrap_call

HANDLERS_PROLOGUE = """
/* The kernel's system call handlers: `object.method` of the ABI is sys_object_method().
 *
 * A handler runs with its integers in range and its capabilities looked up, type- and rights-checked. It
 * returns a status of the ABI, or a code of the kernel's own (status_internal.h), after which neither
 * status nor results are stored. A raw call is its own dispatcher: its registers are in the context, and those that its ABI does not keep are not
 * saved; it may leave the kernel by itself. */
#pragma once

#include <veridian/abi.h>
#include <veridian/syscall_numbers.h>

struct thread;
struct cap;

/** A range of the caller's memory that the handler may read; nothing about it has been checked. */
struct user_in {
    uint64_t address;
    uint64_t length;
};

/** A range of the caller's memory that the handler may write; nothing about it has been checked. */
struct user_out {
    uint64_t address;
    uint64_t length;
};

/** Set in an entry of syscall_index: entry code saves all of the thread's registers first. A `quick` call keeps those that C
 * preserves where they are, so it may not wait, nor return a code of the kernel's own. */
#define SYSCALL_MAY_WAIT 0x80u
typedef status_t syscall_function(struct thread *self);
extern const uint8_t syscall_index[SYS_LIMIT];
extern syscall_function *const syscall_dispatchers[];

/** Do system call @number of @self and store its results: its status, for the caller to store, or a code of the kernel's own. */
MUST_CHECK status_t syscall_dispatch(struct thread *self, uint64_t number);

"""

DISPATCH_PROLOGUE = """
#include "handlers.h"

#include "arch_accessors.h"
#include "cap.h"
#include "mm/aspace.h"
#include "status_internal.h"
#include "thread.h"

"""


def handler_params(method):
    out = ["struct thread *self"]
    for param in method.params:
        if param.kind == "int":
            out.append(f"{INTEGERS[param.type].c} {param.name}")
        elif param.kind == "handle":
            out.append(f"handle_t {param.name}")
        elif param.kind == "cap":
            out.append(f"struct cap *{param.name}")
        elif param.kind == "in_bytes":
            out.append(f"struct user_in {param.name}")
        elif param.kind == "out_bytes":
            out.append(f"struct user_out {param.name}")
        else:
            const = "const " if param.kind == "in_struct" else ""
            out.append(f"{const}struct {param.type} *{param.name}")
    return out + [f"{result_type(result)} *{result.name}" for result in method.results]


def handlers(model):
    out = [banner(model.abi), HANDLERS_PROLOGUE]
    for interface in model.objects:
        for method in interface.methods:
            if method.raw:
                out.append(f"MUST_CHECK status_t raw_{interface.name}_{method.name}(struct thread *self);\n")
                continue
            out.append(comment(errors_text(method)))
            name = f"sys_{interface.name}_{method.name}"
            out.append(wrap_call(f"MUST_CHECK status_t {name}", handler_params(method), ";"))
        out.append("\n")
    return "".join(out).rstrip("\n") + "\n"


def argument(register):
    return f"arch_syscall_arg(self, {register})"


def check_lines(model, method):
    """Checks of values: they come first, since they cost least."""
    wrong = []
    for param in method.params:
        if param.kind == "int":
            wrong.append(wrong_value(model, param, argument(param.register)))
    wrong = [text for text in wrong if text]
    if not wrong:
        return []
    return [f"    if ({(' ||' + chr(10) + '        ').join(wrong)}) {{\n        return STATUS_INVALID;\n    }}\n"]


def rights_text(rights):
    return " | ".join(f"RIGHT_{right.upper()}" for right in rights) or "0"


def lookup_lines(method):
    out = []
    for param in method.params:
        if param.kind != "cap":
            continue
        kind = "NONE" if param.type == "any" else param.type.upper()
        out.append(f"    struct cap *{param.name};\n")
        call = [
            "self->process",
            argument(param.register),
            f"OBJECT_{kind}",
            rights_text(param.rights),
            f"&{param.name}",
        ]
        out.append(wrap_call("status_ = cap_lookup", call, ";", "    "))
        out.append("    if (!status_is_ok(status_)) {\n        return status_;\n    }\n")
    return out


def struct_lines(method):
    out = []
    for param in method.params:
        if param.kind == "in_struct":
            out.append(f"    struct {param.type} {param.name};\n")
            copy = ["self", f"&{param.name}", argument(param.register), f"sizeof({param.name})"]
            out.append(wrap_call("status_ = user_copy_in", copy, ";", "    "))
        elif param.kind == "out_struct":
            out.append(f"    struct {param.type} {param.name} = {{0}};\n")
            out.append(copy_out(param, "    "))
        else:
            continue
        out.append("    if (!status_is_ok(status_)) {\n        return status_;\n    }\n")
    return out


def copy_out(param, indent):
    call = ["self", argument(param.register), f"&{param.name}", f"sizeof({param.name})"]
    return wrap_call("status_ = user_copy_out", call, ";", indent)


def handler_values(method):
    out = ["self"]
    for param in method.params:
        value = argument(param.register)
        if param.kind == "int":
            out.append(value if param.type == "u64" else f"({INTEGERS[param.type].c}){value}")
        elif param.kind == "handle":
            out.append(value)
        elif param.kind == "cap":
            out.append(param.name)
        elif param.kind in ("in_bytes", "out_bytes"):
            kind = "user_in" if param.kind == "in_bytes" else "user_out"
            out.append(f"(struct {kind}){{{value}, {argument(param.register + 1)}}}")
        else:
            out.append(f"&{param.name}")
    return out + [f"&{result.name}" for result in method.results]


def dispatch_function(model, interface, method):
    name = f"{interface.name}_{method.name}"
    out = [f"static status_t dispatch_{name}(struct thread *self)\n{{\n"]
    out += check_lines(model, method)
    body = lookup_lines(method) + struct_lines(method)
    if body or method.results:
        out.append("    status_t status_;\n")
    out += body
    for result in method.results:
        out.append(f"    {result_type(result)} {result.name} = 0;\n")
    call = handler_values(method)
    outs = [param for param in method.params if param.kind == "out_struct"]
    if not method.results and not outs:
        out.append(wrap_call(f"return sys_{name}", call, ";", "    "))
        out.append("}\n")
        return "".join(out)
    out.append(wrap_call(f"status_ = sys_{name}", call, ";", "    "))
    for param in outs:
        out.append("    if (status_is_ok(status_)) {\n" + copy_out(param, "        ") + "    }\n")
    if method.results:
        out.append("    if (status_is_ok(status_)) {\n")
        for result in method.results:
            cast = "" if result_type(result) in ("handle_t", "uint64_t") else "(uint64_t)"
            out.append(f"        arch_syscall_result_set(self, {result.register}, {cast}{result.name});\n")
        out.append("    }\n")
    out.append("    return status_;\n}\n")
    return "".join(out)


TABLES = """
/** What has no entry is no call. */
static status_t dispatch_unknown(struct thread *self)
{
    (void)self;
    return STATUS_UNSUPPORTED;
}

/* Of each number its entry in the tables below; 0: there is no such call. */
const uint8_t syscall_index[SYS_LIMIT] = {
INDICES};

syscall_function *const syscall_dispatchers[] = {
    dispatch_unknown,
DISPATCHERS};

/* What the index holds was counted by the generator: the second lookup needs no check, and each system call would pay it. */
__attribute__((no_sanitize("bounds"))) status_t syscall_dispatch(struct thread *self, uint64_t number)
{
    return syscall_dispatchers[number < SYS_LIMIT ? syscall_index[number] & ~SYSCALL_MAY_WAIT : 0](self);
}
"""


def tables(model):
    """The dispatcher: the numbers have holes, so a table of bytes leads to dense ones."""
    indices, dispatchers = [], []
    for interface in model.objects:
        for method in interface.methods:
            name = f"{interface.name}_{method.name}"
            dispatchers.append(f"    {'raw_' if method.raw else 'dispatch_'}{name},\n")
            indices.append(f"    [{method.number}] = {len(dispatchers)}{'' if method.quick or method.raw else ' | SYSCALL_MAY_WAIT'},\n")
    assert len(dispatchers) < 128, "a byte holds an entry and SYSCALL_MAY_WAIT"
    text = TABLES
    for key, lines in (("INDICES", indices), ("DISPATCHERS", dispatchers)):
        text = text.replace(key, "".join(lines))
    return text


def emit(model):
    functions = [
        dispatch_function(model, interface, method)
        for interface in model.objects
        for method in interface.methods
        if not method.raw
    ]
    dispatch = banner(model.abi) + DISPATCH_PROLOGUE + "\n".join(functions) + "\n"
    dispatch += tables(model).lstrip("\n")
    return {"kernel/handlers.h": handlers(model), "kernel/dispatch.c": dispatch}

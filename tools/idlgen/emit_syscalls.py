"""<veridian/syscall_numbers.h> and <veridian/syscalls.h>: what user space needs to call the kernel."""

from model import INTEGERS
from output import banner, comment, wrap_call

NUMBERS_PROLOGUE = """
/* System call numbers: object * 64 + method. Plain numbers, so that assembly can use them. */
#pragma once

"""

STUBS_PROLOGUE = """
/* One function per system call. Results are stored only if the status is STATUS_OK; no result pointer may
 * be NULL. The endpoint's raw calls are in <os/syscall.h>. */
#pragma once

#include <os/syscall.h>
#include <veridian/abi.h>
#include <veridian/syscall_numbers.h>

"""


def number_name(interface, method):
    return f"SYS_{interface.name.upper()}_{method.name.upper()}"


def numbers(model):
    out = [banner(model.abi), NUMBERS_PROLOGUE]
    highest = 0
    for interface in model.objects:
        for method in interface.methods:
            out.append(f"#define {number_name(interface, method)} {method.number}\n")
            highest = max(highest, method.number)
    out.append(f"\n/* One above the highest number. */\n#define SYS_LIMIT {highest + 1}\n")
    return "".join(out)


def user_params(method):
    """The C parameters of the stub of @method."""
    out = []
    for param in method.params:
        if param.kind == "int":
            out.append(f"{INTEGERS[param.type].c} {param.name}")
        elif param.kind in ("handle", "cap"):
            out.append(f"handle_t {param.name}")
        elif param.kind in ("in_bytes", "out_bytes"):
            const = "const " if param.kind == "in_bytes" else ""
            out += [f"{const}void *{param.name}", f"size_t {param.name}_bytes"]
        else:
            const = "const " if param.kind == "in_struct" else ""
            out.append(f"{const}struct {param.type} *{param.name}")
    for result in method.results:
        out.append(f"{result_type(result)} *{result.name}")
    return out or ["void"]


def result_type(result):
    return "handle_t" if result.kind == "handle" else INTEGERS[result.type].c


def register_values(method):
    """What the stub puts into each argument register."""
    out = []
    for param in method.params:
        if param.kind == "int" and param.type == "u64" or param.kind in ("handle", "cap"):
            out.append(param.name)
        elif param.kind == "int":
            out.append(f"(uint64_t){param.name}" if INTEGERS[param.type].signed else param.name)
        elif param.kind in ("in_bytes", "out_bytes"):
            out += [f"(uint64_t)(uintptr_t){param.name}", f"{param.name}_bytes"]
        else:
            out.append(f"(uint64_t)(uintptr_t){param.name}")
    return out


def errors_text(method):
    """The documentation of @method with its own statuses appended."""
    lines = [method.doc] if method.doc else []
    if method.errors:
        lines.append("Statuses: " + ", ".join(method.errors) + ".")
    return "\n".join(lines)


def stub(interface, method):
    out = [comment(errors_text(method))]
    name = f"sys_{interface.name}_{method.name}"
    out.append(wrap_call(f"MUST_CHECK static inline status_t {name}", user_params(method), ""))
    out.append("{\n    uint64_t results_[4];\n")
    values = register_values(method)
    arguments = "(const uint64_t[]){" + ", ".join(values) + "}" if values else "NULL"
    out.append(
        wrap_call(
            "status_t status_ = syscall_raw",
            [number_name(interface, method), arguments, str(len(values)), "results_"],
            ";",
            "    ",
        )
    )
    if method.results:
        out.append("    if (status_is_ok(status_)) {\n")
        for result in method.results:
            kind = result_type(result)
            cast = "" if kind in ("handle_t", "uint64_t") else f"({kind})"
            out.append(f"        *{result.name} = {cast}results_[{result.register}];\n")
        out.append("    }\n")
    out.append("    return status_;\n}\n")
    return "".join(out)


def stubs(model):
    out = [banner(model.abi), STUBS_PROLOGUE]
    parts = []
    for interface in model.objects:
        for method in interface.methods:
            if not method.raw:
                parts.append(stub(interface, method))
    return "".join(out) + "\n".join(parts)


def emit(model):
    return {
        "include/veridian/syscall_numbers.h": numbers(model),
        "include/veridian/syscalls.h": stubs(model),
    }

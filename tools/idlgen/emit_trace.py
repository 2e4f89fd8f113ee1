"""<veridian/trace.h> and its source: what numbers are called, for whoever shows them to a person."""

from emit_protocol import label_name
from emit_syscalls import number_name
from output import banner

HEADER = """
/* Names of system calls and of requests to services. */
#pragma once

#include <stdint.h>

/** "object.method" of system call @number; NULL: there is none. */
const char *trace_syscall_name(uint64_t number);
/** "protocol.method" of the request that a message with @label asks for; NULL: no interface file has it. */
const char *trace_request_name(uint32_t label);
"""


def names(interfaces, number):
    cases = [
        f'    case {number(interface, method)}:\n        return "{interface.name}.{method.name}";\n'
        for interface in interfaces
        for method in interface.methods
    ]
    return "".join(cases) + "    default:\n        return NULL;\n    }\n}\n"


def source(model):
    protocols = [unit.protocol for unit in model.services if unit.protocol]
    out = [banner(model.units), "\n#include <stddef.h>\n#include <veridian/syscall_numbers.h>\n#include <veridian/trace.h>\n"]
    out += [f"#include <idl/{protocol.name}.h>\n" for protocol in protocols]
    out.append("\nconst char *trace_syscall_name(uint64_t number)\n{\n    switch (number) {\n")
    out.append(names(model.objects, number_name))
    out.append("\nconst char *trace_request_name(uint32_t label)\n{\n    switch (label) {\n")
    out.append(names(protocols, label_name))
    return "".join(out)


def emit(model):
    return {"include/veridian/trace.h": banner(model.units) + HEADER, "src/trace.c": source(model)}

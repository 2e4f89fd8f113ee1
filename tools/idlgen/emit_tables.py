"""<fuzz/syscalls.h>: the system calls as data, for the fuzzer."""

from emit_kernel import rights_text
from emit_syscalls import number_name
from model import INTEGERS
from output import banner

FUZZ_PROLOGUE = """
/* Every system call as data: what a fuzzer must know to get past the first check. Raw calls are in it by
 * number only (argument_count 0, FUZZ_RAW). */
#pragma once

#include <veridian/abi.h>
#include <veridian/syscall_numbers.h>

enum fuzz_kind {
    FUZZ_INT,        /* one register */
    FUZZ_HANDLE,     /* one register: any handle */
    FUZZ_CAP,        /* one register: a handle of object_type (OBJECT_NONE: any) with rights */
    FUZZ_IN_BYTES,   /* two registers: address and length of memory to read */
    FUZZ_OUT_BYTES,  /* two registers: address and length of memory to write */
    FUZZ_IN_STRUCT,  /* one register: address of bytes to read */
    FUZZ_OUT_STRUCT, /* one register: address of bytes to write */
};

struct fuzz_argument {
    const char *name;
    enum fuzz_kind kind;
    uint32_t reg;         /* the first argument register, 0 to 7 */
    uint32_t object_type; /* FUZZ_CAP */
    uint32_t rights;      /* FUZZ_CAP */
    uint32_t bytes;       /* FUZZ_INT: width; FUZZ_IN_STRUCT, FUZZ_OUT_STRUCT: size */
    bool is_signed;
    bool is_flags;        /* FUZZ_INT: bits out of valid */
    bool is_enum;         /* FUZZ_INT: 0 to valid */
    uint64_t valid;
};

struct fuzz_result {
    const char *name;
    bool is_handle; /* a new handle: its type is object_type if that is known, else OBJECT_NONE */
    uint32_t object_type;
};

enum { FUZZ_RAW = 1 };

struct fuzz_syscall {
    const char *name;
    uint32_t number;
    uint32_t flags;
    uint32_t argument_count;
    uint32_t result_count;
    uint32_t errors; /* bit n: the documentation names the status -n */
    struct fuzz_argument arguments[8];
    struct fuzz_result results[4];
};

"""

def methods(model):
    return [(interface, method) for interface in model.objects for method in interface.methods]


def fuzz_argument(model, param):
    fields = [f'.name = "{param.name}"', f".kind = FUZZ_{param.kind.upper()}", f".reg = {param.register}"]
    if param.kind == "cap":
        kind = "NONE" if param.type == "any" else param.type.upper()
        fields += [f".object_type = OBJECT_{kind}", f".rights = {rights_text(param.rights)}"]
    if param.kind == "int":
        fields.append(f".bytes = {INTEGERS[param.type].size}")
        if INTEGERS[param.type].signed:
            fields.append(".is_signed = true")
        enum = model.enum(param.of) if param.of else None
        if enum and enum.is_flags:
            fields += [".is_flags = true", f".valid = {enum.prefix}_ALL"]
        elif enum:
            fields += [".is_enum = true", f".valid = {max(member.value for member in enum.members)}"]
    if param.kind.endswith("_struct"):
        fields.append(f".bytes = sizeof(struct {param.type})")
    return f"            {{{', '.join(fields)}}},\n"


def result_object(model, interface, result):
    """The object type of a handle that a call returns: named after it, or the object's own for create and the like."""
    types = {member.name for member in model.enum("object_type").members}
    for name in (result.name.upper(), interface.name.upper()):
        if result.kind == "handle" and name in types:
            return f"OBJECT_{name}"
    return "OBJECT_NONE"


def fuzz_entry(model, interface, method):
    codes = {member.name: member.value for member in model.enum("status").members}
    errors = sum(1 << -codes[error] for error in method.errors)
    out = [f'    {{\n        .name = "{interface.name}.{method.name}",\n']
    out.append(f"        .number = {number_name(interface, method)},\n")
    if method.raw:
        out.append("        .flags = FUZZ_RAW,\n")
    out.append(f"        .argument_count = {len(method.params)},\n        .result_count = {len(method.results)},\n")
    out.append(f"        .errors = {hex(errors)},\n")
    if method.params:
        out.append("        .arguments = {\n")
        out += [fuzz_argument(model, param) for param in method.params]
        out.append("        },\n")
    if method.results:
        out.append("        .results = {\n")
        for result in method.results:
            is_handle = "true" if result.kind == "handle" else "false"
            kind = result_object(model, interface, result)
            out.append(f'            {{.name = "{result.name}", .is_handle = {is_handle}, .object_type = {kind}}},\n')
        out.append("        },\n")
    out.append("    },\n")
    return "".join(out)


def fuzz(model):
    out = [banner(model.abi), FUZZ_PROLOGUE, "static const struct fuzz_syscall fuzz_syscalls[] = {\n"]
    out += [fuzz_entry(model, interface, method) for interface, method in methods(model)]
    out.append("};\n\n#define FUZZ_SYSCALL_COUNT (sizeof(fuzz_syscalls) / sizeof(fuzz_syscalls[0]))\n")
    return "".join(out)


def emit(model):
    return {"include/fuzz/syscalls.h": fuzz(model)}

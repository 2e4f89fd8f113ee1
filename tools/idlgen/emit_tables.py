"""<fuzz/syscalls.h> and <fuzz/requests.h>: system calls, and requests to services, as data for fuzzers."""

from emit_kernel import rights_text
from emit_protocol import label_name
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

REQUEST_PROLOGUE = """
/* Every request to a service as data: what a fuzzer must know to write a message that passes the dispatcher, and to read the reply. In
 * message data the parts stand in their order; words, capabilities and grants are counted by themselves (<os/ipc.h>). */
#pragma once

#include <idl/PROTOCOLS.h>
#include <stdbool.h>

enum request_kind {
    REQUEST_WORD,     /* a register word */
    REQUEST_CAP,      /* a capability */
    REQUEST_READABLE, /* a buffer granted for reading */
    REQUEST_WRITABLE, /* a buffer granted for writing */
    REQUEST_STRING,   /* in the data: at most bytes and a NUL */
    REQUEST_BYTES,    /* in the data: at most bytes */
    REQUEST_STRUCT,   /* in the data: bytes of it */
};

/** An integer in a structure. */
struct request_field {
    const char *name;
    uint32_t offset;
    uint32_t bytes;
};

/** An argument or result. */
struct request_part {
    const char *name;
    enum request_kind kind;
    uint32_t bytes;       /* width, limit or size */
    uint32_t object_type; /* REQUEST_CAP */
    uint32_t rights;      /* REQUEST_CAP: 0: all */
    bool move;            /* REQUEST_CAP: the caller loses it */
    bool is_flags;        /* REQUEST_WORD: bits out of valid */
    bool is_enum;         /* REQUEST_WORD: 0 to valid */
    uint64_t valid;
    const struct request_field *fields; /* REQUEST_STRUCT */
    uint32_t field_count;
};

struct request {
    const char *name;
    uint32_t label;
    uint32_t errors; /* bit n: the documentation names the status -n */
    uint32_t argument_count;
    uint32_t result_count;
    struct request_part arguments[8];
    struct request_part results[6];
};

"""

REQUEST_KINDS = {"int": "WORD", "cap": "CAP", "in_buffer": "READABLE", "out_buffer": "WRITABLE", "string": "STRING", "bytes": "BYTES",
                 "struct": "STRUCT"}


def methods(model):
    return [(interface, method) for interface in model.objects for method in interface.methods]


def integer_fields(model, param):
    fields = [f".bytes = {INTEGERS[param.type].size}"]
    if INTEGERS[param.type].signed:
        fields.append(".is_signed = true")
    enum = model.enum(param.of) if param.of else None
    if enum and enum.is_flags:
        fields += [".is_flags = true", f".valid = {enum.prefix}_ALL"]
    elif enum:
        fields += [".is_enum = true", f".valid = {max(member.value for member in enum.members)}"]
    return fields


def fuzz_argument(model, param):
    fields = [f'.name = "{param.name}"', f".kind = FUZZ_{param.kind.upper()}", f".reg = {param.register}"]
    if param.kind == "cap":
        kind = "NONE" if param.type == "any" else param.type.upper()
        fields += [f".object_type = OBJECT_{kind}", f".rights = {rights_text(param.rights)}"]
    if param.kind == "int":
        fields += integer_fields(model, param)
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


def error_bits(model, method):
    codes = {member.name: member.value for member in model.enum("status").members}
    return hex(sum(1 << -codes[error] for error in method.errors))


def fuzz_entry(model, interface, method):
    out = [f'    {{\n        .name = "{interface.name}.{method.name}",\n']
    out.append(f"        .number = {number_name(interface, method)},\n")
    if method.raw:
        out.append("        .flags = FUZZ_RAW,\n")
    out.append(f"        .argument_count = {len(method.params)},\n        .result_count = {len(method.results)},\n")
    out.append(f"        .errors = {error_bits(model, method)},\n")
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


def integers_of(model, struct, prefix="", base=0):
    """(name, offset, bytes) of the integers in @struct, those of inner structures too; arrays are left out."""
    found = []
    for field in struct.fields:
        inner = model.struct(field.type)
        if field.length == 0 and inner:
            found += integers_of(model, inner, prefix, base + field.offset)
        elif field.length == 0 and field.name != "reserved":
            found.append((field.name, base + field.offset, INTEGERS[field.type].size))
    return found


def request_fields(model, protocols):
    """Tables of the fields of all structures that requests carry."""
    parts = [part for protocol in protocols for method in protocol.methods for part in method.params + method.results]
    out = []
    for name in sorted({part.type for part in parts if part.kind == "struct"}):
        lines = [f'    {{"{field}", {offset}, {size}}},\n' for field, offset, size in integers_of(model, model.struct(name))]
        out.append(f"static const struct request_field fields_{name}[] = {{\n{''.join(lines)}}};\n")
    return "".join(out)


def request_part(model, part):
    fields = [f'.name = "{part.name}"', f".kind = REQUEST_{REQUEST_KINDS[part.kind]}"]
    if part.kind == "int":
        fields += [field for field in integer_fields(model, part) if "signed" not in field]
    elif part.kind == "struct":
        fields += [f".bytes = sizeof(struct {part.type})", f".fields = fields_{part.type}"]
        fields.append(f".field_count = sizeof(fields_{part.type}) / sizeof(fields_{part.type}[0])")
    elif part.kind == "cap":
        fields.append(f".object_type = OBJECT_{'NONE' if part.type == 'any' else part.type.upper()}")
        fields.append(f".rights = {rights_text(part.rights)}")
        fields += [".move = true"] if part.move else []
    elif part.limit is not None:
        fields.append(f".bytes = {part.limit}")
    return f"            {{{', '.join(fields)}}},\n"


def request_entry(model, protocol, method):
    out = [f'    {{\n        .name = "{protocol.name}.{method.name}",\n        .label = {label_name(protocol, method)},\n']
    out.append(f"        .errors = {error_bits(model, method)},\n")
    out.append(f"        .argument_count = {len(method.params)},\n        .result_count = {len(method.results)},\n")
    for name, parts in (("arguments", method.params), ("results", method.results)):
        if parts:
            out.append(f"        .{name} = {{\n" + "".join(request_part(model, part) for part in parts) + "        },\n")
    return "".join(out) + "    },\n"


def requests(model):
    protocols = [unit.protocol for unit in model.services if unit.protocol]
    includes = "\n".join(f"#include <idl/{protocol.name}.h>" for protocol in protocols) or "#include <veridian/abi.h>"
    out = [banner(model.services), REQUEST_PROLOGUE.replace("#include <idl/PROTOCOLS.h>", includes), request_fields(model, protocols)]
    out.append("\nstatic const struct request requests[] = {\n")
    out += [request_entry(model, protocol, method) for protocol in protocols for method in protocol.methods]
    out.append("};\n\n#define REQUEST_COUNT (sizeof(requests) / sizeof(requests[0]))\n")
    return "".join(out)


def emit(model):
    files = {"include/fuzz/syscalls.h": fuzz(model)}
    if any(unit.protocol for unit in model.services):
        files["include/fuzz/requests.h"] = requests(model)
    return files

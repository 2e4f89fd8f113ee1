"""<idl/NAME.h> and src/NAME.c: the client's stubs and the server's unmarshalling of one protocol.

The server's half trusts nothing in a call: integer widths, the number of capabilities and grants, and every
length are checked before an operation runs.
"""

import emit_async
from checks import wrong_value
from emit_client import client, word_value, write_lines
from emit_kernel import rights_text
from emit_protocol import dispatch_params, header, label_name, own_name, reply_params, result_values, value_type
from model import INTEGERS
from output import banner, wrap_call

PROLOGUE = """
#include <idl/NAME.h>

#include <os/syscall.h>
#include <string.h>

"""


def pack(protocol, method):
    """A function that puts finished results into a reply."""
    out = [wrap_call(f"static status_t pack_{method.name}", ["struct ipc_reply *reply_"] + result_values(method), "")]
    out.append("{\n    struct ipc_writer writer_ = {(uint8_t *)reply_->data, 0, false};\n")
    wrong = ["writer_.failed"]
    caps = 0
    for result in method.results:
        if result.kind == "int":
            out.append(f"    reply_->words[{result.register}] = {word_value(result)};\n")
        elif result.kind == "cap":
            out.append(f"    reply_->handles[{result.register}] = {result.name};\n")
            wrong.append(f"{result.name} == HANDLE_NONE")
            caps += 1
    out += write_lines(method.results, "&writer_")
    out.append(f"    reply_->data_bytes = writer_.used;\n    reply_->caps = {caps};\n")
    out.append(f"    if ({' || '.join(wrong)}) {{\n")
    out.append("        ipc_reply_drop(reply_);\n        return STATUS_UNSUPPORTED;\n    }\n    return STATUS_OK;\n}\n\n")
    return "".join(out)


def pack_values(method, take_address):
    """The arguments of pack_: names of local results, or of parameters that are pointers already."""
    out = []
    for result in method.results:
        by_address = result.kind == "struct" and take_address
        out.append(f"&{result.name}" if by_address else result.name)
        if result.kind == "bytes":
            out.append(f"{result.name}_bytes")
    return out


def check_lines(model, method, call):
    caps = sum(param.kind == "cap" for param in method.params)
    grants = sum(param.kind.endswith("_buffer") for param in method.params)
    wrong = [f"!ipc_call_has({call}, {caps}, {grants})"]
    for param in method.params:
        if param.kind == "int":
            wrong.append(wrong_value(model, param, f"{call}->words[{param.register}]"))
    wrong = [text for text in wrong if text]
    return [f"    if ({(' ||' + chr(10) + '        ').join(wrong)}) {{\n        return STATUS_INVALID;\n    }}\n"]


def read_lines(method, call):
    out = [f"    struct ipc_reader reader_ = ipc_call_reader({call});\n"]
    for param in method.params:
        if param.kind == "string":
            out.append(f"    const char *{param.name} = ipc_read_string(&reader_, {param.limit});\n")
        elif param.kind == "bytes":
            out.append(f"    size_t {param.name}_bytes;\n")
            values = ["&reader_", str(param.limit), f"&{param.name}_bytes"]
            out.append(wrap_call(f"const void *{param.name} = ipc_read_bytes", values, ";", "    "))
        elif param.kind == "struct":
            kind = f"struct {param.type}"
            out.append(f"    const {kind} *{param.name} = ipc_read_struct(&reader_, sizeof({kind}));\n")
    out.append("    if (!ipc_read_end(&reader_)) {\n        return STATUS_INVALID;\n    }\n")
    return out


def result_locals(method):
    out = []
    for result in method.results:
        if result.kind in ("int", "cap"):
            out.append(f"    {value_type(result)} {result.name} = 0;\n")
        elif result.kind == "string":
            out.append(f"    char {result.name}[{result.limit + 1}] = {{0}};\n")
        elif result.kind == "bytes":
            out.append(f"    uint8_t {result.name}[{result.limit}];\n    size_t {result.name}_bytes = 0;\n")
        else:
            out.append(f"    struct {result.type} {result.name} = {{0}};\n")
    return out


def operation_values(method, call):
    out = [own_name("instance", method), call]
    for param in method.params:
        if param.kind == "int":
            cast = "" if param.type == "u64" else f"({INTEGERS[param.type].c})"
            out.append(f"{cast}{call}->words[{param.register}]")
        elif param.kind == "cap":
            out.append(f"{call}->received[{param.register}]")
        elif param.kind.endswith("_buffer"):
            index = param.register
            out.append(f"(struct ipc_grant){{{index}, {call}->grant_lengths[{index}]}}")
        else:
            out.append(param.name)
            if param.kind == "bytes":
                out.append(f"{param.name}_bytes")
    for result in method.results:
        out.append(result.name if result.kind in ("string", "bytes") else f"&{result.name}")
        if result.kind == "bytes":
            out.append(f"&{result.name}_bytes")
    return out


def serve(model, protocol, method):
    """A function that unmarshals one call, runs its operation and packs the results."""
    ops, instance, call = (own_name(name, method) for name in ("ops", "instance", "call"))
    params = [f"const struct {protocol.name}_ops *{ops}", f"void *{instance}", f"struct ipc_call *{call}"]
    out = [wrap_call(f"static status_t serve_{method.name}", params, "")]
    out.append(f"{{\n    if (!{ops}->{method.name}) {{\n        return STATUS_UNSUPPORTED;\n    }}\n")
    out += check_lines(model, method, call)
    if method.rights:
        rights = f"({rights_text(method.rights)})"
        held = f"({ops}->rights({instance}, {call}) & {rights}) != {rights}"
        out.append(f"    if (!{ops}->rights || {held}) {{\n        return STATUS_DENIED;\n    }}\n")
    out += read_lines(method, call)
    out += result_locals(method)
    out.append(wrap_call(f"status_t status_ = {ops}->{method.name}", operation_values(method, call), ";", "    "))
    if method.results:
        out.append("    if (status_is_ok(status_)) {\n")
        values = [f"&{call}->reply"] + pack_values(method, True)
        out.append(wrap_call(f"status_ = pack_{method.name}", values, ";", "        ") + "    }\n")
    out.append("    return status_;\n}\n\n")
    return "".join(out)


def dispatch(protocol):
    name = protocol.name
    out = [wrap_call(f"void {name}_dispatch", dispatch_params(protocol), "")]
    out.append("{\n    status_t status = STATUS_UNSUPPORTED;\n    bool may_pend = false;\n")
    out.append("    switch (ipc_info_label(call->info)) {\n")
    for method in protocol.methods:
        out.append(f"    case {label_name(protocol, method)}:\n")
        out.append(f"        status = serve_{method.name}(ops, instance, call);\n")
        if method.pending:
            out.append("        may_pend = true;\n")
        out.append("        break;\n")
    out.append("    default:\n        break;\n    }\n    ipc_call_finish(call, status, may_pend);\n}\n\n")
    caps = max((sum(p.kind == "cap" for p in method.params) for method in protocol.methods), default=0)
    out.append("static void dispatch_untyped(const void *ops, void *instance, struct ipc_call *call)\n{\n")
    out.append(f"    {name}_dispatch(ops, instance, call);\n}}\n\n")
    out.append(f'const struct ipc_protocol {name}_protocol = {{"{name}", {protocol.number}, {caps}, dispatch_untyped}};\n')
    return "".join(out)


def late_reply(protocol, method):
    token, status = own_name("token", method), own_name("status", method)
    out = [wrap_call(f"\nstatus_t {protocol.name}_{method.name}_reply", reply_params(method), "").lstrip(" ")]
    out.append("{\n    __attribute__((uninitialized)) struct ipc_reply reply_; /* its data is 3 KiB */\n    memset(reply_.words, 0, sizeof(reply_.words));\n")
    out.append("    reply_.data_bytes = 0;\n    reply_.caps = 0;\n")
    if method.results:
        values = ["&reply_"] + pack_values(method, False)
        out.append(f"    if (status_is_ok({status})) {{\n")
        out.append(wrap_call(f"{status} = pack_{method.name}", values, ";", "        ") + "    }\n")
    out.append(f"    return ipc_reply_send({token}, {status}, &reply_);\n}}\n")
    return "".join(out)


def source(model, unit):
    protocol = unit.protocol
    out = [banner([unit]), PROLOGUE.replace("NAME", unit.name)]
    out += ["/* --- client --- */\n\n", client(protocol), emit_async.definitions(protocol), "\n/* --- server --- */\n\n"]
    for method in protocol.methods:
        if method.results:
            out.append(pack(protocol, method))
        out.append(serve(model, protocol, method))
    out.append(dispatch(protocol))
    out += [late_reply(protocol, method) for method in protocol.methods if method.pending]
    return "".join(out)


def emit(model):
    files = {f"src/{unit.name}.c": source(model, unit) for unit in model.services if unit.protocol}
    for unit in model.services:
        requests = emit_async.declarations(unit.protocol) if unit.protocol else ""
        files[f"include/idl/{unit.name}.h"] = header(model, unit, requests)
    return files

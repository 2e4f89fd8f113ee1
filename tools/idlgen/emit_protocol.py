"""<idl/NAME.h>: labels, types, client prototypes and the table of operations of one interface file."""

from emit_abi import unit_items
from emit_syscalls import errors_text
from model import INTEGERS
from output import banner, comment, wrap_call

GUIDE = """
/* Client: PROTOCOL_method(server, …) sends the call and waits; beside the statuses listed it may answer those
 * of the call itself (BAD_HANDLE, PEER_DIED, STALE, INTERRUPTED …), RANGE for an argument that does not fit a
 * message, and CORRUPT for a malformed reply. Results are stored only if the status is OK.
 *
 * Server: struct PROTOCOL_ops, with PROTOCOL_protocol in the table of <os/server.h>. An operation gets checked
 * arguments, valid until it returns, and zeroed results; NULL operations answer UNSUPPORTED. Capabilities that
 * came are closed afterwards unless ipc_cap_take() kept them; those given as results are moved. */
"""


def own_name(base, method):
    """@base, unless a parameter of @method is called so."""
    names = {p.name for p in method.params + method.results}
    return base + "_" if base in names else base


def value_type(param):
    return "handle_t" if param.kind == "cap" else INTEGERS[param.type].c


def data_pointer(param, const):
    """The C pointer to a string, byte array or structure."""
    base = {"string": "char", "bytes": "uint8_t", "struct": f"struct {param.type}"}[param.kind]
    if param.kind == "bytes" and const:
        base = "void"
    return f"{'const ' if const else ''}{base} *{param.name}"


def in_params(method, server_side):
    """The C parameters for what goes to the server, as the client or the server sees them."""
    out = []
    for param in method.params:
        if param.kind in ("int", "cap"):
            out.append(f"{value_type(param)} {param.name}")
        elif param.kind in ("in_buffer", "out_buffer"):
            if server_side:
                out.append(f"struct ipc_grant {param.name}")
            else:
                const = "const " if param.kind == "in_buffer" else ""
                out += [f"{const}void *{param.name}", f"size_t {param.name}_bytes"]
        else:
            out.append(data_pointer(param, True))
            if param.kind == "bytes":
                out.append(f"size_t {param.name}_bytes")
    return out


def out_params(method):
    """The C parameters that receive the results: on the client's side, and in an operation."""
    out = []
    for result in method.results:
        if result.kind in ("int", "cap"):
            out.append(f"{value_type(result)} *{result.name}")
        else:
            out.append(data_pointer(result, False))
            if result.kind == "bytes":
                out.append(f"size_t *{result.name}_bytes")
    return out


def result_values(method):
    """The C parameters that carry finished results, of the functions that send them."""
    out = []
    for result in method.results:
        if result.kind in ("int", "cap"):
            out.append(f"{value_type(result)} {result.name}")
        else:
            out.append(data_pointer(result, True))
            if result.kind == "bytes":
                out.append(f"size_t {result.name}_bytes")
    return out


def label_name(protocol, method):
    return f"LABEL_{protocol.name.upper()}_{method.name.upper()}"


def limits_text(method):
    """What the C types cannot say: sizes of strings and byte arrays."""
    out = []
    for param in method.params:
        if param.kind in ("string", "bytes"):
            out.append(f"@{param.name}: at most {param.limit} bytes.")
    for result in method.results:
        if result.kind == "string":
            out.append(f"@{result.name}: an array of {result.limit + 1}.")
        elif result.kind == "bytes":
            out.append(f"@{result.name}: an array of {result.limit}.")
    return " ".join(out)


def method_doc(method):
    return "\n".join(text for text in (errors_text(method), limits_text(method)) if text)


def client_params(method, deadline=False):
    last = [f"uint64_t {own_name('deadline_ns', method)}"] if deadline else []
    return [f"handle_t {own_name('server', method)}"] + in_params(method, False) + out_params(method) + last


def operation_params(method):
    fixed = [f"void *{own_name('instance', method)}", f"struct ipc_call *{own_name('call', method)}"]
    return fixed + in_params(method, True) + out_params(method)


def reply_params(method):
    fixed = [f"uint64_t {own_name('token', method)}", f"status_t {own_name('status', method)}"]
    return fixed + result_values(method)


def client_prototypes(protocol):
    out = ["/* --- client --- */\n\n"]
    for method in protocol.methods:
        name = f"{protocol.name}_{method.name}"
        out.append(comment(method_doc(method)))
        out.append(wrap_call(f"MUST_CHECK status_t {name}", client_params(method), ";"))
        if method.deadline:
            out.append("/** The same, until @deadline_ns: TIMED_OUT. */\n")
            out.append(wrap_call(f"MUST_CHECK status_t {name}_until", client_params(method, True), ";"))
    return "".join(out)


def server_declarations(protocol):
    name = protocol.name
    out = ["\n/* --- server --- */\n\n", f"struct {name}_ops {{\n"]
    if any(method.rights for method in protocol.methods):
        out.append("    /** The RIGHT_* that the session of @call holds; NULL: none. */\n")
        out.append("    uint32_t (*rights)(void *instance, struct ipc_call *call);\n")
    for method in protocol.methods:
        out.append(wrap_call(f"status_t (*{method.name})", operation_params(method), ";", "    "))
    out.append("};\n\n")
    out.append("/** Unmarshal @call, run its operation, leave the answer in @call. */\n")
    out.append(wrap_call(f"void {name}_dispatch", dispatch_params(protocol), ";"))
    out.append("/** For the table of services of <os/server.h>. */\n")
    out.append(f"extern const struct ipc_protocol {name}_protocol;\n")
    for method in protocol.methods:
        if method.pending:
            out.append(f"\n/** Answer a call of {name}.{method.name} that was saved; its results count if @status is OK. GONE: its\n")
            out.append(" *  caller is. */\n")
            out.append(wrap_call(f"MUST_CHECK status_t {name}_{method.name}_reply", reply_params(method), ";"))
    return "".join(out)


def dispatch_params(protocol):
    return [f"const struct {protocol.name}_ops *ops", "void *instance", "struct ipc_call *call"]


def used_units(model, unit):
    """Names of the other service files whose structures @unit needs."""
    names = set()
    for struct in unit.of(type(model.struct("event"))):
        names.update(field.type for field in struct.fields)
    if unit.protocol:
        for method in unit.protocol.methods:
            names.update(param.type for param in method.params + method.results if param.kind == "struct")
    units = {model.unit_of(name).name for name in names if model.struct(name) and not model.unit_of(name).is_abi}
    return sorted(units - {unit.name})


def header(model, unit, extra=""):
    """The header of @unit; @extra stands between the client's part and the server's."""
    out = [banner([unit]), "\n"]
    if unit.doc:
        out.append(comment(unit.doc))
    if unit.protocol:
        out.append(GUIDE.replace("PROTOCOL", unit.name))
    out.append("#pragma once\n\n")
    out += [f"#include <idl/{name}.h>\n" for name in used_units(model, unit)]
    if extra:
        out.append("#include <os/async.h>\n")
    out.append("#include <os/ipc.h>\n#include <veridian/abi.h>\n\n")
    out.append(unit_items(model, [unit]))
    if unit.protocol:
        out.append(f"\n#define PROTOCOL_{unit.name.upper()} UINT32_C({unit.protocol.number})\n")
        for method in unit.protocol.methods:
            out.append(f"#define {label_name(unit.protocol, method)} UINT32_C({method.number})\n")
        out += ["\n", client_prototypes(unit.protocol), extra, server_declarations(unit.protocol)]
    return "".join(out)


"""The client's half of src/NAME.c: one stub per call."""

from emit_kernel import rights_text
from emit_protocol import client_params, label_name, own_name
from model import INTEGERS
from output import wrap_call


def write_lines(params, writer, indent="    "):
    """Append @params to the message data of C variable @writer."""
    out = []
    for param in params:
        if param.kind == "string":
            out.append(wrap_call("ipc_write_string", [writer, param.name, str(param.limit)], ";", indent))
        elif param.kind == "bytes":
            size = [f"{param.name}_bytes", str(param.limit)]
            out.append(wrap_call("ipc_write_bytes", [writer, param.name] + size, ";", indent))
        elif param.kind == "struct":
            out.append(wrap_call("ipc_write_struct", [writer, param.name, f"sizeof(*{param.name})"], ";", indent))
    return out


def word_value(param):
    return f"(uint64_t){param.name}" if INTEGERS[param.type].signed else param.name


def has_data(params):
    return any(param.kind in ("string", "bytes", "struct") for param in params)


def request_lines(protocol, method):
    """Fill the message buffer and the registers."""
    out = []
    if has_data(method.params):
        out.append("    struct ipc_writer writer_ = {buffer_->data, 0, false};\n")
        out += write_lines(method.params, "&writer_")
        out.append("    if (writer_.failed) {\n        return STATUS_RANGE;\n    }\n")
    caps = [param for param in method.params if param.kind == "cap"]
    for param in caps:
        move = "true" if param.move else "false"
        call = [param.name, rights_text(param.rights), move]
        out.append(wrap_call(f"buffer_->caps[{param.register}] = ipc_cap", call, ";", "    "))
    grants = [param for param in method.params if param.kind.endswith("_buffer")]
    for param in grants:
        function = "ipc_grant_in" if param.kind == "in_buffer" else "ipc_grant_out"
        call = [param.name, f"{param.name}_bytes"]
        out.append(wrap_call(f"buffer_->grants[{param.register}] = {function}", call, ";", "    "))
    used = "writer_.used" if has_data(method.params) else "0"
    words = [word_value(param) for param in method.params if param.kind == "int"]
    out.append("    struct ipc_regs regs_ = {\n")
    out.append(f"        .target = {own_name('server', method)},\n")
    out.append(f"        .info = ipc_info({label_name(protocol, method)}, {used}, {len(caps)}, {len(grants)}),\n")
    if words:
        out.append(f"        .words = {{{', '.join(words)}}},\n")
    deadline = own_name("deadline_ns", method) if method.deadline else "DEADLINE_NEVER"
    out.append(f"        .deadline = {deadline},\n    }};\n")
    return out


def check_results(method):
    """Take the reply's data apart and check it all before anything is stored."""
    out = ["    struct ipc_reader reader_ = {buffer_->data, ipc_info_data(regs_.info), false};\n"]
    wrong = ["!ipc_read_end(&reader_)"]
    for result in method.results:
        at = f"{result.name}_at_"
        if result.kind == "string":
            out.append(f"    const char *{at} = ipc_read_string(&reader_, {result.limit});\n")
        elif result.kind == "bytes":
            out.append(f"    size_t {result.name}_size_;\n")
            call = ["&reader_", str(result.limit), f"&{result.name}_size_"]
            out.append(wrap_call(f"const void *{at} = ipc_read_bytes", call, ";", "    "))
        elif result.kind == "struct":
            out.append(f"    const void *{at} = ipc_read_struct(&reader_, sizeof(*{result.name}));\n")
        elif result.kind == "int" and INTEGERS[result.type].size < 8:
            wrong.append(f"regs_.words[{result.register}] > UINT{8 * INTEGERS[result.type].size}_MAX")
        if result.kind in ("string", "bytes", "struct"):
            wrong.append(f"!{at}")
    out.append(f"    if ({(' ||' + chr(10) + '        ').join(wrong)}) {{\n        return ipc_corrupt();\n    }}\n")
    return out


def store_results(method):
    out = []
    for result in method.results:
        at = f"{result.name}_at_"
        if result.kind == "int":
            cast = "" if result.type == "u64" else f"({INTEGERS[result.type].c})"
            out.append(f"    *{result.name} = {cast}regs_.words[{result.register}];\n")
        elif result.kind == "cap":
            out.append(f"    *{result.name} = buffer_->received[{result.register}];\n")
        elif result.kind == "string":
            out.append(f"    strcpy({result.name}, {at});\n")
        elif result.kind == "bytes":
            out.append(f"    memcpy({result.name}, {at}, {result.name}_size_);\n")
            out.append(f"    *{result.name}_bytes = {result.name}_size_;\n")
        else:
            out.append(f"    memcpy({result.name}, {at}, sizeof(*{result.name}));\n")
    return out


def stub(protocol, method):
    name = f"{protocol.name}_{method.name}"
    caps = sum(result.kind == "cap" for result in method.results)
    head = f"status_t {name}_until" if method.deadline else f"status_t {name}"
    out = [wrap_call(head, client_params(method, method.deadline), "")]
    out.append("{\n    struct ipc_buffer *buffer_ = ipc_buffer();\n")
    out.append("    if (!buffer_) {\n        return STATUS_INVALID;\n    }\n")
    out += request_lines(protocol, method)
    out.append(f"    status_t status_ = ipc_exchange(&regs_, {caps});\n")
    out.append("    if (!status_is_ok(status_)) {\n        return status_;\n    }\n")
    out += check_results(method)
    out += store_results(method)
    out.append("    return STATUS_OK;\n}\n")
    if method.deadline:
        names = [text.rsplit(" ", 1)[1].lstrip("*") for text in client_params(method)]
        out.append(wrap_call(f"\nstatus_t {name}", client_params(method), ""))
        out.append("{\n" + wrap_call(f"return {name}_until", names + ["DEADLINE_NEVER"], ";", "    ") + "}\n")
    return "".join(out)


def client(protocol):
    return "\n".join(stub(protocol, method) for method in protocol.methods)

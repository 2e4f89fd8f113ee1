"""Asynchronous client stubs of calls that may be answered later: a request structure, and a function that gives
it to a pool of <os/async.h>."""

from emit_protocol import data_pointer, own_name, value_type
from output import comment, wrap_call


def request_fields(method):
    """Arguments and results of @method as members: strings and buffers stay where the caller has them."""
    out = [f"struct async_call {own_name('call', method)}", f"handle_t {own_name('server', method)}"]
    for param in method.params:
        if param.kind in ("int", "cap"):
            out.append(f"{value_type(param)} {param.name}")
        elif param.kind.endswith("_buffer"):
            const = "const " if param.kind == "in_buffer" else ""
            out += [f"{const}void *{param.name}", f"size_t {param.name}_bytes"]
        else:
            out.append(data_pointer(param, True))
            if param.kind == "bytes":
                out.append(f"size_t {param.name}_bytes")
    for result in method.results:
        if result.kind in ("int", "cap"):
            out.append(f"{value_type(result)} {result.name}")
        elif result.kind == "struct":
            out.append(f"struct {result.type} {result.name}")
        elif result.kind == "string":
            out.append(f"char {result.name}[{result.limit + 1}]")
        else:
            out += [f"uint8_t {result.name}[{result.limit}]", f"size_t {result.name}_bytes"]
    return out


def declarations(protocol):
    methods = [method for method in protocol.methods if method.pending]
    if not methods:
        return ""
    out = ["\n/* --- client, without waiting --- */\n"]
    for method in methods:
        name = f"{protocol.name}_{method.name}"
        out.append("\n" + comment(f"{name}() as a request: arguments, then results."))
        out.append(f"struct {name}_async {{\n" + "".join(f"    {field};\n" for field in request_fields(method)))
        out.append("};\n" + comment(f"Give @request to @pool; async_next() gives its {own_name('call', method)} back."))
        out.append(wrap_call(f"void {name}_start", start_params(name), ";"))
    return "".join(out)


def start_params(name):
    return ["struct async_pool *pool", f"struct {name}_async *request"]


def stub_values(method):
    """The arguments of the synchronous stub, out of a request."""
    out = [own_name("server", method)]
    for param in method.params:
        out.append(param.name)
        if param.kind in ("bytes", "in_buffer", "out_buffer"):
            out.append(f"{param.name}_bytes")
    out = [f"request->{name}" for name in out]
    for result in method.results:
        array = result.kind in ("string", "bytes")
        out.append(f"request->{result.name}" if array else f"&request->{result.name}")
        if result.kind == "bytes":
            out.append(f"&request->{result.name}_bytes")
    return out


def definitions(protocol):
    out = []
    for method in protocol.methods:
        if not method.pending:
            continue
        name = f"{protocol.name}_{method.name}"
        call = own_name("call", method)
        kind = f"struct {name}_async"
        out.append(f"\nstatic void run_{method.name}(struct async_call *head)\n{{\n")
        # The head is the first member.
        out.append(f"    {kind} *request = ({kind} *)(void *)head;\n")
        out.append(wrap_call(f"head->status = {name}", stub_values(method), ";", "    ") + "}\n\n")
        out.append(wrap_call(f"void {name}_start", start_params(name), ""))
        out.append(f"{{\n    request->{call}.run = run_{method.name};\n    async_submit(pool, &request->{call});\n}}\n")
    return "".join(out)

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
#include "process.h"
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


def object_type(param):
    return f"OBJECT_{'NONE' if param.type == 'any' else param.type.upper()}"


def capabilities(method):
    return [param for param in method.params if param.kind == "cap"]


def structures(method):
    return [param for param in method.params if param.kind.endswith("_struct")]


def data_offsets(model, method):
    """Where each structure of @method lies in the frame's data, and how many bytes all take."""
    offsets, at = {}, 0
    for param in structures(method):
        offsets[param.name] = at
        at += (model.struct(param.type).size + 7) // 8 * 8
    return offsets, at


def is_direct(method):
    """Nothing is to be done around the handler, or it is to be done in as few instructions as can be."""
    return method.quick or method.hot or not (capabilities(method) or structures(method) or method.results)


def lookup_lines(method):
    out = []
    for param in capabilities(method):
        if method.hot:
            call = ["self->process", argument(param.register), object_type(param), rights_text(param.rights), "&status_"]
            out.append(wrap_call(f"struct cap *{param.name} = cap_find", call, ";", "    "))
            out.append(f"    if ({param.name} == NULL) {{\n        return status_;\n    }}\n")
            continue
        out.append(f"    struct cap *{param.name};\n")
        call = ["self->process", argument(param.register), object_type(param), rights_text(param.rights), f"&{param.name}"]
        out.append(wrap_call("status_ = cap_lookup", call, ";", "    "))
        out.append("    if (!status_is_ok(status_)) {\n        return status_;\n    }\n")
    return out


def frame_value(offsets, caps, param):
    if param.kind == "cap":
        return f"frame->caps[{caps.index(param)}]"
    word = f"frame->data[{offsets[param.name] // 8}]"
    return f"(struct {param.type} *)(void *)&{word}"


def handler_values(method, special):
    """What the handler is called with; @special(param) tells it for capabilities, structures and results."""
    out = ["self"]
    for param in method.params:
        value = argument(param.register)
        if param.kind == "int":
            out.append(value if param.type == "u64" else f"({INTEGERS[param.type].c}){value}")
        elif param.kind == "handle":
            out.append(value)
        elif param.kind in ("in_bytes", "out_bytes"):
            kind = "user_in" if param.kind == "in_bytes" else "user_out"
            out.append(f"(struct {kind}){{{value}, {argument(param.register + 1)}}}")
        else:
            out.append(special(param))
    return out + [special(result) for result in method.results]


def direct_function(model, interface, method):
    """The dispatcher of one call."""
    name = f"{interface.name}_{method.name}"
    out = [f"static status_t dispatch_{name}(struct thread *self)\n{{\n"]
    out += check_lines(model, method)
    if capabilities(method) or method.results:
        out.append("    status_t status_ = STATUS_OK;\n")
    out += lookup_lines(method)
    for result in method.results:
        out.append(f"    {result_type(result)} {result.name} = 0;\n")
    call = handler_values(method, lambda param: param.name if param.kind == "cap" else f"&{param.name}")
    if not method.results:
        out.append(wrap_call(f"return sys_{name}", call, ";", "    "))
        out.append("}\n")
        return "".join(out)
    out.append(wrap_call(f"status_ = sys_{name}", call, ";", "    "))
    out.append("    if (status_is_ok(status_)) {\n")
    for result in method.results:
        cast = "" if result_type(result) in ("handle_t", "uint64_t") else "(uint64_t)"
        out.append(f"        arch_syscall_result_set(self, {result.register}, {cast}{result.name});\n")
    out.append("    }\n    return status_;\n}\n")
    return "".join(out)


def result_member(result):
    """Of the union that holds a result: what is stored there is the lower end of a word of zeroes."""
    kind = result_type(result)
    return "word" if kind in ("handle_t", "uint64_t") else kind.removesuffix("_t")


def run_function(model, interface, method):
    """What is particular to a call that dispatch_described() makes."""
    name = f"{interface.name}_{method.name}"
    offsets, caps = data_offsets(model, method)[0], capabilities(method)

    def special(param):
        if param in method.results:
            return f"&frame->results[{param.register}].{result_member(param)}"
        return frame_value(offsets, caps, param)

    out = [f"static status_t run_{name}(struct thread *self, struct call_frame *frame)\n{{\n"]
    if not (caps or structures(method) or method.results):
        raise AssertionError(name)
    out += check_lines(model, method)
    out.append(wrap_call(f"return sys_{name}", handler_values(method, special), ";", "    "))
    out.append("}\n")
    return "".join(out)


def description(model, interface, method):
    """The entry of a call in the table of dispatch_described()."""
    out = [f"    {{.run = run_{interface.name}_{method.name},\n"]
    for index, param in enumerate(capabilities(method)):
        out.append(f"     .caps[{index}] = {{{param.register}, {object_type(param)}, {rights_text(param.rights)}}},\n")
    for index, param in enumerate(structures(method)):
        out.append(f"     .copies[{index}] = {{{param.register}, {int(param.kind == 'in_struct')}, sizeof(struct {param.type})}},\n")
    counts = ("cap_count", len(capabilities(method))), ("copy_count", len(structures(method))), ("result_count", len(method.results))
    out.append("     " + ", ".join(f".{field} = {count}" for field, count in counts) + "},\n")
    return "".join(out)


DESCRIBED = """
/* What a described call hands over to its handler. */
struct call_frame {
    struct cap *caps[CAPS_MAX];
    union {
        uint64_t word;
        uint32_t uint32;
        int64_t int64;
    } results[4];
    uint64_t *data; /* its structures, one after the other */
};

/* What is done around a handler: capabilities are looked up, structures copied, results stored. */
struct call_description {
    status_t (*run)(struct thread *self, struct call_frame *frame);
    struct {
        uint8_t argument, type;
        uint16_t rights;
    } caps[CAPS_MAX];
    struct {
        uint8_t argument;
        bool in;
        uint16_t bytes;
    } copies[COPIES_MAX];
    uint8_t cap_count, copy_count, result_count;
};

_Static_assert(RIGHT_ALL <= UINT16_MAX, "the field's width");
"""

TABLES = """
static const struct call_description descriptions[] = {
DESCRIPTIONS};

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

static status_t copy_structures(struct thread *self, const struct call_description *call, uint64_t *data, bool before)
{
    for (uint32_t i = 0; i < call->copy_count; i++) {
        uint64_t address = arch_syscall_arg(self, call->copies[i].argument);
        size_t bytes = call->copies[i].bytes;
        status_t status = STATUS_OK;
        if (!call->copies[i].in) {
            status = user_copy_out(self, address, data, bytes);
        } else if (before) {
            status = user_copy_in(self, data, address, bytes);
        }
        if (!status_is_ok(status)) {
            return status;
        }
        data += (bytes + 7) / 8;
    }
    return STATUS_OK;
}

/* A page of an `out` structure that is not there is asked for before anything is done. */
static __attribute__((noinline)) status_t run_with_structures(struct thread *self, const struct call_description *call,
                                                              struct call_frame *frame)
{
    uint64_t data[DATA_WORDS] = {0};
    frame->data = data;
    status_t status = copy_structures(self, call, data, true);
    if (status_is_ok(status)) {
        status = call->run(self, frame);
    }
    return status_is_ok(status) ? copy_structures(self, call, data, false) : status;
}

/* The generator counted all entries: nothing here needs a check of bounds, and each system call would pay it. */
__attribute__((no_sanitize("bounds"), noinline)) static status_t dispatch_described(struct thread *self, const struct call_description *call)
{
    struct call_frame frame = {0};
    for (uint32_t i = 0; i < call->cap_count; i++) {
        status_t status = cap_lookup(self->process, arch_syscall_arg(self, call->caps[i].argument), call->caps[i].type, call->caps[i].rights,
                                     &frame.caps[i]);
        if (!status_is_ok(status)) {
            return status;
        }
    }
    status_t status = call->copy_count == 0 ? call->run(self, &frame) : run_with_structures(self, call, &frame);
    if (status_is_ok(status)) {
        for (uint32_t i = 0; i < call->result_count; i++) {
            arch_syscall_result_set(self, i, frame.results[i].word);
        }
    }
    return status;
}

__attribute__((no_sanitize("bounds"))) status_t syscall_dispatch(struct thread *self, uint64_t number)
{
    uint32_t entry = number < SYS_LIMIT ? syscall_index[number] & ~SYSCALL_MAY_WAIT : 0;
    syscall_function *direct = syscall_dispatchers[entry];
    return direct != NULL ? direct(self) : dispatch_described(self, &descriptions[entry]);
}
"""


def tables(model):
    """The dispatcher: the numbers have holes, so a table of bytes leads to dense ones."""
    indices, dispatchers, descriptions = [], [], []
    for interface in model.objects:
        for method in interface.methods:
            name = f"{interface.name}_{method.name}"
            entry = len(dispatchers) + 1
            direct = f"raw_{name}" if method.raw else f"dispatch_{name}" if is_direct(method) else ""
            dispatchers.append(f"    {direct or 'NULL'},\n")
            if not direct:
                descriptions.append(f"    [{entry}] =\n{description(model, interface, method)}")
            indices.append(f"    [{method.number}] = {entry}{'' if method.quick else ' | SYSCALL_MAY_WAIT'},\n")
    assert len(dispatchers) < 128, "a byte holds an entry and SYSCALL_MAY_WAIT"
    text = TABLES
    words = max(data_offsets(model, method)[1] // 8 for _, method in described(model))
    for key, value in (("INDICES", "".join(indices)), ("DISPATCHERS", "".join(dispatchers)), ("DESCRIPTIONS", "".join(descriptions)),
                       ("DATA_WORDS", str(max(words, 1)))):
        text = text.replace(key, value)
    return text


def methods(model):
    return [(interface, method) for interface in model.objects for method in interface.methods if not method.raw]


def described(model):
    return [(interface, method) for interface, method in methods(model) if not is_direct(method)]


def described_types(model):
    most = {"CAPS_MAX": capabilities, "COPIES_MAX": structures}
    text = DESCRIBED
    for key, select in most.items():
        text = text.replace(key, str(max([1] + [len(select(method)) for _, method in described(model)])))
    return text


def emit(model):
    functions = [
        direct_function(model, interface, method) if is_direct(method) else run_function(model, interface, method)
        for interface, method in methods(model)
    ]
    dispatch = banner(model.abi) + DISPATCH_PROLOGUE.rstrip("\n") + "\n" + described_types(model) + "\n" + "\n".join(functions)
    dispatch += tables(model)
    return {"kernel/handlers.h": handlers(model), "kernel/dispatch.c": dispatch}

"""Completes and judges a parsed model: after complete() an emitter may trust everything it reads.

Refused: unknown names, duplicate names and numbers, values outside their type, structures with implicit
padding, C keywords as names, and calls that need more registers, words, capabilities or grants than the
ABI has.
"""

from model import INTEGERS, Const, Enum, IdlError, Interface, Struct

ARGUMENT_REGISTERS = 8
RESULT_REGISTERS = 4
METHODS_PER_OBJECT = 64
METHODS_PER_PROTOCOL = 256
STRUCT_ON_STACK_BYTES = 1024

SYSCALL_PARAMS = {"int", "handle", "cap", "in_bytes", "out_bytes", "in_struct", "out_struct"}
SYSCALL_RESULTS = {"int", "handle"}
PROTOCOL_PARAMS = {"int", "string", "bytes", "struct", "in_buffer", "out_buffer", "cap"}
PROTOCOL_RESULTS = {"int", "string", "bytes", "struct", "cap"}

C_KEYWORDS = set(
    """auto break case char const continue default do double else enum extern float for goto if inline int long
    register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
    asm typeof bool true false""".split()
)


def complete(model):
    """Check @model and fill in what follows from it; IdlError at the first fault."""
    check_units(model)
    check_unique(model)
    for const in model.all(Const):
        check_value(const.type, const.value, const.place)
    for enum in model.all(Enum):
        check_enum(enum)
    done = set()
    for struct in model.all(Struct):
        layout(model, struct, done, [])
    check_numbers(model)
    for interface in model.all(Interface):
        complete_interface(model, interface)


def check_units(model):
    names = set()
    for unit in model.services:
        if unit.name in names:
            raise IdlError(unit.path, f"two interface files are called {unit.name}")
        names.add(unit.name)
        interfaces = unit.of(Interface)
        if len(interfaces) > 1 or any(i.name != unit.name or not i.is_protocol for i in interfaces):
            raise IdlError(unit.path, "a service file holds at most one protocol, named like the file")
    for unit in model.abi:
        for item in unit.of(Interface):
            if item.is_protocol:
                raise IdlError(item.place, "protocols belong into idl/")


def check_unique(model):
    seen = {}

    def add(key, place):
        if key in seen:
            raise IdlError(place, f"{key[1]} is defined already at {seen[key]}")
        seen[key] = place

    for const in model.all(Const):
        add(("macro", const.name), const.place)
    for enum in model.all(Enum):
        add(("type", enum.name), enum.place)
        for member in enum.members:
            add(("macro", f"{enum.prefix}_{member.name}"), member.place)
    for struct in model.all(Struct):
        add(("type", struct.name), struct.place)
    for item in model.all(Interface):
        add(("interface", item.name), item.place)


def check_integer(name, place):
    if name not in INTEGERS:
        raise IdlError(place, f"unknown integer type {name!r}")
    return INTEGERS[name]


def check_value(kind, value, place):
    integer = check_integer(kind, place)
    if not integer.least <= value <= integer.greatest:
        raise IdlError(place, f"{value} does not fit {kind}")


def check_enum(enum):
    values = {}
    bits = 8 * check_integer(enum.type, enum.place).size
    for member in enum.members:
        if enum.is_flags:
            if not 0 <= member.value < bits:
                raise IdlError(member.place, f"bit {member.value} is outside {enum.type}")
        else:
            check_value(enum.type, member.value, member.place)
        if member.value in values:
            raise IdlError(member.place, f"{member.name} has the value of {values[member.value]}")
        values[member.value] = member.name
    if enum.is_flags and INTEGERS[enum.type].signed:
        raise IdlError(enum.place, "flags are unsigned")


def resolve_count(model, count, place):
    if isinstance(count, str):
        const = model.const(count)
        if not const:
            raise IdlError(place, f"unknown constant {count}")
        count = const.value
    if count < 1:
        raise IdlError(place, "a length is at least 1")
    return count


def layout(model, struct, done, path):
    """Offsets, size and alignment of @struct; natural alignment, no hole, no tail padding."""
    if struct.name in done:
        return
    if struct.name in path:
        raise IdlError(struct.place, f"struct {struct.name} contains itself")
    offset = 0
    names = set()
    for field in struct.fields:
        if field.name in C_KEYWORDS or field.name in names:
            raise IdlError(field.place, f"{field.name}: a word of C, or there twice")
        names.add(field.name)
        if field.type in INTEGERS:
            size = align = INTEGERS[field.type].size
        else:
            inner = model.struct(field.type)
            if not inner:
                raise IdlError(field.place, f"unknown type {field.type!r}")
            layout(model, inner, done, path + [struct.name])
            size, align = inner.size, inner.align
        field.length = resolve_count(model, field.count, field.place) if field.count is not None else 0
        if offset % align:
            raise IdlError(field.place, f"{field.name} would need {align - offset % align} bytes of padding")
        field.offset = offset
        offset += size * max(field.length, 1)
        struct.align = max(struct.align, align)
    if not struct.fields:
        raise IdlError(struct.place, "an empty structure")
    if offset % struct.align:
        raise IdlError(struct.place, f"struct {struct.name} needs {struct.align - offset % struct.align} bytes at its end")
    struct.size = offset
    done.add(struct.name)


def check_numbers(model):
    for is_protocol in (False, True):
        numbers = {}
        for item in model.all(Interface):
            if item.is_protocol != is_protocol:
                continue
            if item.number in numbers:
                raise IdlError(item.place, f"{item.name} has the number of {numbers[item.number]}")
            if not 0 <= item.number < (1 << 24 if is_protocol else 1 << 10):
                raise IdlError(item.place, f"number {item.number} is out of range")
            numbers[item.number] = item.name


def complete_interface(model, interface):
    slots = METHODS_PER_PROTOCOL if interface.is_protocol else METHODS_PER_OBJECT
    if len(interface.methods) > slots:
        raise IdlError(interface.place, f"more than {slots} methods")
    names = set()
    for index, method in enumerate(interface.methods):
        method.index = index
        method.number = interface.number * slots + index
        if method.name in names:
            raise IdlError(method.place, f"{method.name} is there twice")
        names.add(method.name)
        check_method(model, interface, method)
        if interface.is_protocol:
            check_message(model, method)
        else:
            check_registers(model, method)


def check_method(model, interface, method):
    status = model.enum("status")
    known = {member.name for member in status.members} if status else set()
    for error in method.errors:
        if error not in known or error == "OK":
            raise IdlError(method.place, f"unknown error {error}")
    check_rights(model, method.rights, method.place)
    if not interface.is_protocol and (method.rights or method.pending or method.deadline):
        raise IdlError(method.place, "rights, pending and deadline are for protocols")
    if interface.is_protocol and method.quick:
        raise IdlError(method.place, "quick calls are for objects")
    if interface.is_protocol and method.hot:
        raise IdlError(method.place, "hot calls are for objects")
    if method.quick and any(param.kind in ("in_bytes", "out_bytes", "in_struct", "out_struct") for param in method.params):
        raise IdlError(method.place, "a quick call never waits, and user memory may not be there")
    if interface.is_protocol and method.raw:
        raise IdlError(method.place, "raw calls are for objects")
    allowed = (PROTOCOL_PARAMS, PROTOCOL_RESULTS) if interface.is_protocol else (SYSCALL_PARAMS, SYSCALL_RESULTS)
    names = set()
    for group, kinds in ((method.params, allowed[0]), (method.results, allowed[1])):
        for param in group:
            check_param(model, param, kinds)
            for name in c_names(param):
                # Generated code ends its own names with an underscore.
                if name in names or name in C_KEYWORDS or name == "self" or name.endswith("_"):
                    raise IdlError(param.place, f"{name} is taken")
                names.add(name)


def c_names(param):
    """The C parameters that @param becomes."""
    pair = param.kind in ("in_bytes", "out_bytes", "bytes", "in_buffer", "out_buffer")
    return [param.name, f"{param.name}_bytes"] if pair else [param.name]


def check_param(model, param, kinds):
    if param.kind not in kinds:
        raise IdlError(param.place, f"{param.name}: a parameter of kind {param.kind.replace('_', ' ')} cannot stand here")
    if param.kind in ("in_struct", "out_struct", "struct"):
        struct = model.struct(param.type)
        if not struct:
            raise IdlError(param.place, f"unknown structure {param.type}")
        if struct.size > STRUCT_ON_STACK_BYTES:
            raise IdlError(param.place, f"struct {param.type} has more than {STRUCT_ON_STACK_BYTES} bytes")
    if param.kind == "cap":
        types = {m.name.lower() for m in model.enum("object_type").members} - {"none"} | {"any"}
        if param.type not in types:
            raise IdlError(param.place, f"unknown object type {param.type}")
        check_rights(model, param.rights, param.place)
    if param.of and not model.enum(param.of):
        raise IdlError(param.place, f"unknown enum or flags {param.of}")
    if param.limit is not None:
        param.limit = resolve_count(model, param.limit, param.place)


def wrong_value(model, param, value):
    """The C condition that @value, a 64-bit word, cannot be @param; "" if everything can."""
    enum = model.enum(param.of) if param.of else None
    if enum and enum.is_flags:
        every = f"{enum.prefix}_ALL"
        return f"({value} & ~{every if enum.type == 'u64' else f'(uint64_t){every}'}) != 0"
    if enum and sorted(member.value for member in enum.members) == list(range(len(enum.members))):
        last = max(enum.members, key=lambda member: member.value)
        return f"{value} > {enum.prefix}_{last.name}"
    if INTEGERS[param.type].size < 8:
        return f"{value} > UINT{8 * INTEGERS[param.type].size}_MAX"
    return ""


def check_rights(model, rights, place):
    known = {member.name.lower() for member in model.enum("rights").members} if rights else set()
    for right in rights:
        if right not in known:
            raise IdlError(place, f"unknown right {right}")


def check_registers(model, method):
    """Deal out the registers of a system call."""
    register = 0
    for param in method.params:
        param.register = register
        register += 2 if param.kind in ("in_bytes", "out_bytes") else 1
    if register > ARGUMENT_REGISTERS:
        raise IdlError(method.place, f"{method.name} needs {register} argument registers of {ARGUMENT_REGISTERS}")
    for register, result in enumerate(method.results):
        result.register = register
    if len(method.results) > RESULT_REGISTERS:
        raise IdlError(method.place, f"{method.name} has more than {RESULT_REGISTERS} results")
    on_stack = sum(model.struct(p.type).size for p in method.params if p.kind.endswith("_struct"))
    if on_stack > STRUCT_ON_STACK_BYTES:
        raise IdlError(method.place, f"the structures of {method.name} need more than {STRUCT_ON_STACK_BYTES} bytes")


def check_message(model, method):
    """Deal out the words of a message; strings, bytes and structures share the message buffer."""
    limits = {n: model.const(n).value for n in ("IPC_WORDS", "IPC_CAPS_MAX", "IPC_GRANTS_MAX", "IPC_DATA_MAX")}
    for group in (method.params, method.results):
        words = caps = grants = data = 0
        for param in group:
            if param.kind == "int":
                param.register = words
                words += 1
            elif param.kind == "cap":
                param.register = caps
                caps += 1
            elif param.kind in ("in_buffer", "out_buffer"):
                param.register = grants
                grants += 1
            else:
                data += data_bytes(model, param)
        for count, limit, what in (
            (words, limits["IPC_WORDS"], "words"),
            (caps, limits["IPC_CAPS_MAX"], "capabilities"),
            (grants, limits["IPC_GRANTS_MAX"], "granted buffers"),
            (data, limits["IPC_DATA_MAX"], "bytes of data"),
        ):
            if count > limit:
                raise IdlError(method.place, f"{method.name} needs {count} {what} of {limit}")


def data_bytes(model, param):
    """The most bytes that @param takes in the message buffer."""
    if param.kind == "struct":
        return (model.struct(param.type).size + 7) // 8 * 8
    # A length word, then the bytes (of a string with its NUL), rounded up.
    return 8 + (param.limit + (param.kind == "string") + 7) // 8 * 8

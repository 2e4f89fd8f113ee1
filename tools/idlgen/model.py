"""What an interface file says, as plain data.

The parser builds these objects, checks.py completes them (layouts, indices, register maps) and refuses
what is wrong, the emitters only read them. Integer types keep their IDL names (u8 ... i64); INTEGERS maps
them to C.
"""

from dataclasses import dataclass, field


class IdlError(Exception):
    """A fault in an interface file, with its place."""

    def __init__(self, place, message):
        super().__init__(f"{place}: {message}")


@dataclass(frozen=True)
class Integer:
    """An integer type: its C name, size in bytes, signedness and the macro that makes a constant of it."""

    c: str
    size: int
    signed: bool
    literal: str

    @property
    def least(self):
        return -(1 << (8 * self.size - 1)) if self.signed else 0

    @property
    def greatest(self):
        return (1 << (8 * self.size - (1 if self.signed else 0))) - 1


INTEGERS = {
    "char": Integer("char", 1, True, ""),
    "u8": Integer("uint8_t", 1, False, "UINT8_C"),
    "u16": Integer("uint16_t", 2, False, "UINT16_C"),
    "u32": Integer("uint32_t", 4, False, "UINT32_C"),
    "u64": Integer("uint64_t", 8, False, "UINT64_C"),
    "i8": Integer("int8_t", 1, True, "INT8_C"),
    "i16": Integer("int16_t", 2, True, "INT16_C"),
    "i32": Integer("int32_t", 4, True, "INT32_C"),
    "i64": Integer("int64_t", 8, True, "INT64_C"),
}

# What may travel in a register or register word.
WORD_TYPES = ("u8", "u16", "u32", "u64", "i64")


@dataclass
class Const:
    name: str
    type: str
    value: int
    text: str
    doc: str
    place: str


@dataclass
class Member:
    name: str
    value: int
    doc: str
    place: str


@dataclass
class Enum:
    """`enum` or `flags`; of flags, `value` is the bit number."""

    name: str
    type: str
    prefix: str
    members: list
    is_flags: bool
    doc: str
    place: str


@dataclass
class Field:
    name: str
    type: str
    count: object  # None, a number, or the name of a constant
    doc: str
    place: str
    length: int = 0  # elements, 0: not an array
    offset: int = 0


@dataclass
class Struct:
    name: str
    fields: list
    doc: str
    place: str
    size: int = 0
    align: int = 1


@dataclass
class Param:
    """A parameter or result of a call.

    kind: int, handle, cap; system calls: in_bytes, out_bytes, in_struct, out_struct;
    protocols: string, bytes, struct, in_buffer, out_buffer.
    """

    name: str
    kind: str
    type: str  # integer type, struct name, or object type of a cap
    rights: list
    limit: object  # N of string[N] and bytes[N]
    of: str  # the enum or flags that an integer's value belongs to, or ""
    move: bool
    place: str
    register: int = 0  # first register (system calls) or word (protocols)


@dataclass
class Method:
    name: str
    params: list
    results: list
    rights: list
    errors: list
    pending: bool
    deadline: bool
    raw: bool
    quick: bool
    hot: bool
    doc: str
    place: str
    index: int = 0
    number: int = 0


@dataclass
class Interface:
    """An `object` (system calls) or a `protocol` (messages)."""

    name: str
    number: int
    methods: list
    is_protocol: bool
    doc: str
    place: str


@dataclass
class Unit:
    """One source file. `is_abi`: it describes the kernel's interface; else it becomes <idl/NAME.h>."""

    name: str
    path: str
    is_abi: bool
    doc: str = ""
    items: list = field(default_factory=list)

    def of(self, kind):
        return [item for item in self.items if isinstance(item, kind)]

    @property
    def protocol(self):
        found = [item for item in self.of(Interface) if item.is_protocol]
        return found[0] if found else None


@dataclass
class Model:
    units: list

    def all(self, kind):
        return [item for unit in self.units for item in unit.of(kind)]

    @property
    def abi(self):
        return [unit for unit in self.units if unit.is_abi]

    @property
    def services(self):
        return [unit for unit in self.units if not unit.is_abi]

    @property
    def objects(self):
        found = [item for item in self.all(Interface) if not item.is_protocol]
        return sorted(found, key=lambda item: item.number)

    def struct(self, name):
        return next((item for item in self.all(Struct) if item.name == name), None)

    def enum(self, name):
        return next((item for item in self.all(Enum) if item.name == name), None)

    def const(self, name):
        return next((item for item in self.all(Const) if item.name == name), None)

    def unit_of(self, struct_name):
        return next(u for u in self.units if any(s.name == struct_name for s in u.of(Struct)))

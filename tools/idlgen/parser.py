"""Lexer and recursive-descent parser of the interface language (grammar: docs/idl.md).

The parser knows the shape of the language only; whether names exist, numbers are unique and layouts have
no holes is the business of checks.py.
"""

import os
import re

from model import Const, Enum, Field, IdlError, Interface, Member, Method, Param, Struct, Unit, WORD_TYPES

TOKEN = re.compile(
    r"(?P<doc>/\*\*(?!/).*?\*/)|(?P<comment>/\*.*?\*/|//[^\n]*)|(?P<space>\s+)"
    r"|(?P<number>-?(?:0[xX][0-9a-fA-F]+|[0-9]+)\b)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<punct>->|[{}()\[\];:,=])",
    re.DOTALL,
)


def doc_text(raw):
    """The words of a /** comment */ without its decoration."""
    lines = [re.sub(r"^\s*\*? ?", "", line) for line in raw[3:-2].strip().split("\n")]
    return "\n".join(line.rstrip() for line in lines).strip()


class Lexer:
    """Cuts a file into (kind, text, line) tokens and walks over them."""

    def __init__(self, path, text):
        self.path = path
        self.tokens = []
        self.next = 0
        self.essay = ""
        position = line = 0
        while position < len(text):
            match = TOKEN.match(text, position)
            if not match:
                raise IdlError(f"{path}:{line + 1}", f"unexpected character {text[position]!r}")
            kind = match.lastgroup
            if kind == "comment" and not self.tokens and not self.essay:
                self.essay = doc_text("/**" + match.group()[2:])
            if kind not in ("comment", "space"):
                self.tokens.append((kind, match.group(), line + 1))
            line += match.group().count("\n")
            position = match.end()
        self.tokens.append(("end", "", line + 1))

    def place(self):
        return f"{self.path}:{self.tokens[self.next][2]}"

    def peek(self):
        return self.tokens[self.next][1]

    def at_end(self):
        return self.tokens[self.next][0] == "end"

    def take(self, kind):
        found, text, _ = self.tokens[self.next]
        if found != kind:
            raise IdlError(self.place(), f"expected a {kind}, found {text!r}")
        self.next += 1
        return text

    def accept(self, text):
        if self.tokens[self.next][0] in ("punct", "name") and self.peek() == text:
            self.next += 1
            return True
        return False

    def expect(self, text):
        if not self.accept(text):
            raise IdlError(self.place(), f"expected {text!r}, found {self.peek()!r}")

    def doc(self):
        text = ""
        while self.tokens[self.next][0] == "doc":
            text = doc_text(self.take("doc"))
        return text


def parse_file(path, shown_path):
    """The Unit of the file at @path; messages and generated files name it @shown_path."""
    with open(path, encoding="utf-8") as file:
        lexer = Lexer(shown_path, file.read())
    name = os.path.splitext(os.path.basename(path))[0]
    is_abi = os.path.basename(os.path.dirname(os.path.abspath(path))) == "abi"
    unit = Unit(name, shown_path, is_abi, lexer.essay)
    while True:
        doc = lexer.doc()
        if lexer.at_end():
            return unit
        unit.items.append(parse_item(lexer, doc))


def parse_item(lexer, doc):
    place = lexer.place()
    word = lexer.take("name")
    if word == "const":
        return parse_const(lexer, doc, place)
    if word in ("enum", "flags"):
        return parse_enum(lexer, word == "flags", doc, place)
    if word == "struct":
        return parse_struct(lexer, doc, place)
    if word in ("object", "protocol"):
        return parse_interface(lexer, word == "protocol", doc, place)
    raise IdlError(place, f"expected const, enum, flags, struct, object or protocol, found {word!r}")


def parse_const(lexer, doc, place):
    name = lexer.take("name")
    lexer.expect(":")
    kind = lexer.take("name")
    lexer.expect("=")
    text = lexer.take("number")
    lexer.expect(";")
    return Const(name, kind, int(text, 0), text, doc, place)


def parse_enum(lexer, is_flags, doc, place):
    name = lexer.take("name")
    lexer.expect(":")
    kind = lexer.take("name")
    prefix = lexer.take("name") if lexer.accept("prefix") else name.upper()
    lexer.expect("{")
    members = []
    while True:
        member_doc = lexer.doc()
        if lexer.accept("}"):
            return Enum(name, kind, prefix, members, is_flags, doc, place)
        at = lexer.place()
        member = lexer.take("name")
        lexer.expect("=")
        members.append(Member(member, int(lexer.take("number"), 0), member_doc, at))
        if not lexer.accept(",") and lexer.peek() != "}":
            raise IdlError(lexer.place(), f"expected ',' or '}}', found {lexer.peek()!r}")


def parse_struct(lexer, doc, place):
    name = lexer.take("name")
    lexer.expect("{")
    fields = []
    while True:
        field_doc = lexer.doc()
        if lexer.accept("}"):
            return Struct(name, fields, doc, place)
        at = lexer.place()
        field = lexer.take("name")
        lexer.expect(":")
        kind = lexer.take("name")
        count = None
        if lexer.accept("["):
            count = parse_count(lexer)
            lexer.expect("]")
        lexer.expect(";")
        fields.append(Field(field, kind, count, field_doc, at))


def parse_count(lexer):
    """A number, or the name of a constant."""
    if lexer.tokens[lexer.next][0] == "number":
        return int(lexer.take("number"), 0)
    return lexer.take("name")


def parse_interface(lexer, is_protocol, doc, place):
    name = lexer.take("name")
    lexer.expect("=")
    number = int(lexer.take("number"), 0)
    lexer.expect("{")
    methods = []
    while True:
        method_doc = lexer.doc()
        if lexer.accept("}"):
            return Interface(name, number, methods, is_protocol, doc, place)
        methods.append(parse_method(lexer, method_doc))


def parse_method(lexer, doc):
    place = lexer.place()
    raw = lexer.accept("raw")
    quick = not raw and lexer.accept("quick")
    hot = not raw and not quick and lexer.accept("hot")
    if not raw:
        lexer.expect("call")
    method = Method(lexer.take("name"), [], [], [], [], False, False, raw, quick, hot, doc, place)
    if not raw:
        method.params = parse_params(lexer)
        if lexer.accept("->"):
            method.results = parse_params(lexer)
        parse_clauses(lexer, method)
    lexer.expect(";")
    return method


def parse_clauses(lexer, method):
    while True:
        if lexer.accept("rights"):
            method.rights = parse_names(lexer)
        elif lexer.accept("errors"):
            method.errors = parse_names(lexer)
        elif lexer.accept("pending"):
            method.pending = True
        elif lexer.accept("deadline"):
            method.deadline = True
        else:
            return


def parse_names(lexer):
    names = [lexer.take("name")]
    while lexer.accept(","):
        names.append(lexer.take("name"))
    return names


def parse_params(lexer):
    lexer.expect("(")
    params = []
    while not lexer.accept(")"):
        if params:
            lexer.expect(",")
        params.append(parse_param(lexer))
    return params


def parse_param(lexer):
    place = lexer.place()
    param = Param(lexer.take("name"), "", "", [], None, "", False, place)
    lexer.expect(":")
    word = lexer.take("name")
    if word in ("in", "out"):
        what = lexer.take("name")
        if what in ("bytes", "buffer"):
            param.kind = f"{word}_{what}"
        else:
            param.kind, param.type = f"{word}_struct", what
    elif word in ("move", "cap"):
        if word == "move":
            lexer.expect("cap")
            param.move = True
        parse_cap(lexer, param)
    elif word in ("string", "bytes"):
        lexer.expect("[")
        param.kind, param.limit = word, parse_count(lexer)
        lexer.expect("]")
    elif word == "struct":
        param.kind, param.type = "struct", lexer.take("name")
    elif word == "handle":
        param.kind, param.type = "handle", "u64"
    elif word in WORD_TYPES:
        param.kind, param.type = "int", word
        param.of = lexer.take("name") if lexer.accept("of") else ""
    else:
        raise IdlError(place, f"unknown parameter type {word!r}")
    return param


def parse_cap(lexer, param):
    param.kind, param.type = "cap", lexer.take("name")
    if lexer.accept("["):
        if not lexer.accept("]"):
            param.rights = parse_names(lexer)
            lexer.expect("]")

"""Names for what the plugin counted: translated blocks, by address and code, to functions of the kernel and of the programs.

The kernel lies where it was linked. A program lies somewhere else each time, so its blocks are found by their code: a block may stand at
every place of a program's file that has the same bytes at the same offset in a page. Of several places the one wins whose distance from
the block's address explains the most blocks, which is the distance that the whole program was moved by.
"""
import bisect
import collections
import os
import struct
import subprocess

PAGE = 4096
KERNEL_BASE = 1 << 63
SHOWN = 40


def symbols(path):
    """The functions of an ELF file, [(address, name)] in order."""
    done = subprocess.run(["llvm-nm-19", "--defined-only", path], stdout=subprocess.PIPE, check=True)
    lines = (line.split() for line in done.stdout.decode().splitlines())
    return sorted((int(address, 16), name) for address, kind, name in lines if kind in "tTwW" and name[0] not in ".$")


def address_of(path, name):
    """The address of a function, 0 if there is none."""
    return next((address for address, found in symbols(path) if found == name), 0)


def name_at(table, address):
    index = bisect.bisect_right(table, (address, "\x7f")) - 1
    return table[index][1] if index >= 0 else "?"


def frames_of(path, places):
    """{address: functions} of call sites in an ELF file with debug information: the function first, then what is inlined there."""
    places = sorted(places)
    done = subprocess.run(["llvm-symbolizer-19", "--obj=" + path, "--functions=short", "--inlines", "--no-demangle"], check=True,
                          input="\n".join(map(hex, places)), stdout=subprocess.PIPE, encoding="ascii")
    table = symbols(path)
    for place, text in zip(places, done.stdout.split("\n\n")):
        names = text.splitlines()[::2]
        yield place, names[::-1] if names != ["??"] else [name_at(table, place)]


def paths_of(text, kernel):
    """[(instructions, calls)] of the paths that the plugin has kept, the longest of each chain of calls, the longest first."""
    lines = [line.split() for line in text.splitlines() if line.startswith("path ")]
    paths = [(int(length), [int(place, 16) for place in places]) for _, length, *places in lines]
    frames = dict(frames_of(kernel, {place for _, places in paths for place in places}))
    found = {}
    for length, places in sorted(paths):
        found[" > ".join(name for place in places for name in frames[place])] = length
    return sorted(((length, chain) for chain, length in found.items()), reverse=True)


class Program:
    """The executable segment of one ELF file."""

    def __init__(self, path):
        self.name = os.path.basename(path).removesuffix(".debug")
        self.symbols = symbols(path)
        with open(path, "rb") as source:
            image = source.read()
        start, count = struct.unpack_from("<Q", image, 32)[0], struct.unpack_from("<H", image, 56)[0]
        for i in range(count):
            kind, flags, offset, address, _, size = struct.unpack_from("<IIQQQQ", image, start + 56 * i)
            if kind == 1 and flags & 1:
                self.base, self.code = address, image[offset:offset + size]

    def places(self, address, code):
        """Every address of this program that may be @address, with the same code."""
        at = (address - self.base) % PAGE
        while at + len(code) <= len(self.code):
            if self.code[at:at + len(code)] == code:
                yield self.base + at
            at += PAGE


def read_blocks(text):
    for line in text.splitlines():
        if line.startswith("block "):
            _, address, count, code = line.split()
            yield int(address, 16), int(count), bytes.fromhex(code).rstrip(b"\0")


def name_programs(blocks, programs):
    """The (program, function) of each user block."""
    found, votes = {}, collections.Counter()
    for address, _, code in blocks:
        for program in programs:
            for place in program.places(address, code):
                found.setdefault((address, code), []).append((program, place))
                votes[program, address - place] += len(code)
    for address, _, code in blocks:
        best = max(found.get((address, code), ()), key=lambda pair: votes[pair[0], address - pair[1]], default=None)
        yield (best[0].name, name_at(best[0].symbols, best[1])) if best else ("?", f"{address & ~(PAGE - 1):x}")


def print_table(text, repeat, kernel, folder):
    """The functions by their instructions, for each of @repeat repetitions: all, where they are, and the functions that have most, which with the rest are
    all again."""
    blocks = list(read_blocks(text))
    functions, totals = collections.Counter(), collections.Counter()
    table = symbols(kernel)
    user = [block for block in blocks if block[0] < KERNEL_BASE]
    programs = [Program(os.path.join(folder, name)) for name in sorted(os.listdir(folder)) if name.endswith(".debug")]
    names = [("kernel", name_at(table, block[0])) for block in blocks if block[0] >= KERNEL_BASE]
    names += name_programs(user, programs)
    for (where, name), (_, count, _) in zip(names, [block for block in blocks if block[0] >= KERNEL_BASE] + user):
        functions[where, name] += count
        totals[where] += count
    whole = sum(totals.values()) or 1
    print(f"{whole / repeat:14.1f}         all")
    for where, count in totals.most_common():
        print(f"{count / repeat:14.1f} {count / whole:6.1%}  {where}")
    print()
    shown = functions.most_common(SHOWN)
    for (where, name), count in shown:
        print(f"{count / repeat:14.1f} {count / whole:6.1%}  {where}: {name}")
    rest = sum(totals.values()) - sum(count for _, count in shown)
    if rest:
        print(f"{rest / repeat:14.1f} {rest / whole:6.1%}  the rest")

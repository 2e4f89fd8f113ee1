#!/usr/bin/env python3
"""RISC-V: of what type the memory is that the page tables of a running system map, with Svpbmt and without.

The tables are read from outside, by QEMU's monitor, from the root that a hart has loaded. With Svpbmt every leaf outside of RAM has type IO
and every other that of its physical address; without, the bits are reserved (privileged specification, 4.4.1, and chapter 6, Svpbmt).
"""
import collections
import re
import struct
import sys
import tempfile

from machine import PROMPT, Machine, Tap
from screen import Monitor

PAGE = 4096
VALID, LEAF = 0x1, 0xe          # V; R, W, X: none of them in what points to a table
PPN, TYPE_SHIFT = (1 << 44) - 1, 61
IO = 2
RAM = range(0x80000000, 0x80000000 + (256 << 20))  # of QEMU's board


def leaves(monitor, frame, path):
    """Every leaf below the table in @frame."""
    monitor.run("pmemsave", val=frame * PAGE, size=PAGE, filename=path)
    with open(path, "rb") as source:
        table = struct.unpack("<512Q", source.read())
    for entry in table:
        if entry & VALID and entry & LEAF:
            yield entry
        elif entry & VALID:
            yield from leaves(monitor, entry >> 10 & PPN, path)


def check_types(cpu, device):
    with tempfile.TemporaryDirectory(prefix="veridian-types-") as folder:
        extra = (f"-cpu {cpu}", f"-qmp unix:{folder}/qmp,server=on,wait=off")
        with Machine(f"{folder}/log", mem="256M", extra=extra) as guest:
            guest.expect(PROMPT)
            monitor = Monitor(f"{folder}/qmp")
            monitor.run("stop")
            registers = monitor.run("human-monitor-command", **{"command-line": "info registers"})
            root = int(re.search(r"\bsatp +([0-9a-f]+)", registers).group(1), 16) & PPN
            found = collections.defaultdict(set)
            for entry in leaves(monitor, root, f"{folder}/table"):
                found[(entry >> 10 & PPN) * PAGE in RAM].add(entry >> TYPE_SHIFT)
    return found == {True: {0}, False: {device}} or f"types in RAM and outside: {dict(found)}"


def main():
    tap = Tap()
    tap.run("Svpbmt: devices are mapped as such, and nothing else", check_types, "rv64,svpbmt=on", IO)
    tap.run("without Svpbmt: reserved bits are 0", check_types, "rv64,svpbmt=off", 0)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

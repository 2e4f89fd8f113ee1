#!/usr/bin/env python3
"""The disk by every way in which a PCI device may be attached: messages or its interrupt line, on the root bus or behind bridges, alone or
with neighbours on the same lines; and by its line, and by messages if there are some, on the architecture's other machines (mk/arch-<name>.toml).

    test_devices.py --disk IMAGE --tree FOLDER        FOLDER holds the files that went into IMAGE

Each way is one boot with one command line, which reads some of the files with cold caches; their sums must be the host's. Which
way its interrupts took is asserted by the driver's word in the log. ARCH and BUILD_ROOT are the environment's.
"""
import argparse
import os
import subprocess
import sys
import tempfile

import machine
from machine import Tap
from test_shell import digest, host_files

FILES = 20
DISK = "virtio-blk-pci,drive=disk,disable-legacy=on"
PORT = "pcie-root-port,id=port{0},chassis={0},slot={0}"
NEIGHBOUR = "virtio-rng-pci,disable-legacy=on,vectors=0"

# Name, devices before the disk, the disk's further options, what the log says of its interrupts.
WAYS = [
    ("on the root bus", [], "", "message"),
    ("by its line", [], ",vectors=0", "line"),
    ("behind a root port", [PORT.format(1)], ",bus=port1", "message"),
    ("by its line behind the third root port", [PORT.format(i) for i in (1, 2, 3)], ",bus=port3,vectors=0", "line"),
    ("by its line beside others on all lines", [NEIGHBOUR] * 8, ",vectors=0", "line"),
]


def ways(arch):
    """Those of WAYS, then those of the architecture's other machines; with what QEMU and the kernel are told."""
    for name, devices, options, kind in WAYS:
        yield name, devices, options, kind if arch.messages else "line", "", ""
    for variant in arch.variants:
        for name, devices, options, kind in WAYS[0 if variant["messages"] else 1:2]:
            yield f"{name} {variant['name']}", devices, options, kind, variant["qemu"], variant["words"]


def boot(arch, folder, disk, devices, options, command, machine_words="", append=""):
    """The console's output, the status, the log."""
    base = os.path.join(os.environ.get("BUILD_ROOT", os.path.join(machine.ROOT, "build")), arch, machine.BUILD)
    log = f"{folder}/log"
    arguments = [os.path.join(machine.ROOT, "tools", "run"), "--arch", arch, "--kernel", f"{base}/kernel.elf", "--archive",
                 f"{base}/boot.img", "--log", log, "--append", append, "--command", command]
    words = [machine_words, "-drive", f"if=none,id=disk,format=raw,snapshot=on,file={disk}"]
    for device in devices + [DISK + options]:
        words += ["-device", device]
    arguments += ["--qemu", " ".join(words)]
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    with open(log, encoding="utf-8", errors="replace") as source:
        return done.stdout.decode(errors="replace"), done.returncode, source.read() + done.stderr.decode(errors="replace")


def some_files(tree):
    """Files from all over the tree, whose names need no quotes."""
    plain = sorted(path for path in host_files(tree) if all(c.isalnum() or c in "/._-+" for c in path))
    return {path: digest(tree + path) for path in plain[::max(1, len(plain) // FILES)][:FILES]}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--disk", required=True)
    parser.add_argument("--tree", required=True)
    options = parser.parse_args()
    arch = os.environ.get("ARCH", "x86_64")
    files, tap = some_files(options.tree), Tap()
    with tempfile.TemporaryDirectory(prefix="veridian-devices-") as folder:
        for name, devices, more, wanted, words, append in ways(machine.ARCHS[arch]):
            output, status, log = boot(arch, folder, options.disk, devices, more, "sha256sum " + " ".join(files), words, append)
            got = dict(reversed(line.split("  ", 1)) for line in output.splitlines() if "  " in line)
            good = status == 0 and all(got.get(path) == total for path, total in files.items())
            tap.check(f"{arch}: files of a disk {name} are right", good, f"{status} {output[-500:]} {log[-1500:]}")
            tap.check(f"{arch}: a disk {name} interrupts by {wanted}", f"virtio-blk: interrupts by {wanted}" in log, log[-1500:])
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

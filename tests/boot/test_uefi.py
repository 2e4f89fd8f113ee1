#!/usr/bin/env python3
"""The disk image under its firmware, then under Secure Boot.

    tests/boot/test_uefi.py --efi IMAGE.efi --root root.img

Secure Boot is on with keys that are made here. The image signed with the right key must boot, and must not listen to what is not signed; each
of the others must be refused by the firmware, in its own words, before a single line of the loader.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile
import uuid

import secure_boot

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.normpath(os.path.join(HERE, "..", ".."))
sys.path.insert(0, os.path.join(HERE, "..", "system"))
import machine  # noqa: E402
from machine import ARCHS  # noqa: E402

# What EDK2 says (BdsDxe, DxeImageVerificationLib through UefiBootManagerLib) of the one disk, when it has gone through all that it knows, and
# the first word of the loader.
REFUSED = re.compile(r'BdsDxe: failed to load Boot\w+ "[^"]*" from PciRoot\(\w+\)/Pci\(\S+: (Access Denied|Security Violation)')
GAVE_UP = "BdsDxe: No bootable option or device was found"
STARTED = "veridian: "
EITHER = re.compile(f"{GAVE_UP}|{STARTED}.*")

RISCV_BOOT_PROTOCOL = uuid.UUID("ccd15fec-6f73-4eec-8395-3e69e4b940bf").bytes_le


class Bench:
    def __init__(self, options, folder):
        self.arch, self.efi, self.root = os.environ.get("ARCH", "x86_64"), options.efi, options.root
        self.folder = folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def tool(self, *arguments):
        subprocess.run([os.path.join(ROOT, "tools", "mkimage"), *arguments], check=True)

    def image(self, name, words=None):
        """The image under test with @words for its own command line."""
        path = self.path(name + ".efi")
        self.tool("cmdline", "--efi", self.efi, "--out", path, "--words", words or "")
        return path

    def disk(self, efi):
        path = efi + ".img"
        self.tool("disk", "--arch", self.arch, "--efi", efi, "--root", self.root, "--out", path)
        return path

    def arguments(self, disk, secure):
        arguments = ["--arch", self.arch, "--boot", "uefi", "--disk", disk, "--log", self.path("log"), "--smp", "2"]
        if secure:
            code, words = ARCHS[self.arch].secure_firmware[0], ARCHS[self.arch].secure_words
            arguments += ["--firmware", code, self.path("variables")]
            arguments += [item for word in words for item in ("--qemu", word)]
        return arguments

    def command(self, disk, command, secure=False):
        """(status, output, messages, log) of one command line."""
        done = subprocess.run([os.path.join(ROOT, "tools", "run"), *self.arguments(disk, secure), "--command", command],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        with open(self.path("log"), encoding="utf-8", errors="replace") as source:
            log = source.read()
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), log

    def start(self, disk):
        """A machine with Secure Boot, on pipes."""
        return machine.Machine(self.path("log"), arguments=self.arguments(disk, True))


def test_boots_from_its_own_disk(bench):
    disk = bench.disk(bench.image("plain"))
    status, output, messages, _ = bench.command(disk, "echo from the disk; ls /usr | head -n 1; exit 7")
    return (status == 7 and output.startswith("from the disk\n") and output.count("\n") == 2) or (status, output, messages)


def test_boots_without_the_hart_protocol(bench):
    """The loader asks for a protocol that no firmware has; the kernel finds the hart in the device tree."""
    with open(bench.image("no-protocol"), "rb") as source:
        image = source.read()
    if image.count(RISCV_BOOT_PROTOCOL) != 1:
        return "the protocol's name is not in the image just once"
    with open(bench.path("no-protocol.efi"), "wb") as out:
        out.write(image.replace(RISCV_BOOT_PROTOCOL, bytes(16)))
    status, output, messages, log = bench.command(bench.disk(bench.path("no-protocol.efi")), "echo up; exit 5")
    booted = status == 5 and output == "up\n" and re.search(r"cpu: 2 found, hart \d+ boots", log) is not None
    return booted or (status, output, messages, log)


def test_signed_image_boots(bench):
    """And does what its own command line says, not what the file on the system partition says."""
    words = ARCHS[bench.arch].words     # of the machine, which the file would have said
    image = bench.image("signed-source", f"{words} cmd=echo%20signed%3B%20exit%209".strip())
    secure_boot.sign(image, bench.path("db"), bench.path("signed.efi"))
    status, output, messages, _ = bench.command(bench.disk(bench.path("signed.efi")), "echo not signed", secure=True)
    return (status == 9 and output == "signed\n") or (status, output, messages)


def refused(bench, efi):
    with bench.start(bench.disk(efi)) as guest:
        end = guest.expect(EITHER).group()
        match = REFUSED.search(guest.text)
        print(f"# the firmware: {match.group() if match else guest.text!r}")
        return (match is not None and end == GAVE_UP) or end


def test_unsigned_image_is_refused(bench):
    return refused(bench, bench.image("unsigned"))


def test_image_signed_with_another_key_is_refused(bench):
    secure_boot.sign(bench.image("other-source"), bench.path("other"), bench.path("other.efi"))
    return refused(bench, bench.path("other.efi"))


def test_changed_byte_is_refused(bench, section):
    """One bit in the middle of @section, after signing."""
    with open(bench.path("signed.efi"), "rb") as source:
        image = bytearray(source.read())
    offset, size = secure_boot.sections(image)[section]
    image[offset + size // 2] ^= 1
    path = bench.path(f"changed{section}.efi")
    with open(path, "wb") as out:
        out.write(image)
    return refused(bench, path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--efi", required=True)
    parser.add_argument("--root", required=True)
    options = parser.parse_args()
    tap = machine.Tap()
    with tempfile.TemporaryDirectory(prefix="veridian-uefi-") as folder:
        bench = Bench(options, folder)
        tap.run(f"{bench.arch}: the image boots from its own disk", test_boots_from_its_own_disk, bench)
        if bench.arch == "riscv64":
            tap.run(f"{bench.arch}: the image boots where the device tree alone tells the hart", test_boots_without_the_hart_protocol, bench)
        if ARCHS[bench.arch].secure_firmware:
            keys = {name: secure_boot.make_key(folder, name) for name in ("PK", "KEK", "db", "other")}
            secure_boot.enrol(ARCHS[bench.arch].secure_firmware[1], keys, bench.path("variables"))
            tap.run(f"{bench.arch}: Secure Boot: the signed image boots, and believes only what is signed", test_signed_image_boots, bench)
            tap.run(f"{bench.arch}: Secure Boot: the unsigned image is refused", test_unsigned_image_is_refused, bench)
            tap.run(f"{bench.arch}: Secure Boot: an image signed with another key is refused", test_image_signed_with_another_key_is_refused, bench)
            for section, what in ((".text", "loader"), (".kernel", "kernel"), (".archive", "archive")):
                tap.run(f"{bench.arch}: Secure Boot: a changed byte of the {what} is refused", test_changed_byte_is_refused, bench, section)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

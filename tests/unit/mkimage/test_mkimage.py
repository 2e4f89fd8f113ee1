#!/usr/bin/env python3
"""tools/mkimage: the disk read back field by field (UEFI 2.10, section 5.3), its file system by mtools; command lines; what it refuses."""
import os
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import uuid
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "include"))
import tap  # noqa: E402

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))
TOOL = os.path.join(ROOT, "tools", "mkimage")
ESP = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
SECTOR = 512
CMDLINE_BYTES = 64


def image():
    """A PE file with nothing in it but two sections."""
    names = (b".kernel", b".cmdline")
    table = b"".join(struct.pack("<8sIIIIIIHHI", name, CMDLINE_BYTES, 0x1000 * (i + 1), CMDLINE_BYTES, 0x200 + CMDLINE_BYTES * i, 0, 0, 0, 0,
                                 0x40000040) for i, name in enumerate(names))
    header = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + b"PE\0\0"
    header += struct.pack("<HHIIIHH", 0x8664, len(names), 0, 0, 0, 112, 0x206) + bytes(112) + table
    return header.ljust(0x200, b"\0") + b"K" * CMDLINE_BYTES + bytes(CMDLINE_BYTES)


class Disk:
    """A disk image as the specification says that it is to be read."""

    def __init__(self, path):
        with open(path, "rb") as source:
            self.data = source.read()
        self.sectors = len(self.data) // SECTOR

    def at(self, first, count=1):
        return self.data[first * SECTOR:(first + count) * SECTOR]

    def header(self, sector):
        names = ("signature", "revision", "size", "crc", "reserved", "own", "other", "first", "last", "guid", "entries", "count", "entry", "table_crc")
        return dict(zip(names, struct.unpack_from("<8sIIIIQQQQ16sQIII", self.at(sector))))

    def table(self, header):
        return self.at(header["entries"], header["count"] * header["entry"] // SECTOR)

    def partitions(self, header):
        table = self.table(header)
        for at in range(0, len(table), header["entry"]):
            kind, own, first, last, attributes = struct.unpack_from("<16s16sQQQ", table, at)
            if kind != bytes(16):
                yield uuid.UUID(bytes_le=kind), uuid.UUID(bytes_le=own), first, last, attributes


class MkimageTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="veridian-mkimage-")
        self.addCleanup(self.folder.cleanup)
        self.efi, self.root, self.out = (os.path.join(self.folder.name, name) for name in ("a.efi", "root", "disk"))
        with open(self.efi, "wb") as out:
            out.write(image())
        with open(self.root, "wb") as out:
            out.write(bytes(1080) + b"\x53\xef" + bytes(3 << 20) + b"end")     # not a whole number of MiB, with a hole

    def run_tool(self, *arguments):
        return subprocess.run([TOOL, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)

    def make(self, arch="x86_64", out=None):
        done = self.run_tool("disk", "--arch", arch, "--efi", self.efi, "--root", self.root, "--out", out or self.out)
        self.assertEqual(done.returncode, 0, done.stdout)
        return Disk(out or self.out)

    def read_file(self, path):
        done = subprocess.run(["mtype", "-i", f"{self.out}@@1M", f"::{path}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return done.stdout if done.returncode == 0 else None

    def test_protective_mbr(self):
        disk = self.make()
        mbr = disk.at(0)
        self.assertEqual(mbr[510:], b"\x55\xaa")
        self.assertEqual(mbr[446 + 4], 0xEE)
        self.assertEqual(struct.unpack_from("<II", mbr, 446 + 8), (1, disk.sectors - 1))
        self.assertEqual(mbr[462:510], bytes(48))

    def test_both_headers_are_good_and_say_the_same(self):
        disk = self.make()
        for own, other, entries in ((1, disk.sectors - 1, 2), (disk.sectors - 1, 1, disk.sectors - 33)):
            header = disk.header(own)
            self.assertEqual(header["signature"], b"EFI PART")
            self.assertEqual((header["revision"], header["size"], header["reserved"]), (0x10000, 92, 0))
            self.assertEqual((header["own"], header["other"], header["entries"]), (own, other, entries))
            self.assertEqual((header["first"], header["last"]), (34, disk.sectors - 34))
            raw = bytearray(disk.at(own)[:92])
            raw[16:20] = bytes(4)
            self.assertEqual(zlib.crc32(raw), header["crc"])
            self.assertEqual(zlib.crc32(disk.table(header)), header["table_crc"])
        self.assertEqual(disk.table(disk.header(1)), disk.table(disk.header(disk.sectors - 1)))

    def test_partitions(self):
        disk = self.make()
        header = disk.header(1)
        system, root = disk.partitions(header)
        self.assertEqual((system[0], root[0]), (ESP, LINUX))
        self.assertEqual(len({system[1], root[1], uuid.UUID(bytes_le=header["guid"])}), 3)
        self.assertTrue(header["first"] <= system[2] <= system[3] < root[2] <= root[3] <= header["last"])
        self.assertEqual((system[2] % 2048, root[2] % 2048), (0, 0))
        with open(self.root, "rb") as source:
            content = source.read()
        self.assertEqual(disk.data[root[2] * SECTOR:root[2] * SECTOR + len(content)], content)

    def test_system_partition(self):
        for arch, name in (("x86_64", "BOOTX64.EFI"), ("aarch64", "BOOTAA64.EFI"), ("riscv64", "BOOTRISCV64.EFI")):
            disk = self.make(arch)
            self.assertEqual(self.read_file(f"/EFI/BOOT/{name}"), image())
            boot = disk.at(2048)
            self.assertEqual(boot[82:90], b"FAT32   ")

    def test_same_bytes_each_time(self):
        first = self.make()
        time.sleep(2.1)                                      # FAT times are even seconds
        self.assertEqual(first.data, self.make(out=os.path.join(self.folder.name, "again")).data)

    def test_words_are_put_and_replaced(self):
        self.make()
        self.assertIsNone(self.read_file("/EFI/veridian/cmdline"))
        for words in ("cmd=a%20b", "shorter"):
            self.assertEqual(self.run_tool("words", "--disk", self.out, "--words", words).returncode, 0)
            self.assertEqual(self.read_file("/EFI/veridian/cmdline"), words.encode())

    def test_cmdline_changes_its_section_only(self):
        self.assertEqual(self.run_tool("cmdline", "--efi", self.efi, "--out", self.out, "--words", "one two").returncode, 0)
        with open(self.out, "rb") as source:
            changed = source.read()
        self.assertEqual(changed, image()[:-CMDLINE_BYTES] + b"one two".ljust(CMDLINE_BYTES, b"\0"))

    def test_refuses_what_it_cannot_do(self):
        done = self.run_tool("cmdline", "--efi", self.efi, "--out", self.out, "--words", "x" * CMDLINE_BYTES)
        self.assertTrue(done.returncode != 0 and "room" in done.stdout)
        for content in (b"", b"MZ", b"MZ".ljust(0x400, b"\0"), image().replace(b".cmdline", b".nothing")):
            with open(self.efi, "wb") as out:
                out.write(content)
            done = self.run_tool("cmdline", "--efi", self.efi, "--out", self.out, "--words", "x")
            self.assertTrue(done.returncode != 0 and done.stdout.startswith("mkimage: "), done.stdout)
        self.assertFalse(os.path.exists(self.out))
        for efi, root, says in ((self.root, self.root, "no PE file"), ("/etc/passwd", "/etc/passwd", "no PE file"),
                                (None, "/etc/passwd", "no ext4 file system"), (None, None, "no ext4 file system"), (None, "missing", "missing")):
            with open(self.efi, "wb") as out:
                out.write(image())
            done = self.run_tool("disk", "--arch", "x86_64", "--efi", efi or self.efi, "--root", root or self.efi, "--out", self.out)
            self.assertTrue(done.returncode != 0 and done.stdout.startswith("mkimage: ") and says in done.stdout, done.stdout)
            self.assertFalse(os.path.exists(self.out) or os.path.exists(self.out + ".part"))
        done = self.run_tool("words", "--disk", self.root, "--words", "x")
        self.assertTrue(done.returncode != 0 and done.stdout.startswith("mkimage: "), done.stdout)


if __name__ == "__main__":
    sys.exit(tap.main(MkimageTest))

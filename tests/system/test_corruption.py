#!/usr/bin/env python3
"""Damaged ext4 images in the running system.

    test_corruption.py [--seed N] [--images N]

One boot, and a disk whose content changes under it: an image is written to the file behind the disk, ext4 and vfs start anew, so that nothing
is remembered, and everything below / is read. First sound images (what mke2fs makes, inline data, a journal that needs recovery): all sums
are the host's. Then mutations of them, by the seed, in the blocks that describe; every other one has metadata checksums switched off, so that the damage
reaches the code behind them. What the damage does to the files does not matter. What does: ext4 refuses or goes on answering, nobody
else dies, /tmp and /boot are as ever; and in the end the sound image is right again.
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile

import machine
from machine import Machine, Tap
from test_shell import digest, host_files

IMAGE_BYTES = 8 << 20
BLOCK = 1024
DATA = b"data block\n"
SUPER = 1024
FEATURES = SUPER + 0x65          # the byte of s_feature_ro_compat with metadata_csum
METADATA_CSUM = 0x04
KINDS = {
    "1k": ["-b", "1024", "-O", "^has_journal"],
    "default": [],
    "inline": ["-b", "1024", "-O", "inline_data,^has_journal"],
}
FIND = "find / \\( -path /boot -o -path /tmp \\) -prune -o"
# Read all there is, until ext4 has refused the image; then how it is, and how everybody else is.
# The shell's own words look whether the reader is at work: a program more, twenty times a second, costs as much as the reading.
LOOK = (f"look() {{ refused=; svc restart ext4; svc kill vfs; {{ {FIND} -ls; {FIND} -type l -print0 | xargs -0 readlink; "
        f"{FIND} -type f -print0 | xargs -0 cat; }} > /tmp/all 2> /tmp/errors & "
        "while case $(jobs) in *running*) ;; *) false;; esac; do case $(svc status ext4) in *backoff*) "
        "kill $!; echo @refused; refused=1; break;; esac; sleep 0.1; done; wait; rm /tmp/all; test -n \"$refused\" || df / 2>&1; "
        "echo @others; cat /tmp/precious; head -c 4 /boot/vfs | tail -c 3; echo; ps; }")
# What ext4 answers as long as it runs on an image that it does not read.
REFUSALS = ("damaged", "not supported here")
OTHERS = ("init", "svcmgr", "logd", "devmgr", "power", "vsh", machine.CONSOLE, "virtio-blk")


def tool(*words, **more):
    environment = dict(os.environ, PATH=os.environ["PATH"] + ":/sbin:/usr/sbin")
    return subprocess.run(words, check=False, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)


def make_tree(root):
    """Much structure and little data: what is in a data block begins with DATA."""
    for number in range(120):
        folder = f"{root}/d{number % 7}/" + "/".join("abcdefgh"[:number % 9])
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/file-{number}", "wb") as file:
            for block in range(number % 5):
                file.write((DATA + b"%d %d\n" % (number, block)).ljust(BLOCK, b"."))
            if number % 5 == 0:
                file.write(b"x" * (number % 120))
        os.symlink(f"../file-{number}" + "/long" * (number % 30), f"{folder}/link-{number}")
    os.makedirs(f"{root}/large")
    for number in range(160):
        with open(f"{root}/large/an-entry-with-a-name-{number:05}", "wb"):
            pass
    with open(f"{root}/holes", "wb") as file:
        for number in range(40):
            file.seek(number * 3 * BLOCK * 4)
            file.write(DATA.ljust(BLOCK, b"."))


def make_image(path, tree, options):
    with open(path, "wb") as file:
        file.truncate(IMAGE_BYTES)
    tool("mke2fs", "-q", "-F", "-t", "ext4", "-N", "2000", *options, "-d", tree, path)
    tool("e2fsck", "-fyD", path)
    with open(path, "rb") as file:
        return bytearray(file.read())


def describing_blocks(image):
    """Blocks that hold something, and not the content of files; but for the super block, whose damage mostly ends everything."""
    return [at for at in range(0, len(image), BLOCK)
            if at != SUPER and any(image[at:at + BLOCK]) and not image.startswith(DATA, at) and not image.startswith(b"." * 64, at)]


def mutate(image, places, chance, without_checksums):
    image = bytearray(image)
    for _ in range(chance.randrange(1, 12)):
        at = chance.choice(places) + chance.randrange(BLOCK)
        kind = chance.randrange(4)
        if kind == 0:
            image[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            image[at] = chance.choice((0, 1, 0x7f, 0x80, 0xfe, 0xff))
        else:
            end = min(at + (4 if kind == 2 else 16), len(image))
            image[at:end] = chance.randbytes(end - at)
    if without_checksums:
        image[FEATURES] &= ~METADATA_CSUM
    return image


def processes(output):
    """The names in what ps says -> the ids."""
    return {words[-1]: words[0] for words in (line.split() for line in output.splitlines()) if len(words) > 6}


class Corruption:
    def __init__(self, guest, disk, sums):
        self.guest, self.disk, self.sums = guest, disk, sums
        self.walked = self.refused = 0

    def load(self, image):
        with open(self.disk, "r+b") as file:
            file.write(image)
        self.guest.run("svc restart ext4; svc kill vfs")

    def begin(self):
        result = self.guest.wait_services()
        if result is not True:
            return result
        self.guest.run("echo precious > /tmp/precious")
        self.guest.run(LOOK)
        now = processes(self.guest.run("ps")[0])
        self.others = {name: now[name] for name in OTHERS}
        return True

    def sound(self, image, message):
        """Everything is read, and is what the host has."""
        self.load(image)
        output, status = self.guest.run(f"{FIND} -type f -print0 | xargs -0 sha256sum")
        got = dict(line.split("  ", 1)[::-1] for line in output.splitlines() if "  " in line)
        wrong = [name for name, total in self.sums.items() if got.get(name) != total]
        log, _ = self.guest.run("log")
        told = message in log if message else True
        return not wrong and status == 0 and told or f"wrong: {wrong[:5]}, status {status}, log: {log[-1000:]}; {output[-300:]}"

    def damaged(self, image):
        with open(self.disk, "r+b") as file:
            file.write(image)
        output, _ = self.guest.run("look")
        read, _, rest = output.partition("@others\n")
        refused = "@refused\n" in read or any(f"df: /: {words}\n" in read for words in REFUSALS)
        self.walked += not refused
        self.refused += refused
        if "df: /: input/output error" in read and not refused:
            return f"ext4 hangs: {read!r}"
        if not rest.startswith("precious\nELF\n"):
            return f"/tmp or /boot suffered: {rest!r}"
        now = processes(rest)
        changed = [name for name, process in self.others.items() if now.get(name) != process]
        return not changed or f"died: {changed}"


def no_file_system(folder, kind, content, words, reason):
    """The launcher says so, the prompt comes, whoever asks for / hears what is wrong, and ext4 tries no more; what does not need the disk works."""
    disk = f"{folder}/{kind}"
    with open(disk, "wb") as file:
        file.write(content)
    with Machine(f"{folder}/log-{kind}", disk=disk) as guest:
        guest.expect(machine.PROMPT)
        output, _ = guest.run("ls /; head -c 4 /boot/vfs | tail -c 3; echo; echo kept > /tmp/kept; cat /tmp/kept; svc status ext4; log | grep ext4:")
        lines = output.splitlines()
        with open(f"{folder}/log-{kind}.errors", encoding="utf-8") as file:
            told = file.read()
        state = lines[4].split()
        return lines[:3] == [f"ls: /: {words}", "ELF", "kept"] and (state[1], state[3]) == ("running", "0") and reason in output \
            and "holds no ext4 file system" in told or f"{output} {told!r}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=20251125)
    parser.add_argument("--images", type=machine.launcher.count, default=210)
    options = parser.parse_args()
    chance, tap = random.Random(options.seed), Tap()
    print(f"# seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="veridian-system-") as folder:
        tree, disk = f"{folder}/tree", f"{folder}/disk"
        make_tree(tree)
        sums = {path: digest(host) for path, host in host_files(tree).items()}
        images = {name: make_image(disk, tree, words) for name, words in KINDS.items()}
        with open(disk, "wb") as file:
            file.write(images["default"])
        tool("debugfs", "-w", "-R", "feature needs_recovery", disk)
        with open(disk, "rb") as file:
            dirty = bytearray(file.read())
        with Machine(f"{folder}/log", disk=disk) as guest:
            tap.run("a prompt appears", lambda: guest.expect(machine.PROMPT) and None)
            corruption = Corruption(guest, disk, sums)
            tap.run("others run", corruption.begin)
            for name, image in images.items():
                tap.run(f"a sound image is read: {name}", corruption.sound, image, None)
            tap.run("a journal that needs recovery is told of, and not replayed", corruption.sound, dirty, "journal needs recovery")
            blocks = {name: describing_blocks(image) for name, image in images.items()}
            good = True
            for number in range(options.images):
                name = list(images)[number % len(images)]
                places = [SUPER] if number % 10 == 9 else blocks[name]
                image = mutate(images[name], places, chance, chance.randrange(2))
                try:
                    result = corruption.damaged(image)
                except machine.Ended as error:
                    result = str(error)
                if result is not True:
                    good = False
                    tap.check(f"image {number}, of {name}, is survived", False, result)
            tap.check(f"{options.images} damaged images are survived: {corruption.walked} mounted, {corruption.refused} refused",
                      good and corruption.walked > options.images // 2 and corruption.refused > 0)
            tap.run("the sound image is right again", corruption.sound, images["default"], None)
            tap.run("the kernel complained of nothing", guest.is_clean)
        tap.run("a disk of noise is told of, at once", no_file_system, folder, "noise", chance.randbytes(4 << 20), "damaged",
                "no ext4 file system (wrong magic number)")
        tap.run("so is a disk of nothing", no_file_system, folder, "zeros", bytes(4 << 20), "damaged",
                "no ext4 file system (wrong magic number)")
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

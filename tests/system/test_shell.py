#!/usr/bin/env python3
"""The system as a person at the console uses it: files of a disk that Linux made, pipes, copies to memory.

    test_shell.py --disk IMAGE --tree FOLDER        FOLDER holds the files that went into IMAGE
"""
import argparse
import hashlib
import os
import subprocess
import sys
import tempfile

import machine
from machine import Machine, Tap


def host_files(tree):
    """Path inside the tree -> path on the host, regular files only."""
    found = {}
    for folder, folders, names in os.walk(tree):
        folders[:] = [name for name in folders if not os.path.islink(os.path.join(folder, name))]
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                found["/" + os.path.relpath(path, tree)] = path
    return found


def digest(path):
    with open(path, "rb") as source:
        return hashlib.sha256(source.read()).hexdigest()


class Session:
    def __init__(self, guest, tree, tap):
        self.guest, self.tree, self.tap = guest, tree, tap
        self.files = host_files(tree)
        self.sums = {path: digest(host) for path, host in self.files.items()}
        plain = [path for path in self.files if all(c.isalnum() or c in "/._-+" for c in path)]
        self.plain = sorted(plain)

    def expect_output(self, command, wanted):
        output, status = self.guest.run(command)
        return True if output == wanted and status == 0 else f"{command}: status {status}, got {output[:600]!r}, wanted {wanted[:600]!r}"

    def text_file(self, lines=40):
        """A file of plain ASCII lines."""
        for path in self.plain:
            with open(self.files[path], "rb") as source:
                data = source.read(200000)
            if data.count(b"\n") >= lines and len(data) < 100000 and data.isascii() and b"\r" not in data and b"\x1b" not in data \
                    and b"\0" not in data and b"\t" not in data:
                return path, data.decode()
        raise LookupError("no plain text in the tree")

    def threads_show_their_requests(self):
        """While a command runs a thread of the shell waits at the console for Ctrl-C, soon after its start."""
        for _ in range(machine.POLLS):
            output, status = self.guest.run("ps -t")
            said = [line[8:] for line in map(str.split, output.splitlines()) if line[7:8] == ["vsh"]]
            if status == 0 and ["endpoint.call", "bytestream.interrupted"] in said:
                return True
        return f"{status} {output!r}"

    def commands_have_another_priority(self):
        """ps runs as it is told, in the normal band and in the real-time band."""
        for word, wanted in (("5", ["normal", "5"]), ("40:2/10", ["real", "40"])):
            output, status = self.guest.run(f"priority {word} ps -t")
            said = [line.split()[3:5] for line in output.splitlines() if line.split()[7:8] == ["ps"]]
            if status != 0 or said != [wanted]:
                return f"{word}: {status} {output!r}"
        statuses = [self.guest.run(f"priority {words}")[1] for words in ("64 true", "4x true", "40:2 true", "5")]
        return statuses == [2] * 4 or str(statuses)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def lists_folder(self):
        folder = os.path.dirname(self.plain[len(self.plain) // 2])
        names = sorted(os.listdir(self.tree + folder))
        output, status = self.guest.run(f"ls -a {folder} | sort")
        got = sorted(name for name in output.split() if name not in (".", ".."))
        return True if status == 0 and got == sorted(names) else f"{folder}: {got[:20]} instead of {names[:20]}"

    def reads_text(self):
        path, text = self.text_file()
        return self.expect_output(f"cat {path}", text if text.endswith("\n") else text + "\n")

    def counts_lines(self):
        path, text = self.text_file()
        output, status = self.guest.run(f"cat {path} | wc -l")
        return output.strip() == str(text.count("\n")) or f"{output!r} {status}"

    def searches(self):
        path, text = self.text_file()
        word = max((w for w in text.split() if w.isalnum()), key=len)
        wanted = "".join(line + "\n" for line in text.splitlines() if word in line)
        return self.expect_output(f"grep {word} {path}", wanted)

    def sorts(self):
        path, text = self.text_file()
        wanted = "".join(line + "\n" for line in sorted(text.splitlines(), key=lambda l: l.encode()))
        return self.expect_output(f"sort {path}", wanted)

    def sums_match(self, path):
        """All files below @path have the host's SHA-256."""
        output, _ = self.guest.run(f"find {path} -type f -print0 | xargs -0 sha256sum")
        got = {}
        for line in output.splitlines():
            total, _, name = line.partition("  ")
            if len(total) == 64:
                got[name] = total
        wanted = {name: total for name, total in self.sums.items() if name.startswith(path.rstrip("/") + "/")}
        wrong = [name for name, total in wanted.items() if got.get(name) != total]
        return True if wanted and not wrong else f"{len(wrong)} of {len(wanted)} differ: {wrong[:5]}; {output[-300:]!r}"

    def missing_file(self):
        output, status = self.guest.run("cat /no/such/file")
        return status != 0 and "not found" in output.lower() or f"{output!r} {status}"

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────

    def disk_is_read_only(self):
        output, status = self.guest.run("mkdir /new")
        return status != 0 and "read-only" in output.lower() or f"{status} {output!r}"

    def disk_is_large(self):
        """The tree that the disk is made of has 5,000 files and 50 MB at least: those whose sums are compared."""
        total = sum(os.path.getsize(path) for path in self.files.values())
        return len(self.files) >= 5000 and total >= 50_000_000 or f"{len(self.files)} files, {total} bytes"

    def copies_and_changes(self):
        """A tree is copied to memory and changed by the same commands as a copy of it on the host: the same files come out."""
        folder, names = self.nested_folder()
        files = [name for name in names if os.path.getsize(self.files[f"{folder}/{name}"]) > 0]
        nested = sorted({name.split("/")[0] for name in names if "/" in name})
        (one, two, three, four, five), (first, last) = files[:5], (nested[0], nested[-1])
        changes = [f"echo added >> {one}", f"head -c 1000 {two} > part", f"cat {one} part {two} > joined", f"cp {three} 'a name with blanks'",
                   f"mv {four} moved", f"mv joined {first}/joined", f"truncate -s 10 {five}", f"truncate -s 70000 {five}", f"sort {one} > sorted",
                   "mkdir -p deep/deeper", f"cp -r {first} deep/deeper/copy", f"mv {last} renamed", "mv renamed deep/last", f"rm -r {first}",
                   "mkdir empty", "mv 'a name with blanks' 'deep/another name'", "rm part", "echo over > sorted"]
        looks = "find . -type f -print0 | xargs -0 sha256sum | sort; find . -type d | sort"
        if (failed := self.guest.run(f"cp -r {folder} /tmp/copy && cd /tmp/copy")) != ("", 0):
            return f"{failed}"
        with tempfile.TemporaryDirectory(prefix="veridian-copy-") as copy:
            subprocess.run(["cp", "-r", f"{self.tree}{folder}/.", copy], check=True)
            for change in ["true"] + changes:
                said = self.guest.run(change)
                subprocess.run(["sh", "-c", change], cwd=copy, check=True)
                wanted = subprocess.run(["sh", "-c", looks], cwd=copy, check=True, stdout=subprocess.PIPE, env={**os.environ, "LC_ALL": "C"})
                if said != ("", 0) or (got := self.guest.run(looks)[0]) != wanted.stdout.decode():
                    return f"{change}: {said} {sorted(set(got.splitlines()) ^ set(wanted.stdout.decode().splitlines()))[:5]}"
        output, status = self.guest.run("cd /; rm -r /tmp/copy; ls /tmp/copy")
        return status != 0 and "not found" in output or f"{output!r} {status}"

    def nested_folder(self):
        """A folder with others in it, and the paths of its files below it: some hundred, with plain names."""
        folders = sorted({os.path.dirname(os.path.dirname(path)) for path in self.plain if path.count("/") > 2})
        for folder in folders:
            names = [path[len(folder) + 1:] for path in self.files if path.startswith(folder + "/")]
            size = sum(os.path.getsize(self.files[f"{folder}/{name}"]) for name in names)
            if 60 <= len(names) <= 300 and size < 8000000 and all(f"{folder}/{name}" in self.plain for name in names) and \
                    len({name.split("/")[0] for name in names if "/" in name}) > 1:
                return folder, sorted(names, key=lambda name: (name.count("/"), name), reverse=True)
        raise LookupError("no folder like that")

    def fills_memory(self):
        big = max(self.plain, key=lambda path: os.path.getsize(self.files[path]))
        total = self.sums[big]
        self.guest.run(f"echo kept > /tmp/kept; mkdir /tmp/fill; cp {big} /tmp/fill/first")
        output, status = self.guest.run(
            f"i=0; while cp {big} /tmp/fill/f$i; do i=$(($i + 1)); if test $i -gt 2000; then break; fi; done; echo stopped at $i")
        if "no space" not in output.lower():
            return f"no message: {output[-300:]!r} {status}"
        # Who writes to the shell's pipe is told no more than that it ended; the status is that of the file.
        output, status = self.guest.run(f"cat {big} {big} {big} {big} > /tmp/fill/last")
        if status != 1 or "no space" not in output.lower():
            return f"of what is redirected: {output[-300:]!r} {status}"
        kept, _ = self.guest.run("cat /tmp/kept; sha256sum /tmp/fill/first; rm -r /tmp/fill; echo after > /tmp/after; cat /tmp/after")
        return kept.startswith("kept\n") and total in kept and kept.endswith("after\n") or f"{kept!r}"


def command_mode(disk, log, tap):
    """make run CMD=: just the output, the command's own status."""
    root = os.environ.get("BUILD_ROOT", os.path.join(machine.ROOT, "build"))
    base = os.path.join(root, os.environ.get("ARCH", "x86_64"), machine.BUILD)
    for command, wanted, status in (("echo one two; exit 7", b"one two\n", 7), ("true", b"", 0), ("echo a | cat", b"a\n", 0),
                                    ("cat; read word; echo $?", b"1\n", 0),
                                    ("echo once; svc kill vsh; echo twice", b"once\nvsh: the command has ended its shell\n", 1),
                                    ("log '[ 0.1] PANIC on CPU 0: not the kernel'; echo fine", b"fine\n", 0)):
        done = subprocess.run([os.path.join(machine.ROOT, "tools", "run"), "--arch",
                               os.environ.get("ARCH", "x86_64"), "--kernel", f"{base}/kernel.elf", "--archive", f"{base}/boot.img",
                               "--log", log, "--disk", disk, "--command", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        tap.check(f"command mode: {command}", done.stdout == wanted and done.returncode == status,
                  f"{done.returncode} {done.stdout!r} {done.stderr[-500:]!r}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--disk", required=True)
    parser.add_argument("--tree", required=True)
    options = parser.parse_args()
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="veridian-system-") as folder:
        command_mode(options.disk, f"{folder}/command.log", tap)
        with Machine(f"{folder}/log", disk=options.disk) as guest:
            skipped = "\n" if machine.ARCHS[os.environ.get("ARCH", "x86_64")].firmware_end else ""  # a firmware that has the port first drops a byte
            guest.send(skipped + 'echo @ty"ped" early\n')
            tap.run("what is typed before the console's driver runs is read whole", lambda: guest.expect("@typed early\n") and None)
            tap.run("a prompt appears", lambda: guest.expect(machine.PROMPT) and None)
            session = Session(guest, options.tree, tap)
            for test in (session.lists_folder, session.reads_text, session.counts_lines, session.searches, session.sorts,
                         session.missing_file, session.disk_is_read_only, session.disk_is_large, session.copies_and_changes, session.fills_memory,
                         session.threads_show_their_requests, session.commands_have_another_priority):
                tap.run(test.__name__.replace("_", " "), test)
            for top in sorted({"/" + path.split("/")[1] for path in session.files if path.count("/") > 1}):
                tap.run(f"every file below {top} has the host's SHA-256", session.sums_match, top)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""What the tools say of what they cannot use: one line of their own, and a status of failure; nothing is left half made."""
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "include"))
import tap  # noqa: E402

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", ".."))


class ToolsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="veridian-tools-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.file = self.path("file")
        with open(self.file, "w", encoding="ascii") as out:
            out.write("neither a disk nor a program\n")
        self.missing = self.path("missing")

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_tool(self, tool, *arguments, **environment):
        return subprocess.run([os.path.join(ROOT, tool), *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False, timeout=60, env={**os.environ, **environment})

    def refuses(self, words, tool, *arguments, **environment):
        """One line, by @tool, with these words; a message of argparse has its usage before it."""
        done = self.run_tool(tool, *arguments, **environment)
        lines = [line for line in done.stdout.splitlines() if not line.startswith(("usage:", " "))]
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertEqual(len(lines), 1, done.stdout)
        self.assertRegex(lines[0], f"^{tool}: |^{os.path.basename(tool)}: ")
        for word in words:
            self.assertIn(word, lines[0])

    # ── The launcher: nothing of these comes as far as an emulator ─────────────────────────────────────────────────────

    def run_run(self, words, *arguments, log=None):
        self.refuses(words, "tools/run", "--kernel", self.file, "--archive", self.file, "--log", log or self.path("log"), *arguments)

    def test_run_refuses_a_log_that_cannot_be_made(self):
        self.run_run([self.file], log=os.path.join(self.file, "log"))
        self.run_run([self.folder, "Is a directory"], log=self.folder)

    def test_run_refuses_a_firmwares_disk_that_has_no_system_partition(self):
        self.run_run([self.file, "no GUID partition table"], "--boot", "uefi", "--disk", self.file)
        self.run_run([self.file, "no GUID partition table"], "--boot", "uefi", "--disk", self.file, "--command", "true")

    def test_run_refuses_a_disk_that_is_no_file(self):
        self.run_run([self.missing], "--disk", self.missing)
        self.run_run([self.folder, "Is a directory"], "--disk", self.folder)

    def test_run_refuses_numbers_without_sense(self):
        for option, values in (("--smp", ("0", "-1", "many", "1.5")), ("--stall", ("-5", "nan", "inf", "long"))):
            for value in values:
                self.run_run([option, repr(value)], f"{option}={value}")

    def test_tests_refuse_to_do_nothing(self):
        disk = ("--disk", self.file, "--tree", self.folder)
        for tool, option, more in (("tests/system/test_corruption.py", "--images", ()), ("tests/system/test_supervision.py", "--rounds", disk),
                                   ("tests/system/test_cpus.py", "--cpus", disk), ("tests/system/test_drivers.py", "--kills", disk),
                                   ("tests/fuzz/grow", "--programs", ()), ("tests/fuzz/grow", "--rounds", ())):
            for value in ("0", "-1", "many"):
                self.refuses([option, repr(value)], tool, *more, f"{option}={value}")

    # ── What makes images ──────────────────────────────────────────────────────────────────────────────────────────────

    def test_mkimage_refuses_what_it_cannot_read_or_write(self):
        out = self.path("out")
        for efi in (self.missing, self.folder):
            self.refuses([efi], "tools/mkimage", "disk", "--arch", "x86_64", "--efi", efi, "--root", self.file, "--out", out)
        self.refuses([self.missing], "tools/mkimage", "cmdline", "--efi", self.missing, "--words", "a", "--out", out)
        self.assertEqual(os.listdir(self.folder), ["file"])

    def test_mkboot_refuses_what_it_cannot_read_or_write(self):
        out = self.path("out")
        for path in (self.missing, self.folder):
            self.refuses([path], "tools/mkboot", "--out", out, f"name={path}")
        self.assertFalse(os.path.exists(out))
        self.refuses([self.file], "tools/mkboot", "--out", os.path.join(self.file, "out"), f"name={self.file}")

    # ── The others ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def test_flamegraph_refuses_a_build_without_a_kernel(self):
        self.refuses(["kernel.debug.elf"], "tools/flamegraph", "--build", self.folder, self.file)

    def test_flamegraph_refuses_a_kernel_that_is_none(self):
        os.rename(self.file, self.path("kernel.debug.elf"))
        self.refuses(["kernel.debug.elf"], "tools/flamegraph", "--build", self.folder, self.path("kernel.debug.elf"))

    def test_flamegraph_refuses_a_file_that_is_missing(self):
        self.refuses([self.missing], "tools/flamegraph", "--build", self.folder, self.missing)

    def test_fetch_refuses_a_port_without_a_recipe(self):
        self.refuses(["nosuch"], "ports/fetch", "nosuch", "--build-root", self.folder)
        self.assertEqual(os.listdir(self.folder), ["file"])

    def test_test_runner_refuses_to_guess_where_to_build(self):
        self.refuses(["BUILD_ROOT"], "tools/test-runner", self.folder, BUILD_ROOT="")

    def test_test_runner_refuses_a_folder_that_is_missing(self):
        self.refuses([self.missing], "tools/test-runner", self.missing, BUILD_ROOT=self.folder)


if __name__ == "__main__":
    sys.exit(tap.main(ToolsTest))

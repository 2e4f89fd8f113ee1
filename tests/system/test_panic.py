#!/usr/bin/env python3
"""A panic stops all CPUs, prints registers and a symbolised backtrace, and ends the machine with a failing status.

And what several write to the log at once comes in whole lines, the record of the status included.

What makes the kernel panic is the end of init, and on a PC an NMI from the machine too: nothing inside can be asked for one. Meanwhile three
CPUs write '~' to the debug console (tests/guest/panic): once the panic is announced there is none any more.
"""
import argparse
import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import time

from machine import ROOT, STALL_SECONDS, Tap, launcher
from screen import Monitor

ARCH = os.environ.get("ARCH", "x86_64")
# QEMU's own status. A PC writes (status << 1) | 1 to isa-debug-exit, and a panic's is 1.
FAILED = {"x86_64": 1 << 1 | 1, "aarch64": 1, "riscv64": 1}
# What is printed of them, be they of what faulted or of the thread that ran.
REGISTERS = {"x86_64": {"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "rip"} | {f"r{i}" for i in range(8, 16)},
             "aarch64": {"sp", "pc"} | {f"x{i}" for i in range(31)},
             "riscv64": {"pc", "ra", "sp", "gp", "tp"} | {f"{kind}{i}" for kind, count in (("t", 7), ("s", 12), ("a", 8)) for i in range(count)}}

# What the guest says with the word lines.
WRITTEN, FAULTS = f"<{'~' * 58}>", 50
FAULT = re.compile(r"^\[ *\d+\.\d+\] [\w-]+\[\d+\]: thread \d+: ", re.MULTILINE)
LINE = re.compile(rf"{WRITTEN}|\[ *\d+\.\d+\] [^<>~]*|# [^<>~]*|(not )?ok [^<>~]*|1\.\.\d+|\x1eEXIT 0")


def log_of(path):
    with open(path, encoding="utf-8", errors="replace") as source:
        return source.read().replace("\r", "")


def wait(process, condition):
    """True when @condition holds, False if the machine ends or stands still before."""
    clock = launcher.StallClock(process.pid)
    while clock.advance() < STALL_SECONDS:
        if condition():
            return True
        if process.poll() is not None:
            return condition()
        time.sleep(0.05)
    return False


def launcher_verdict(options, code):
    """The launcher's status, and what it says."""
    with contextlib.redirect_stderr(io.StringIO()) as said:
        return launcher.verdict(options, code, False), said.getvalue()


def boot_with(folder, words, act):
    """Boots with @words, does @act with the process and the monitor: the log, QEMU's status, and what the launcher makes of both."""
    base = os.path.join(os.environ.get("BUILD_ROOT", os.path.join(ROOT, "build")), ARCH, "release")
    log, qmp = f"{folder}/log", f"{folder}/qmp"
    options = argparse.Namespace(arch=ARCH, boot="direct", kernel=f"{base}/kernel.elf", archive=f"{base}/guest/panic/boot.img", log=log, smp=4,
                                 mem="64M", disk=None, write=False, display=None, qmp=qmp, qemu=[], command="",
                                 no_reboot=True)
    append = f"{launcher.ARCHS[ARCH].words} {words}".strip()
    with subprocess.Popen(launcher.machine_arguments(options, append, "null"), stdin=subprocess.DEVNULL,
                          preexec_fn=launcher.die_with_parent) as process:
        try:
            act(process, log, qmp)
            wait(process, lambda: process.poll() is not None)
        finally:
            process.kill()
    return log_of(log), process.returncode, launcher_verdict(options, process.returncode)


def panic_by(folder, words, act):
    """Boots with @words, does @act with the monitor once the others write."""
    def act_once_ready(process, log, qmp):
        if not wait(process, lambda: os.path.exists(log) and "# ready" in log_of(log).replace("~", "")):
            raise RuntimeError("the guest is not ready: " + log_of(log)[-2000:])
        act(qmp)
    return boot_with(folder, words, act_once_ready)


def test_lines(tap):
    with tempfile.TemporaryDirectory(prefix="veridian-lines-") as folder:
        log, _, (status, said) = boot_with(folder, "lines", lambda *_: None)
    lines = log.split("\n")[:-1]    # the machine may end in the middle of one
    torn = [line for line in lines if not LINE.fullmatch(line)]
    tap.check("lines of several CPUs: each is whole", not torn and sum(line == WRITTEN for line in lines) >= 3000, torn[:10])
    tap.check("lines of several CPUs: what the kernel logs of faults is whole", len(re.findall(FAULT, log)) == FAULTS, log[-2000:])
    tap.check("lines of several CPUs: the status is told", status == 0, (status, said, log[-500:]))


def test_panic(tap, name, why, words, act):
    with tempfile.TemporaryDirectory(prefix="veridian-panic-") as folder:
        log, code, (status, said) = panic_by(folder, words, act)
    before, text = (re.split(r"PANIC on CPU \d: ", log, maxsplit=1) + [""])[:2]
    tap.check(f"{name}: the machine ends by a panic that says so", text.startswith(why), log[-2000:])
    tap.check(f"{name}: a failing status", (code, status) == (FAILED[ARCH], launcher.BROKEN) and "the kernel panicked" in said, (code, status, said))
    missing = REGISTERS[ARCH] - set(re.findall(r"\b([a-z]+\d*) +[0-9a-f]{16}\b", text.partition("backtrace:\n")[0]))
    tap.check(f"{name}: the registers are printed", not missing, f"{missing} {text[:3000]}")
    frames = text.partition("backtrace:\n")[2].splitlines()
    tap.check(f"{name}: the backtrace has names", frames and all(re.search(r"0x[0-9a-f]{16} \w+\+0x[0-9a-f]+$", line) for line in frames), text[:3000])
    tap.check(f"{name}: the other CPUs wrote before the panic and not after it", before.count("~") >= 3000 and "~" not in text, text[:3000])


def main():
    tap = Tap()
    test_lines(tap)
    test_panic(tap, "init's end", "init ended: OK", "init-ends", lambda qmp: None)
    if ARCH == "x86_64":
        test_panic(tap, "an NMI", "NMI ", "", lambda qmp: Monitor(qmp).run("inject-nmi"))
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

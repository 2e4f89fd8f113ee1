#!/usr/bin/env python3
"""A panic stops all CPUs, prints registers and a symbolised backtrace, and ends QEMU with a failing status.

What makes the kernel panic is an NMI from the machine: nothing inside can be asked for one. Meanwhile three CPUs write '~' to the debug
console (tests/guest/panic): once the panic is announced there is none any more.
"""
import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

from machine import ROOT, STALL_SECONDS, Tap, launcher

FAILED = 1 << 1 | 1     # isa-debug-exit: (status << 1) | 1, the status of a panic is 1


def log_of(path):
    with open(path, encoding="utf-8", errors="replace") as source:
        return source.read()


def wait(process, condition):
    """True when @condition holds, False if the machine ends or stands still before."""
    clock = launcher.StallClock(process.pid)
    while clock.seconds < STALL_SECONDS:
        if condition():
            return True
        if process.poll() is not None:
            return condition()
        time.sleep(0.05)
        clock.advance()
    return False


def panic_by_nmi(folder):
    """Boots, sends the NMI: the log and QEMU's status."""
    arch = os.environ.get("ARCH", "x86_64")
    base = os.path.join(os.environ.get("BUILD_ROOT", os.path.join(ROOT, "build")), arch, "release")
    log, qmp = f"{folder}/log", f"{folder}/qmp"
    options = argparse.Namespace(arch=arch, boot="direct", kernel=f"{base}/kernel.elf", archive=f"{base}/guest/panic/boot.img", log=log, smp=4,
                                 mem="64M", disk=None, write=False, display=None, qmp=qmp, qemu=[], command="",
                                 no_reboot=True)
    with subprocess.Popen(launcher.machine_arguments(options, "", "null"), stdin=subprocess.DEVNULL,
                          preexec_fn=launcher.die_with_parent) as process:
        try:
            if not wait(process, lambda: os.path.exists(log) and "# ready" in log_of(log).replace("~", "")):
                raise RuntimeError("the guest is not ready: " + log_of(log)[-2000:])
            with socket.socket(socket.AF_UNIX) as monitor:
                monitor.connect(qmp)
                monitor.sendall(b'{"execute": "qmp_capabilities"}{"execute": "inject-nmi"}')
                wait(process, lambda: process.poll() is not None)
        finally:
            process.kill()
    return log_of(log), process.returncode


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="veridian-panic-") as folder:
        log, status = panic_by_nmi(folder)
    before, _, text = log.partition("PANIC on CPU 0: ")
    tap.check("an NMI ends the machine by a panic that says so", text.startswith("NMI "), log[-2000:])
    tap.check("QEMU ends with a failing status", status == FAILED, status)
    tap.check("the registers are printed", re.search(r"rax [0-9a-f]{16} rbx .*\n(.*\n)+.*rip [0-9a-f]{16}", text), text[:3000])
    frames = text.partition("backtrace:\n")[2].splitlines()
    tap.check("the backtrace has names", frames and all(re.search(r"0x[0-9a-f]{16} \w+\+0x[0-9a-f]+$", line) for line in frames), text[:3000])
    tap.check("the other CPUs wrote before the panic and not after it", before.count("~") >= 3000 and "~" not in text, text[:3000])
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

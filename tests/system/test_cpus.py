#!/usr/bin/env python3
"""The services on other numbers of CPUs than the four of the other tests: files are read and summed, the disk's driver is killed meanwhile, and
the reading goes on.

    test_cpus.py --disk IMAGE --tree FOLDER [--cpus 1 2 8]        FOLDER holds the files that went into IMAGE

Each number is one boot with one command line. What is asserted: the kill hit a reader at work (files were done before it, and files were
left), another process took the driver's place, every sum is the host's, and the kernel complained of nothing.
"""
import argparse
import os
import re
import subprocess
import sys
import tempfile

import machine
from machine import Tap
from test_shell import digest, host_files

FILES, POINT = 150, 15
DRIVER = "virtio-blk"
COMMAND = (f"cd /tmp; find /usr /etc -type f | sort | head -n {FILES} > all; echo -n > sums; ps; "
           f"tr '\\n' '\\0' < all | xargs -0 -n 3 sha256sum > sums & "
           f"while test $(wc -l < sums) -lt {POINT}; do sleep 0.01; done; svc kill {DRIVER} && echo killed at $(wc -l < sums); wait; ps; cat sums")


def run(disk, cpus, folder):
    """The output and the log of COMMAND on a machine with @cpus."""
    base = os.path.join(os.environ.get("BUILD_ROOT", os.path.join(machine.ROOT, "build")), os.environ.get("ARCH", "x86_64"), machine.BUILD)
    log = os.path.join(folder, "log")
    done = subprocess.run([os.path.join(machine.ROOT, "tools", "run"), "--arch", os.environ.get("ARCH", "x86_64"), "--kernel",
                           f"{base}/kernel.elf", "--archive", f"{base}/boot.img", "--log", log, "--smp", str(cpus), "--disk", disk,
                           "--command", COMMAND], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    with open(log, encoding="utf-8", errors="replace") as source:
        return done.stdout.decode(errors="replace"), source.read() + done.stderr.decode(errors="replace"), done.returncode


def drivers(lines):
    """The ids of the driver's running processes, in the order in which ps said them."""
    words = [line.split() for line in lines]
    return [word[0] for word in words if len(word) >= 7 and word[-1] == DRIVER and word[1] == "run"]


def verdict(output, wanted):
    lines = output.splitlines()
    sums = [line.partition("  ")[::2] for line in lines if len(line.partition("  ")[0]) == 64]
    kills = [int(line.split()[2]) for line in lines if line.startswith("killed at ")]
    if len(kills) != 1 or not POINT <= kills[0] < FILES:
        return f"no kill in the middle of reading: {kills}"
    if len(set(drivers(lines))) != 2:
        return f"the driver's processes: {drivers(lines)}"
    wrong = [name for total, name in sums if wanted.get(name) != total]
    print(f"# killed at {kills[0]}")
    return len(sums) == FILES and not wrong or f"{len(sums)} of {FILES} sums, wrong: {wrong}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--disk", required=True)
    parser.add_argument("--tree", required=True)
    parser.add_argument("--cpus", type=int, nargs="+", default=[1, 2, 8])
    options = parser.parse_args()
    files, tap = {path: digest(host) for path, host in host_files(options.tree).items()}, Tap()
    with tempfile.TemporaryDirectory(prefix="veridian-cpus-") as folder:
        for cpus in options.cpus:
            output, log, status = run(options.disk, cpus, folder)
            good = verdict(output, files)
            tap.check(f"services on {cpus} CPUs: the disk's driver is killed while files are read, and every sum is right",
                      status == 0 and good is True, f"{status} {good} {output[-800:]} {log[-1500:]}")
            tap.check(f"services on {cpus} CPUs: as many run", re.search(rf"\] {cpus} CPUs?\r?$", log, re.M), log[:1500])
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

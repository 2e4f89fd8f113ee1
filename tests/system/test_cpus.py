#!/usr/bin/env python3
"""The services on other numbers of CPUs than the four of the other tests: every driver and service is killed in turn while files are read and
summed, and the reading goes on.

    test_cpus.py --disk IMAGE --tree FOLDER [--cpus 1 2 8]        FOLDER holds the files that went into IMAGE

Each number is one boot with one command line. A job in the background sums files that nobody has read in this boot, until the last of them
was begun after the kill. What is asserted: files were done before the kill and after it, another process took the victim's place, every sum is
the host's, and the kernel complained of nothing.
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
from test_supervision import VICTIMS

# The reader goes on until it has done two files more than there were at the kill: the one that it was at, and the next. If the kill takes so
# long that AT_ONCE files are done, it waits for it: all victims need files. w waits for a process of the victim that is none of before.
AT_ONCE = 8
COMMAND = ("cd /tmp; p() { ps | grep \"run .* $v\\$\" | tr -s ' ' | cut -d ' ' -f 2; }; "
           "w() { for i in $(seq 600); do n=$(p); test -n \"$n\" && test \"$n\" != \"$o\" && break; sleep 0.05; done; echo process $n; }; "
           f"find /usr -type f -size +100k -size -2000k | sort > all; first=1; for v in {' '.join(VICTIMS)}; do echo victim $v; "
           "o=; w; o=$n; rm -f killed; echo -n > sums; "
           "for f in $(tail -n +$first all); do sha256sum $f >> sums; "
           f"while test $(wc -l < sums) -ge {AT_ONCE} && test ! -e killed; do sleep 0.01; done; "
           "test -e killed && test $(wc -l < sums) -ge $(cat killed) && break; done & "
           "while test $(wc -l < sums) -lt 1; do sleep 0.01; done; svc kill $v && k=$(wc -l < sums) && echo killed at $k; "
           "echo $(($k + 2)) > new; mv new killed; wait; w; cat sums; first=$(($first + $(wc -l < sums))); done")


def run(disk, cpus, folder):
    """The output and the log of COMMAND on a machine with @cpus."""
    base = os.path.join(os.environ.get("BUILD_ROOT", os.path.join(machine.ROOT, "build")), os.environ.get("ARCH", "x86_64"), machine.BUILD)
    log = os.path.join(folder, "log")
    done = subprocess.run([os.path.join(machine.ROOT, "tools", "run"), "--arch", os.environ.get("ARCH", "x86_64"), "--kernel",
                           f"{base}/kernel.elf", "--archive", f"{base}/boot.img", "--log", log, "--smp", str(cpus), "--disk", disk,
                           "--command", COMMAND], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    with open(log, encoding="utf-8", errors="replace") as source:
        return done.stdout.decode(errors="replace"), source.read() + done.stderr.decode(errors="replace"), done.returncode


def verdict(output, wanted):
    """What one kill gave."""
    lines = output.splitlines()
    sums = [line.partition("  ")[::2] for line in lines if len(line.partition("  ")[0]) == 64]
    kills = [int(line.split()[2]) for line in lines if line.startswith("killed at ")]
    processes = [words[1] for words in map(str.split, lines) if len(words) == 2 and words[0] == "process"]
    if len(kills) != 1 or not 1 <= kills[0] <= len(sums) - 2:
        return f"no kill in the middle of reading: {kills}, {len(sums)} sums"
    if len(processes) != 2 or processes[0] == processes[1]:
        return f"its processes: {processes}"
    wrong = [name for total, name in sums if wanted.get(name) != total]
    return not wrong and len(set(sums)) == len(sums) or f"wrong, or there twice: {wrong or sums}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--disk", required=True)
    parser.add_argument("--tree", required=True)
    parser.add_argument("--cpus", type=machine.launcher.count, nargs="+", default=[1, 2, 8])
    options = parser.parse_args()
    files, tap = {path: digest(host) for path, host in host_files(options.tree).items()}, Tap()
    with tempfile.TemporaryDirectory(prefix="veridian-cpus-") as folder:
        for cpus in options.cpus:
            output, log, status = run(options.disk, cpus, folder)
            parts = dict(part.partition("\n")[::2] for part in output.split("victim ")[1:])
            for victim in VICTIMS:
                good = verdict(parts.get(victim, ""), files)
                tap.check(f"services on {cpus} CPUs: {victim} is killed while files are read, and every sum is right",
                          good is True, f"{good} {parts.get(victim)} {log[-1500:]}")
            tap.check(f"services on {cpus} CPUs: as many run, and the kernel complained of nothing",
                      status == 0 and re.search(rf"\] {cpus} CPUs?\r?$", log, re.M) and "PANIC" not in log and "KCSAN:" not in log,
                      f"{status} {output[-300:]} {log[:1500]} {log[-1500:]}")
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

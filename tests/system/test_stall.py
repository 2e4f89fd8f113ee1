#!/usr/bin/env python3
"""What the launcher takes for a hang: a machine that stands still, not a command that says nothing for long.

    test_stall.py --disk IMAGE

The tests run side by side: their machines have nothing to do most of the time.
"""
import argparse
import concurrent.futures
import os
import subprocess
import sys
import tempfile
import time

from machine import BUILD, ROOT, Tap
from screen import Monitor

STALL_SECONDS = 6.0
SLEEP_SECONDS = 2 * STALL_SECONDS
ALIVE = "vsh: the machine lives"


class Launch:
    """One command line, by the launcher, with little patience."""

    def __init__(self, folder, disk, command):
        base = os.path.join(os.environ.get("BUILD_ROOT", os.path.join(ROOT, "build")), os.environ.get("ARCH", "x86_64"), BUILD)
        self.log, self.monitor = f"{folder}/log", f"{folder}/qmp"
        self.process = subprocess.Popen(
            [os.path.join(ROOT, "tools", "run"), "--arch", os.environ.get("ARCH", "x86_64"), "--kernel", f"{base}/kernel.elf",
             "--archive", f"{base}/boot.img", "--disk", disk, "--log", self.log, "--qmp", self.monitor, "--stall", str(STALL_SECONDS),
             "--command", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def signs(self):
        """How often the guest said that it lives."""
        try:
            with open(self.log, encoding="utf-8", errors="replace") as source:
                return source.read().count(ALIVE)
        except FileNotFoundError:
            return 0

    def end(self):
        output, messages = self.process.communicate()
        return self.process.returncode, output, messages


def sleeping_is_no_hang(folder, disk):
    launch = Launch(folder, disk, f"sleep {SLEEP_SECONDS:g}; echo slept; exit 5")
    status, output, messages = launch.end()
    return (status, output) == (5, "slept\n") and launch.signs() > 1 or f"{status} {output!r} {messages!r}, {launch.signs()} signs"


def working_in_silence_is_no_hang(folder, disk):
    launch = Launch(folder, disk, "while true; do true; done")
    # They are a second or more apart.
    while launch.signs() < STALL_SECONDS + 2 and launch.process.poll() is None:
        time.sleep(0.1)
    running = launch.process.poll() is None
    launch.process.terminate()
    return running or f"{launch.end()}"


def standing_still_is_a_hang(folder, disk):
    launch = Launch(folder, disk, "sleep 100000")
    while launch.signs() == 0 and launch.process.poll() is None:
        time.sleep(0.1)
    Monitor(launch.monitor).run("stop")
    status, _, messages = launch.end()
    return status == 125 and "no sign of life in 6 seconds: the machine hangs" in messages or f"{status} {messages!r}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--disk", required=True)
    options = parser.parse_args()
    tap = Tap()
    tests = (sleeping_is_no_hang, working_in_silence_is_no_hang, standing_still_is_a_hang)
    with tempfile.TemporaryDirectory(prefix="veridian-stall-") as folder, concurrent.futures.ThreadPoolExecutor() as pool:
        runs = []
        for test in tests:
            os.mkdir(f"{folder}/{test.__name__}")
            runs.append(pool.submit(test, f"{folder}/{test.__name__}", options.disk))
        for test, run in zip(tests, runs):
            tap.run(test.__name__.replace("_", " "), run.result)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

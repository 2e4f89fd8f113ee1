#!/usr/bin/env python3
"""Supervision in the running system: every driver and service but init dies at seeded points in the middle of reading, with cold caches.

    test_supervision.py --disk IMAGE --tree FOLDER [--seed N] [--rounds N]

A round is one command line: a job in the background computes the SHA-256 of some hundred files that nobody has read in this boot, the shell
waits until a seeded number of them is done, and kills the victim of the round. What is asserted: the kill hit a reader at work (files were
done before it, and files were left), the victim's process ended and another took its place, every sum is the host's, and the shell is
the same process with the same variables. The seed gives the order of the victims and the points; it is printed.
"""
import argparse
import random
import sys
import tempfile

import machine
from machine import Machine, Tap
from test_shell import digest, host_files

VICTIMS = ("virtio-blk", "ext4", "vfs", "devmgr", "logd", machine.CONSOLE, "svcmgr", "power")
FILES = 200          # in a round
LAST_POINT = 110     # the rest is left for the time that it takes to type a kill
POLLS = 200


class Supervision:
    def __init__(self, guest, tree):
        self.guest = guest
        self.sums = {path: digest(host) for path, host in host_files(tree).items()}

    def begin(self):
        """The list of all files, in an order that mixes folders; what the shell must not forget."""
        self.guest.run("find /usr /etc /var -type f | sort > /tmp/all")
        output, _ = self.guest.run("wc -l < /tmp/all")
        self.guest.run("keep=kept; cd /tmp")
        self.shell = self.process_of("vsh")
        return int(output) == len(self.sums) or f"{output!r} instead of {len(self.sums)}"

    def process_of(self, name):
        """The id of the running process @name, or None."""
        output, _ = self.guest.run("ps")
        for line in output.splitlines():
            words = line.split()
            if len(words) >= 7 and words[-1] == name and words[1] == "run":
                return words[0]
        return None

    def comes_back(self, name, before):
        for _ in range(POLLS):
            after = self.process_of(name)
            if after not in (None, before):
                return True
            self.guest.run("sleep 0.05")
        return f"{name} was process {before} and is not back"

    def kill_while_reading(self, name, first, point):
        """Kill @name when @point of the files from number @first on are read."""
        before = self.process_of(name)
        if before is None:
            return f"{name} does not run"
        output, status = self.guest.run(
            f"echo -n > sums; tail -n +{first + 1} all | head -n {FILES} | tr '\\n' '\\0' | xargs -0 -n 5 sha256sum > sums & "
            f"while test $(wc -l < sums) -lt {point}; do true; done; svc kill {name} && echo killed at $(wc -l < sums); wait")
        at = [line.split()[2] for line in output.splitlines() if line.startswith("killed at ")]
        if not at:
            return f"no kill: {output!r} {status}"
        if not point <= int(at[0]) < FILES:
            return f"the kill was not in the middle of reading: {output!r}"
        return self.comes_back(name, before)

    def sums_are_right(self, first):
        output, _ = self.guest.run("cat sums")
        got = [line.partition("  ")[::2] for line in output.splitlines()]
        wanted, _ = self.guest.run(f"tail -n +{first + 1} all | head -n {FILES}")
        names = wanted.splitlines()
        wrong = [name for total, name in got if self.sums.get(name) != total]
        if [name for _, name in got] != names or wrong:
            return f"{len(got)} of {len(names)} sums, wrong: {wrong[:5]}; {output[-300:]!r}"
        return True

    def round(self, name, first, point):
        for good in (self.kill_while_reading(name, first, point), self.sums_are_right(first), self.session_goes_on()):
            if good is not True:
                return good
        return True

    def long_stop(self, first):
        """Who reads while the file system is stopped waits for it; after half a minute it is a medium that fails. Who reads when it
        is started is served."""
        names = self.guest.run(f"tail -n +{first + 1} all | head -n 3")[0].splitlines()
        output, _ = self.guest.run(f"svc stop ext4; sha256sum '{names[0]}' > sums & sleep 1; svc start ext4; wait; cat sums")
        if not output.endswith(f"{self.sums[names[0]]}  {names[0]}\n"):
            return f"a reader who waited: {output!r}"
        output, status = self.guest.run(f"svc stop ext4; cat '{names[1]}' 2>&1")
        if status != 1 or "input/output error" not in output:
            return f"a reader who waited in vain: {status} {output!r}"
        output, _ = self.guest.run(f"sha256sum '{names[1]}' '{names[2]}' > sums 2>&1 & sleep 0.2; svc start ext4; wait; cat sums")
        wanted = "".join(f"{self.sums[name]}  {name}\n" for name in names[1:])
        return output.endswith(wanted) or f"who read at the time of the start: {output!r}"

    def session_goes_on(self):
        output, _ = self.guest.run("echo $keep $PWD")
        shell = self.process_of("vsh")
        return output == "kept /tmp\n" and shell == self.shell or f"{output!r}, the shell was {self.shell} and is {shell}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--disk", required=True)
    parser.add_argument("--tree", required=True)
    parser.add_argument("--seed", type=int, default=20251125)
    parser.add_argument("--rounds", type=machine.launcher.count, default=4)
    options = parser.parse_args()
    chance, tap = random.Random(options.seed), Tap()
    print(f"# seed {options.seed}")
    plan = [name for name in VICTIMS for _ in range(options.rounds)]
    chance.shuffle(plan)
    with tempfile.TemporaryDirectory(prefix="veridian-system-") as folder:
        with Machine(f"{folder}/log", disk=options.disk) as guest:
            tap.run("a prompt appears", lambda: guest.expect(machine.PROMPT) and None)
            supervision = Supervision(guest, options.tree)
            tap.run("all files are listed", supervision.begin)
            for number, name in enumerate(plan):
                point = chance.randrange(5, LAST_POINT)
                tap.run(f"{name} is killed after file {point} of {FILES} and comes back", supervision.round, name, number * FILES, point)
            # Half a minute of waiting, which one architecture may take.
            if options.rounds > 1:
                tap.run("a file system is stopped for long and started", supervision.long_stop, len(plan) * FILES)
            tap.run("the kernel complained of nothing", guest.is_clean)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

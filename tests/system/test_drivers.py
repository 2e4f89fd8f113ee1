#!/usr/bin/env python3
"""Drivers that hang, die again and again, or have a device that does not answer; drivers stopped and started; and devmgr killed with
requests at the disk, whose memory must stay what the disk takes it for until the disk is reset.

    test_drivers.py --disk IMAGE --tree FOLDER [--kills N]        FOLDER holds the files that went into IMAGE

All is done from outside, by QEMU's monitor: the disk is throttled until a request takes longer than any may, and a balloon device asks for
the sizes with which its driver (tests/guest/faulty) hangs or crashes. Who reads the disk meanwhile gets the right bytes, late.
"""
import argparse
import sys
import tempfile

import machine
from machine import Machine, Tap
from screen import Monitor
from test_shell import digest, host_files

MIB = 1 << 20
WELL, CRASHES, HANGS = 0, 16 * MIB, 32 * MIB
# So slow that no request ends.
THROTTLE = {"bps": 1, "bps_rd": 0, "bps_wr": 0, "iops": 0, "iops_rd": 0, "iops_wr": 0}
FAILURES = 10        # FAILURES_MAX of devmgr
# What devmgr says when the devices are quiet and what they could reach is let go.
LET_GO = "mappings of earlier drivers are let go"


class Drivers:
    def __init__(self, guest, monitor, tree):
        self.guest, self.monitor = guest, monitor
        plain = sorted(path for path in host_files(tree) if all(c.isalnum() or c in "/._-+" for c in path))
        self.sums = {path: digest(tree + path) for path in plain[10::len(plain) // 20][:20]}
        self.ram = machine.MEM_BYTES

    def throttle(self, **limits):
        self.monitor.run("block_set_io_throttle", device="root", **dict(THROTTLE, **limits))

    def wants(self, missing):
        self.monitor.run("balloon", value=self.ram - missing)

    def driver(self, name):
        """State, process and number of restarts, as svc says. A devmgr that has just begun has not found its devices yet."""
        output, status = self.guest.run(f"svc status {name}")
        if status != 0:
            return "absent", "0", 0
        line = output.splitlines()[-1].split()
        return line[1], line[2], int(line[3])

    def wait(self, name, condition):
        """Until @condition of the driver's state; what it was last."""
        for _ in range(machine.POLLS):
            now = self.driver(name)
            if condition(*now):
                return True
            self.guest.run("sleep 0.05")
        return f"{name}: {now}"

    def read_in_background(self):
        self.guest.run(f"echo -n > /tmp/sums; sha256sum {' '.join(self.sums)} > /tmp/sums 2>&1 & true")

    def sums_are_right(self):
        output, _ = self.guest.run("wait; cat /tmp/sums")
        wrong = [path for path, total in self.sums.items() if f"{total}  {path}\n" not in output]
        return self.runs("virtio-blk") and (not wrong or f"{len(wrong)} wrong: {wrong[:3]} {output[-500:]!r}")

    def logged(self, text):
        return self.guest.run("log")[0].count(text)

    def runs(self, name="faulty"):
        return self.wait(name, lambda state, process, _: state == "running" and process != "0")

    # ── a device that does not answer, and a driver that does not ─────────────────────────────────────────────────────

    def both_hang(self):
        """The disk's driver ends itself, the other is ended: both within their deadlines, at the same time."""
        disk, faulty = self.driver("virtio-blk"), self.driver("faulty")
        self.throttle()
        self.read_in_background()
        self.wants(HANGS)
        for name, before in (("virtio-blk", disk), ("faulty", faulty)):
            result = self.wait(name, lambda state, process, restarts, b=before: restarts > b[2])
            if result is not True:
                return result
        return self.logged("virtio-blk: the device does not answer") > 0 and self.logged("faulty does not answer: it is ended") > 0

    def both_come_back(self):
        self.wants(WELL)
        self.throttle(bps=0)
        return self.sums_are_right()

    # ── a driver that cannot keep alive ───────────────────────────────────────────────────────────────────────────────

    def quarantine(self):
        """It dies, starts again, each time later, and is given up; a kill on request does not count. Nobody touches the device any more."""
        first = self.driver("faulty")
        self.guest.run("svc kill faulty")
        result = self.wait("faulty", lambda state, process, restarts: state == "running" and restarts > first[2])
        before = self.driver("faulty")
        # So many failures there were already: one, and another if it was not told to be well before it had hung for as long again.
        hangs = self.logged("faulty does not answer: it is ended")
        self.wants(CRASHES)
        if result is True:
            result = self.wait("faulty", lambda state, *_: state == "quarantined")
        now = self.driver("faulty")
        if result is not True or now[1] != "0" or hangs == 0 or now[2] != before[2] + FAILURES - hangs - 1:
            return f"{result} {before} {now}, {hangs} hangs"
        self.guest.run("sleep 1")
        return self.driver("faulty") == now and self.logged("faulty died 10 times in a row") == 1

    def quarantine_outlives_the_service_manager(self):
        now = self.driver("faulty")
        self.guest.run("svc kill svcmgr")
        return self.driver("faulty") == now and self.driver("virtio-blk")[0] == "running" or f"{now}: {self.driver('faulty')}"

    def start_ends_the_quarantine(self):
        """In vain as long as the mistake is there."""
        before = self.driver("faulty")
        self.guest.run("svc start faulty")
        result = self.wait("faulty", lambda state, process, restarts: state == "quarantined" and restarts >= before[2] + FAILURES)
        if result is not True:
            return result
        self.wants(WELL)
        output, status = self.guest.run("svc start faulty")
        return self.runs() if status == 0 else output

    # ── what tools may ask ────────────────────────────────────────────────────────────────────────────────────────────

    def drivers_are_stopped_and_started(self):
        first = self.driver("faulty")
        for command, condition in (("start", lambda state, process, _: (state, process) == first[:2]),
                                   ("stop", lambda state, process, _: (state, process) == ("stopped", "0")),
                                   ("stop", lambda state, process, _: (state, process) == ("stopped", "0")),
                                   ("start", lambda state, process, _: state == "running" and process != first[1]),
                                   ("restart", lambda state, _, restarts: state == "running" and restarts >= first[2] + 2),
                                   ("kill", lambda state, _, restarts: state == "running" and restarts >= first[2] + 3)):
            output, status = self.guest.run(f"svc {command} faulty")
            result = self.wait("faulty", condition)
            if status != 0 or result is not True:
                return f"{command}: {status} {output!r} {result}"
        return True


class Masters(Drivers):
    """devmgr dies, and so do its drivers, while the disk has requests: nobody is left who could have made the disk quiet."""

    def begin(self):
        """Somebody reads for ever, whatever comes of it; from now on the disk takes requests and does not end them."""
        self.first = min(self.sums)
        self.guest.run(f"cat {self.first} > /tmp/first; while test $(wc -c < /tmp/first) -lt 500000; do cat {self.first} >> /tmp/first; done")
        self.throttle()
        self.guest.run("echo > /tmp/reading; while test -e /tmp/reading; do sha256sum "
                       f"{' '.join(sorted(self.sums)[1:])} > /dev/null 2>&1; done & true")
        return self.is_asked()

    def is_asked(self):
        """Until the disk has requests that it has not ended."""
        path, = (device["path"] for device in self.monitor.run("x-query-virtio") if device["name"] == "virtio-blk")
        for _ in range(machine.POLLS):
            if self.monitor.run("x-query-virtio-queue-status", path=path, queue=0)["inuse"] > 0:
                return True
            self.guest.run("sleep 0.05")
        return "no request reaches the disk"

    def memory_is_not_reused(self):
        """All memory that can be had is filled while the disk still thinks that it may write to its requests'. Its reset, when devmgr is
        started again, ends them: QEMU then writes what it was asked to read. Nothing that was filled may have changed."""
        # The console's driver is away too meanwhile: whoever wrote to it would wait.
        output, _ = self.guest.run("mkdir /tmp/fill; svc stop -f devmgr; i=0; while cp /tmp/first /tmp/fill/f$i 2> /dev/null; "
                                   "do i=$(($i + 1)); done; rm /tmp/fill/f$i; svc start devmgr; echo $i copies")
        result = self.runs("virtio-blk")
        total, *sums = [line.split()[0] for line in self.guest.run("sha256sum /tmp/first /tmp/fill/*; rm -r /tmp/fill")[0].splitlines()]
        wrong = sum(other != total for other in sums)
        if result is not True or output != f"{len(sums)} copies\n" or len(sums) < 10 or wrong:
            return f"{result} {output!r}: {wrong} of {len(sums)} copies are damaged"
        return self.logged(LET_GO) == 1 or "the log says nothing of pages let go"

    def kill(self):
        """Kill devmgr; back when its drivers, that of the console too, are others."""
        names = ("virtio-blk", machine.CONSOLE)
        self.guest.run("; ".join([f"old{i}=$(svc status {name} | grep running)" for i, name in enumerate(names)] + ["svc kill devmgr"] +
                                 [f"while new=$(svc status {name} | grep running); test -z \"$new\" || test \"$new\" = \"$old{i}\"; "
                                  "do sleep 0.05; done" for i, name in enumerate(names)]))

    def nothing_leaks(self, kills):
        """Each life of devmgr lets go what the one before could not."""
        # One kill before those that count: a driver that has waited for the disk for long may end itself just then, and pins nothing.
        for number in range(-1, kills):
            result = self.is_asked()
            if result is not True:
                return f"kill {number}: {result}"
            if number == 0:
                free, said = self.free_mib(), self.logged(LET_GO)
            self.kill()
        result, said = self.is_asked(), self.logged(LET_GO) - said
        # What the disk's driver has pinned of one client is 2 MiB (BLOCK_DATA_BYTES). What leaks never comes back.
        for _ in range(machine.POLLS):
            lost = free - self.free_mib()
            if lost < kills / 2:
                return result is True and said == kills or f"{result}, {said} times pages were let go"
            self.guest.run("sleep 0.05")
        return f"{lost} MiB less are free"

    def free_mib(self):
        line, = (line for line in self.guest.run("mem")[0].splitlines() if line.split()[0] == "free")
        return int(line.split()[1]) / 1024

    def reading_goes_on(self):
        self.throttle(bps=0)
        self.guest.run("rm /tmp/reading; wait")
        self.read_in_background()
        return self.sums_are_right()


def masters(options, folder, tap):
    extra = [f"-qmp unix:{folder}/qmp-masters,server=on,wait=off"]
    with Machine(f"{folder}/log-masters", disk=options.disk, extra=extra, mem="96M") as guest:
        tap.run("a prompt appears on a small machine", lambda: guest.expect(machine.PROMPT) and None)
        test = Masters(guest, Monitor(f"{folder}/qmp-masters"), options.tree)
        for name, function in (("a reader waits for a disk that does not answer", test.begin),
                               ("devmgr is stopped with requests at the disk: their memory stays theirs", test.memory_is_not_reused),
                               (f"{options.kills} kills of devmgr with requests at the disk leave nothing pinned",
                                lambda: test.nothing_leaks(options.kills)),
                               ("readers get the right bytes", test.reading_goes_on),
                               ("the kernel complained of nothing on the small machine", guest.is_clean)):
            tap.run(name, function)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--disk", required=True)
    parser.add_argument("--tree", required=True)
    parser.add_argument("--kills", type=machine.launcher.count, default=20)
    options = parser.parse_args()
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="veridian-drivers-") as folder:
        extra = [f"-qmp unix:{folder}/qmp,server=on,wait=off", "-device virtio-balloon-pci,disable-legacy=on"]
        with Machine(f"{folder}/log", disk=options.disk, extra=extra, archive="guest/faulty/boot.img") as guest:
            tap.run("a prompt appears with a faulty driver", lambda: guest.expect(machine.PROMPT) and None)
            drivers = Drivers(guest, Monitor(f"{folder}/qmp"), options.tree)
            tap.run("the faulty driver runs", drivers.runs)
            for name, test in (("a disk that does not answer, and a driver that hangs: both are killed", drivers.both_hang),
                               ("they come back, and readers get the right bytes", drivers.both_come_back),
                               ("a driver that dies again and again is quarantined", drivers.quarantine),
                               ("the quarantine is known to the next service manager", drivers.quarantine_outlives_the_service_manager),
                               ("svc start ends the quarantine", drivers.start_ends_the_quarantine),
                               ("drivers are stopped, started, restarted and killed", drivers.drivers_are_stopped_and_started),
                               ("the kernel complained of nothing", guest.is_clean)):
                tap.run(name, test)
        masters(options, folder, tap)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

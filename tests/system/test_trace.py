#!/usr/bin/env python3
"""trace and prof as somebody at the console uses them: what they write is well formed, and tells what happened, in order.

    test_trace.py --disk IMAGE
"""
import argparse
import collections
import json
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import machine
from machine import Machine, Tap

FILE = "/usr/share/unicode/UnicodeData.txt"
CPUS = 9000000000
PHASES = {"M": ("args",), "X": ("ts", "dur"), "i": ("ts", "s"), "s": ("ts", "id", "cat"), "f": ("ts", "id", "cat", "bp")}
TRIES = 5


class Trace:
    """A file in the Trace Event Format: what Chrome wants of it is checked as it is read."""

    def __init__(self, text):
        document = json.loads(text)
        self.events, self.lost = document["traceEvents"], document["otherData"]["lost"]
        self.names = {}
        for event in self.events:
            phase = event["ph"]
            assert isinstance(event["name"], str) and isinstance(event["pid"], int) and isinstance(event["tid"], int), event
            for key in PHASES[phase]:
                assert key in event, event
            assert event.get("ts", 0) >= 0 and event.get("dur", 0) >= 0, event
            if phase == "M":
                self.names[event["name"], event["pid"], event["tid"]] = event["args"]["name"]
        for event in self.events:
            assert ("process_name", event["pid"], 0) in self.names or event["pid"] == 0, event

    def slices(self, process):
        """The slices of the threads of all processes of that name, in the order of time."""
        return sorted((e for e in self.events if e["ph"] == "X" and self.names.get(("process_name", e["pid"], 0)) == process),
                      key=lambda e: (e["ts"], -e["dur"]))

    def nests(self):
        """Slices of one track lie in one another or side by side, to the rounding of the last digit."""
        tracks = collections.defaultdict(list)
        for event in self.events:
            if event["ph"] == "X":
                tracks[event["pid"], event["tid"]].append(event)
        for events in tracks.values():
            open_ends = []
            for event in sorted(events, key=lambda e: (e["ts"], -e["dur"])):
                begin, end = event["ts"], event["ts"] + event["dur"]
                while open_ends and open_ends[-1] <= begin + 0.0005:
                    open_ends.pop()
                assert not open_ends or end <= open_ends[-1] + 0.002, event
                open_ends.append(end)
        return True

    def arrows(self):
        """Each arrow begins once and ends once, later."""
        ends = collections.defaultdict(dict)
        for event in self.events:
            if event["ph"] in "sf":
                assert event["ph"] not in ends[event["id"]], event
                ends[event["id"]][event["ph"]] = event
        assert ends and all(set(pair) == {"s", "f"} and pair["s"]["ts"] <= pair["f"]["ts"] for pair in ends.values())
        return [(pair["s"], pair["f"]) for pair in ends.values()]


def within(inner, outer):
    return outer["ts"] - 0.002 <= inner["ts"] and inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"] + 0.002


class Session:
    def __init__(self, guest):
        self.guest = guest
        self.trace = None

    def a_trace_is_well_formed(self):
        output, status = self.guest.run(f"trace -o - cat {FILE}")
        if status != 0:
            return f"{status} {output[-500:]!r}"
        self.trace = Trace(output)
        return self.trace.nests() and (self.trace.lost == 0 or f"{self.trace.lost} events were lost")

    def a_call_is_seen_on_both_sides(self):
        """cat calls vfs to open the file; vfs runs, serves it, and answers; then cat goes on."""
        calls = [e for e in self.trace.slices("cat") if e["name"] == "endpoint.call files.open"]
        served = [e for e in self.trace.slices("vfs") if e["name"] == "files.open for cat"]
        if len(calls) < 1 or len(served) != len(calls):
            return f"{calls} {served}"
        call, serve = calls[-1], served[-1]
        runs = [e for e in self.trace.events if e["ph"] == "X" and e["pid"] == CPUS and e["name"] == "vfs" and
                e["args"]["thread"] == serve["tid"]]
        inside = [e["name"] for e in self.trace.slices("vfs") if e["tid"] == serve["tid"] and e is not serve and within(e, serve)]
        arrows = [(s, f) for s, f in self.trace.arrows() if s["tid"] == call["tid"] and f["tid"] == serve["tid"]]
        back = [(s, f) for s, f in self.trace.arrows() if s["pid"] == serve["pid"] and f["tid"] == call["tid"]]
        after = [e for e in self.trace.slices("cat") if e["tid"] == call["tid"] and e["ts"] >= call["ts"] + call["dur"]]
        good = (within(serve, call) and call["args"]["status"] == "OK" and inside and after and
                any(e["ts"] <= serve["ts"] + 0.002 and e["ts"] + e["dur"] > serve["ts"] for e in runs) and
                any(s["ts"] == call["ts"] and abs(f["ts"] - serve["ts"]) < 0.002 for s, f in arrows) and
                any(call["ts"] <= s["ts"] <= f["ts"] <= call["ts"] + call["dur"] for s, f in back))
        return bool(good) or f"{call} {serve} {runs[:3]} {inside} {arrows[:2]} {back[:2]}"

    def a_process_begins_and_ends(self):
        """The calls of cat: the first is of its start, the last its exit; the system tells of its first and its last thread."""
        names = [e["name"] for e in self.trace.slices("cat")]
        events = [e["name"] for e in self.trace.events if e["ph"] == "i" and
                  self.trace.names.get(("process_name", e["pid"], 0)) == "cat"]
        wanted = {"begins", "process ends", "page fault", "woken"}
        return names[-1] == "process.exit" and wanted <= set(events) or f"{names[-5:]} {sorted(set(events))}"

    def cpus_run_one_thread_each(self):
        """No thread is on two CPUs at one time."""
        ends = {}
        for event in sorted((e for e in self.trace.events if e["ph"] == "X" and e["pid"] == CPUS), key=lambda e: e["ts"]):
            thread = event["args"]["thread"]
            if event["ts"] + 0.002 < ends.get(thread, 0):
                return str(event)
            ends[thread] = event["ts"] + event["dur"]
        return bool(ends)

    def kinds_and_files(self):
        """-k: only these. -o: into that file, the command's output is its own."""
        output, status = self.guest.run("trace -k switch -o /tmp/trace.json echo hello; cat /tmp/trace.json; rm /tmp/trace.json")
        first, _, rest = output.partition("\n")
        trace = Trace(rest)
        phases = {e["ph"] for e in trace.events}
        return first == "hello" and status == 0 and "s" not in phases and \
            all(e["pid"] == CPUS for e in trace.events if e["ph"] == "X") or f"{status} {first!r} {sorted(phases)}"

    def nonsense_is_refused(self):
        for command in ("trace", "trace -k nothing true", "trace -t 0 true", "trace -x", "prof -k call true", "prof"):
            output, status = self.guest.run(command)
            if status != 2 or "usage: " not in output:
                return f"{command}: {status} {output!r}"
        output, status = self.guest.run("trace -o - /boot/nothing; echo; trace -o /nowhere/file true")
        return "not found" in output and status == 1 or f"{status} {output!r}"

    def a_tracer_that_is_killed_leaves_none(self):
        """There is one trace at a time; with its program it ends."""
        for _ in range(machine.POLLS):                # one that comes while this one looks is refused, and ends
            if "running" not in self.guest.run("jobs")[0]:
                self.guest.run("trace -t 1000 -o /tmp/x & true")
            output, status = self.guest.run("trace -o - true")
            if status != 0:
                break
            self.guest.run("sleep 0.05")
        job = re.search(r"^\[(\d+)\] running", self.guest.run("jobs")[0], re.M)
        if "in use" not in output or not job:
            return f"{status} {output[-500:]!r}"
        self.guest.run(f"kill %{job[1]}")
        for _ in range(machine.POLLS):
            output, status = self.guest.run("trace -o - true")
            if status == 0:
                return Trace(output).lost == 0
            self.guest.run("sleep 0.05")
        return f"{status} {output!r}"

    def a_flame_graph_has_both_sides(self):
        """A program that computes is there with the function that it computes in, the kernel with those that its calls and faults take."""
        build = os.path.join(os.environ.get("BUILD_ROOT", os.path.join(machine.ROOT, "build")), os.environ.get("ARCH", "x86_64"), machine.BUILD)
        draw = [os.path.join(machine.ROOT, "tools", "flamegraph"), "--build", build]
        text, collapsed = "", ""
        for _ in range(TRIES):                        # whether a sample falls into a fault is chance
            output, status = self.guest.run(f"prof -o - sha256sum {FILE} {FILE} {FILE}")
            if status != 0:
                return f"{status} {output[-500:]!r}"
            text += output
            collapsed = subprocess.run(draw + ["--collapsed"], input=text, stdout=subprocess.PIPE, text=True, check=True).stdout
            lines = [line.rsplit(" ", 1)[0].split(";") for line in collapsed.splitlines()]
            user = any(line[0] == "sha256sum" and {"main", "sha256_add", "compress"} <= set(line) for line in lines)
            kernel = any("trap_page_fault" in line[1:] for line in lines)
            calls = any(line[0] == "sha256sum" and line[-1].startswith("sys_") for line in lines)
            if user and kernel and calls:
                break
        else:
            return f"{user} {kernel} {calls}\n{collapsed}"
        picture = subprocess.run(draw, input=text, stdout=subprocess.PIPE, text=True, check=True).stdout
        frames = [g for g in xml.etree.ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}g") if g.get("data-name")]
        widths = collections.defaultdict(float)
        for frame in frames:
            widths[frame.get("data-name")] += float(frame.get("data-w"))
        return {"all", "sha256sum", "compress", "trap_page_fault"} <= set(widths) and abs(widths["all"] - 1) < 1e-6 or f"{sorted(widths)}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--disk", required=True)
    options = parser.parse_args()
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="veridian-system-") as folder:
        with Machine(f"{folder}/log", disk=options.disk) as guest:
            tap.run("a prompt appears", lambda: guest.expect(machine.PROMPT) and None)
            tap.run("the services run", guest.wait_services)
            session = Session(guest)
            for test in (session.a_trace_is_well_formed, session.a_call_is_seen_on_both_sides, session.a_process_begins_and_ends,
                         session.cpus_run_one_thread_each, session.kinds_and_files, session.nonsense_is_refused,
                         session.a_tracer_that_is_killed_leaves_none, session.a_flame_graph_has_both_sides):
                tap.run(test.__name__.replace("_", " "), test)
            tap.check("the kernel complained of nothing", guest.is_clean() is True, guest.is_clean())
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

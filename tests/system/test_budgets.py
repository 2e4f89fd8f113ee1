#!/usr/bin/env python3
"""Hungry programs at the prompt, on a small machine and on the usual one: memory, processes, threads and CPUs without end, all at once and in the
background. They find the end of their part of the memory; no service dies, the prompt answers, and when they are killed all is as before.

    test_budgets.py --disk IMAGE
"""
import argparse
import re
import sys
import tempfile

import machine
from machine import Machine, Tap

# Processes: each starts two more.
BOMB = "echo 'vsh /tmp/bomb & vsh /tmp/bomb & sleep 1000' > /tmp/bomb; { vsh /tmp/bomb > /dev/null 2> /tmp/said & }"
# So many shells at least, that of the console, and those of the bomb; or one finds no room, of which the others may leave few.
SHELLS = 8
HOGS = [
    # Memory: all of an endless line is kept. What is hungry is ended, the rest of the pipeline waits. (Nobody says so: that would be behind the
    # prompt, where it is not looked for.)
    "for i in 1 2; do { (cat /tmp/hole; sleep 1000) | tail -c 900000000; } > /dev/null 2>&1 & done",
    # Threads, none of which ever waits.
    "{ vsh -c 'f() { while true; do true; done | f; }; f' > /dev/null 2>&1 & }",
    # The shell's own threads.
    "while true; do true; done & echo",
]
# As many as that have room on the smallest of these machines.
JOBS = 5


class Budgets:
    def __init__(self, guest):
        self.guest = guest

    def running(self):
        """Every process but those of the shell's jobs and ps itself: number and name; and each service: name, state, process, restarts."""
        # Jobs may say something in between.
        processes = [(words[0], words[-1]) for words in map(str.split, self.guest.run("ps")[0].splitlines())
                     if len(words) >= 7 and words[0].isdigit() and words[-1] != "ps"]
        services = [tuple(words[:4]) for words in map(str.split, self.guest.run("svc list")[0].splitlines())
                    if len(words) >= 5 and words[2].isdigit()]
        return [process for process in processes if not self.base or process in self.base[0]], services

    def budgets(self):
        """KiB of pages used and allowed, of kernel memory used and allowed, for each Budget."""
        lines = self.guest.run("mem")[0].partition("budgets")[2].partition("processes")[0].splitlines()[1:]
        return {words[0]: tuple(int(words[i]) for i in (1, 3, 4, 6)) for words in map(str.split, lines)}

    def begin(self):
        self.base = None
        result = self.guest.wait_services()
        if result is not True:
            return result
        self.guest.run("truncate -s 400000000 /tmp/hole")
        self.base = self.running()
        self.base_budgets = self.budgets()
        return self.base_budgets.keys() == {"system", "vfs", "vsh", "files", "foreground"} or str(self.base_budgets)

    def is_unharmed(self):
        now = self.running()
        return now == self.base or f"{self.base} became {now}"

    def jobs(self):
        """Their numbers."""
        return re.findall(r"^\[(\d+)\] running", self.guest.run("jobs")[0], re.M)

    def processes_multiply(self):
        self.guest.run(BOMB)
        for _ in range(machine.POLLS):
            if self.guest.run("ps")[0].count(" vsh\n") >= SHELLS or "memory" in self.guest.run("cat /tmp/said")[0]:
                return self.is_unharmed()
            self.guest.run("sleep 0.1")
        return f"there are no more than before: {self.guest.run('ps')[0]} {self.guest.run('mem')[0]}"

    def hungry_program_is_told(self):
        output, status = self.guest.run("cat /tmp/hole | tail -c 900000000")
        return status > 128 and "tail: it was ended: out of memory\n" in output and self.is_unharmed()

    def prompt_answers(self):
        """Whatever else runs."""
        for hog in HOGS:
            self.guest.run(hog)
        for _ in range(3):
            result = self.is_unharmed()
            if result is not True:
                return result
            output, status = self.guest.run("echo one two | wc -w; sort /boot/catalogue | wc -c; true")
            if status != 0 or not re.search(r"^2\n", output, re.M) or not re.search(r"^[1-9]\d\d\d+\n", output, re.M):
                return f"{status} {output!r} {self.guest.run('mem')[0]}"
        return True

    def foreground_keeps_its_part(self):
        """It has as much as all jobs together."""
        budgets = self.budgets()
        jobs = [budget for name, budget in budgets.items() if name.startswith("job-")]
        return jobs and budgets["foreground"][1] * 10 > sum(job[1] for job in jobs) * 9 or str(budgets)

    def parts(self, caps):
        """Those that a process's capabilities are for: none, or one, but for the login shell, which has all."""
        badges = (int(badge, 16) for badge in re.findall(r" ENDPOINT .* 0x([0-9a-f]+)", self.guest.run(caps)[0]))
        return {badge for badge in badges if 1 << 32 <= badge < 1 << 63}

    def jobs_are_different_clients(self):
        """Each connects to the files with a badge of its own: what it has open is not the others'."""
        foreground = self.parts("vsh -c 'caps $$; true'")
        processes = (words for words in map(str.split, self.guest.run("ps")[0].splitlines()) if words and words[0].isdigit())
        shells = [words[0] for words in processes if words[-1] == "vsh" and (words[0], "vsh") not in self.base[0]]
        jobs = set().union(*(self.parts(f"caps {number}") for number in shells))
        return len(foreground) == 1 and jobs and not jobs & foreground or f"{shells} connect as {jobs}, the foreground as {foreground}"

    def shell_is_not_greedy(self):
        """What scripts make the shell itself keep has an end too."""
        output, _ = self.guest.run("x=a; while x=$x$x; do true; done; y=$(cat /tmp/hole); echo ${#y}")
        said = "x: no memory for its value\n" in output and ("no memory for what a substitution prints\n" in output or "no memory for a substitution\n" in output)
        return self.is_unharmed() if said else f"{output!r}"

    def nobody_is_real_time(self):
        """An ordinary program may not raise itself; who sits at the console may raise it."""
        output, status = self.guest.run("vsh -c 'priority 40:2/10 ls /'")
        _, allowed = self.guest.run("priority 40:2/10 ls /")
        return status == 126 and "not permitted" in output and allowed == 0 or f"{status} {output!r} {allowed}"

    def realtime(self):
        """Thousandths of a CPU used and allowed, for each Budget."""
        lines = self.guest.run("mem")[0].partition("budgets")[2].partition("processes")[0].splitlines()[1:]
        return {words[0]: (int(words[7]), int(words[9])) for words in map(str.split, lines)}

    def real_time_is_bounded(self):
        """Programs with a budget in each period are started as long as the shell has left what they ask for; it comes back when they end."""
        base = self.realtime()
        fits = base["vsh"][1] // 400
        for _ in range(fits):
            self.guest.run("{ priority 40:2/5 sleep 1000 & }")
        for _ in range(machine.POLLS):
            full = self.realtime()
            if [parts for name, parts in full.items() if name.startswith("job-")] == [(400, 400)] * fits:
                break
            self.guest.run("sleep 0.1")
        else:
            return f"{base} became {full}"
        output, status = self.guest.run("priority 40:2/5 ls /")
        smaller = self.guest.run("priority 40:1/20 ls /")[1]
        self.guest.run("kill " + " ".join(self.jobs()) + "; wait")
        for _ in range(machine.POLLS):
            after = self.realtime()
            if after == base:
                break
            self.guest.run("sleep 0.1")
        again = self.guest.run("priority 40:2/5 ls /")[1]
        return fits > 0 and status == 126 and "not permitted" in output and smaller == 0 and after == base and again == 0 or \
            f"{base} became {full}, then {after}: {output!r} {status} {smaller} {again}"

    def memory_comes_back(self):
        self.guest.run("kill " + " ".join(self.jobs()) + "; wait; rm /tmp/hole /tmp/bomb /tmp/said; unset x y")
        for _ in range(machine.POLLS):
            budgets = self.budgets()
            # The foreground has back what was lent, to a page or two that are given back just now. The shell's heap may have grown.
            if budgets.keys() == self.base_budgets.keys() and budgets["foreground"][1] + 64 >= self.base_budgets["foreground"][1] and \
                    budgets["files"] == self.base_budgets["files"] and budgets["vsh"][0] <= self.base_budgets["vsh"][0] + 512:
                return self.is_unharmed()
            self.guest.run("sleep 0.1")
        return f"{self.base_budgets} became {budgets}"

    def jobs_leave_room(self):
        """As many as there can be, which is said; and then who types has what a pipeline takes, with room to spare."""
        for _ in range(100):
            output = self.guest.run("{ sleep 1000 & }")[0]
            if "too many jobs" in output or "no memory for another job" in output:
                break
        jobs = self.jobs()
        piped = self.guest.run("echo one two | cat | cat | wc -w")
        self.guest.run("kill " + " ".join(jobs) + "; wait")
        return len(jobs) >= JOBS and piped == ("2\n", 0) or f"{jobs} {output!r} {piped}"


def hungry(folder, disk, mem, tap):
    with Machine(f"{folder}/log-{mem}", disk=disk, mem=mem) as guest:
        tap.run(f"{mem}: a prompt appears", lambda: guest.expect(machine.PROMPT) and None)
        budgets = Budgets(guest)
        for test in (budgets.begin, budgets.hungry_program_is_told, budgets.processes_multiply, budgets.prompt_answers,
                     budgets.jobs_are_different_clients, budgets.foreground_keeps_its_part, budgets.shell_is_not_greedy, budgets.nobody_is_real_time,
                     budgets.memory_comes_back, budgets.real_time_is_bounded, budgets.jobs_leave_room, guest.is_clean):
            tap.run(f"{mem}: {test.__name__.replace('_', ' ')}", test)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--disk", required=True)
    options = parser.parse_args()
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="veridian-budgets-") as folder:
        for mem in ("32M", "256M"):
            hungry(folder, options.disk, mem, tap)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

"""A running VeridianOS as a person at its console sees it: type, wait for text, look at what came back.

Nothing here has a limit in wall time: waiting ends when the guest makes no progress (tools/run's StallClock, which does not count
what a busy host takes away), or when the machine ends.
"""
import codecs
import importlib.machinery
import importlib.util
import os
import re
import subprocess
import threading
import time

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
STALL_SECONDS = 180.0
# What `make test BUILD= SMP= MEM=` asks for.
BUILD = os.environ.get("TEST_BUILD", "release")
SMP = int(os.environ.get("TEST_SMP", "4"))
MEM = os.environ.get("TEST_MEM", "256M")
MEM_BYTES = int(MEM.rstrip("MG")) << (30 if MEM.endswith("G") else 20)
PROMPT = re.compile(r"vsh:[^\n$]*\$ (\x1b\[K)?$")


def _launcher():
    loader = importlib.machinery.SourceFileLoader("launcher", os.path.join(ROOT, "tools", "run"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("launcher", loader))
    loader.exec_module(module)
    return module


launcher = _launcher()
ARCHS = launcher.ARCHS
# The driver of the console.
CONSOLE = ARCHS[os.environ.get("ARCH", "x86_64")].console
# What runs on a machine with a disk. The prompt waits for its own needs, not for all of them.
SERVICES = ("logd", "devmgr", "ext4", "power", "vfs", "vsh", "virtio-blk", CONSOLE)
POLLS = 600


class Ended(Exception):
    """The machine ended, or stopped making progress, while something was awaited."""


def clock_of(process):
    """Counts the time in which the emulator of the launcher @process could run; None, as long as it has none."""
    try:
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as source:
            children = source.read().split()
        for child in children:
            with open(f"/proc/{child}/comm", encoding="ascii") as source:
                if source.read().startswith("qemu-"):
                    return launcher.StallClock(child)
    except OSError:
        pass  # one of them has ended
    return None


class Machine:
    def __init__(self, log, smp=SMP, mem=MEM, disk=None, build=BUILD, extra=(), append="", archive="boot.img",
                 arguments=None, reboots=False):
        """@archive: of those that were built. @arguments: all of the launcher's, instead of what the others say. Unless it @reboots, a reset
        ends the machine: else one that resets itself again and again would be waited for."""
        root = os.environ.get("BUILD_ROOT", os.path.join(ROOT, "build"))
        arch = os.environ.get("ARCH", "x86_64")
        self.log = log
        folder = os.path.join(root, arch, build)
        if arguments is None:
            arguments = ["--arch", arch, "--kernel", f"{folder}/kernel.elf", "--archive", f"{folder}/{archive}", "--log", log,
                         "--smp", str(smp), "--mem", mem, "--append", append]
            if disk:
                arguments += ["--disk", disk]
            for words in extra:
                arguments += ["--qemu", words]
        arguments = arguments + ([] if reboots else ["--no-reboot"])
        self.process = subprocess.Popen([os.path.join(ROOT, "tools", "run")] + arguments, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=open(log + ".errors", "wb"), bufsize=0)
        self.text = ""
        self.seen = 0
        self.serial = 0
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def _read(self):
        endings, decoder = launcher.LineEndings(), codecs.getincrementaldecoder("utf-8")(errors="replace")
        while True:
            data = os.read(self.process.stdout.fileno(), 65536)
            with self.changed:
                self.text += decoder.decode(endings.undo(data) if data else endings.rest(), final=not data)
                self.changed.notify_all()
            if not data:
                return

    def send(self, text):
        self.process.stdin.write(text.encode())

    def expect(self, pattern):
        """Waits until @pattern (a regular expression) matches what came since the last match; returns the match."""
        pattern = re.compile(pattern) if isinstance(pattern, str) else pattern
        clock, length = None, -1
        while True:
            ended = self.process.poll() is not None and not self.reader.is_alive()
            with self.changed:
                match = pattern.search(self.text, self.seen)
                if match:
                    self.seen = match.end()
                    return match
                if len(self.text) != length:
                    length = len(self.text)
                    if clock:
                        clock.reset()
                self.changed.wait(0.05)
            if ended:
                raise Ended(f"the machine ended; expected {pattern.pattern!r}; last: {self.text[-400:]!r}; log:\n{self.last_words()}")
            clock = clock or clock_of(self.process)
            if clock and clock.advance() > STALL_SECONDS:
                raise Ended(f"no progress; expected {pattern.pattern!r}; last: {self.text[-400:]!r}")

    def run(self, command):
        """Types @command at the prompt: its output (without the echo) and its status."""
        self.serial += 1
        number = self.serial
        # What is typed has quotes in its marks and what is printed has not: the line editor's echo cannot be taken for output.
        self.send(f'echo @be"gin"{number}; {command}; echo @e"nd"{number} $?\n')
        self.expect(rf"@begin{number}\n")
        start = self.seen
        match = self.expect(rf"@end{number} (\d+)\n")
        output = self.text[start:match.start()]
        self.expect(PROMPT)
        return output, int(match.group(1))

    def services(self):
        """Name -> (state, process, restarts), as svc says."""
        lines = (line.split() for line in self.run("svc list")[0].splitlines()[1:])
        return {words[0]: (words[1], words[2], int(words[3])) for words in lines}

    def wait_services(self):
        """Until all of SERVICES run: as they are then, they stay. True, or what is there."""
        for _ in range(POLLS):
            services = self.services()
            if all(services.get(name, ("", ""))[0] == "running" for name in SERVICES):
                return True
            self.run("sleep 0.05")
        return str(services)

    def wait_end(self):
        """Waits for the machine to end by itself: the launcher's status."""
        clock = None
        while self.process.poll() is None:
            time.sleep(0.05)
            clock = clock or clock_of(self.process)
            if clock and clock.advance() > STALL_SECONDS:
                raise Ended("the machine does not end")
        return self.process.returncode

    def is_clean(self):
        """The kernel complained of nothing: no panic, no data race."""
        complaints = [line for line in self.log_text().splitlines() if "KCSAN:" in line or "PANIC" in line]
        return not complaints or "\n".join(complaints)

    def last_words(self):
        """The log from a panic on, or its last lines."""
        log = self.log_text()
        panic = log.find("PANIC")
        return log[log.rfind("\n", 0, panic) + 1:][:3000] if panic >= 0 else log[-1000:]

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as source:
            return source.read()


class Tap:
    """Counts and prints tests; a test that raises has failed."""

    def __init__(self):
        self.count = self.failed = 0

    def check(self, name, condition, detail=""):
        self.count += 1
        self.failed += not condition
        print(f"{'ok' if condition else 'not ok'} {self.count} - {name}", flush=True)
        if not condition and detail:
            for line in str(detail)[-3000:].splitlines():
                print(f"# {line}")

    def run(self, name, function, *arguments):
        try:
            result = function(*arguments)
            self.check(name, result is None or result is True, result)
        except Exception as error:                       # the reason is part of the report
            self.check(name, False, f"{type(error).__name__}: {error}")

    def end(self):
        print(f"1..{self.count}")
        return 1 if self.failed or not self.count else 0

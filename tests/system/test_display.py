#!/usr/bin/env python3
"""The framebuffer console, by its pixels: what is printed at the serial console appears on the display, and nothing that happens to the display
disturbs the shell.

    tests/system/test_display.py --font unifont.hex --pictures FOLDER [--disk veridian-<arch>.img]

A display is behind the serial line by as much as it likes, so every look is repeated until it is as wanted; what ends a wait is a guest that
had time to run and did not get there (machine.launcher.StallClock).
"""
import argparse
import os
import re
import sys
import tempfile

import machine
import screen
from machine import Tap

PROMPT_TEXT = "vsh:/$"
PATIENCE_SECONDS = 60.0


class Display:
    def __init__(self, guest, folder, font):
        self.guest, self.folder, self.font = guest, folder, font
        self.monitor = screen.Monitor(f"{folder}/qmp")

    def look(self):
        path = f"{self.folder}/dump.ppm"
        self.monitor.run("screendump", filename=path)
        return screen.Screen(screen.Picture(path), self.font)

    def wait(self, condition):
        """Looks until @condition(screen) is true; True, or what the last look showed."""
        clock = machine.clock_of(self.guest.process)
        while True:
            seen = self.look()
            if condition(seen):
                return True
            if clock.advance() > PATIENCE_SECONDS:
                return "the display shows:\n# " + "\n# ".join(seen.lines())


class Session:
    def __init__(self, guest, display):
        self.guest, self.display = guest, display

    def command(self, line):
        self.guest.send(line + "\n")
        self.guest.expect("\n")     # a line that is drawn anew, while it is typed, has a prompt too
        self.guest.expect(machine.PROMPT)

    def clear(self):
        self.command(r"printf '\033[0m\033[2J\033[H'")

    def serial_lines(self, rows, columns):
        """The last rows of what the serial console got since the screen was cleared, as a terminal shows them."""
        text = self.guest.text.rpartition("\x1b[2J\x1b[H")[2].replace("\r", "")
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
        lines = [line[at:at + columns] for line in text.split("\n") for at in range(0, max(len(line), 1), columns)]
        return [self.display.font.plain(line).rstrip() for line in lines][-rows:]

    def agrees(self, seen):
        """The display shows what the serial line got, but for the cursor's cell, which is a block behind the prompt."""
        return seen.lines() == self.serial_lines(seen.rows, seen.columns)

    # ── tests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def shows_the_prompt_and_a_cursor(self):
        return self.display.wait(lambda seen: seen.shows(0, 0, PROMPT_TEXT + " ") and seen.shows(0, 7, " ", screen.BG, screen.FG))

    def shows_output(self):
        self.clear()
        self.command("svc list; ls -l /boot; uname -a")
        return self.display.wait(self.agrees)

    def scrolls(self):
        self.clear()
        self.command("for i in $(seq 1 130); do echo $i: the quick brown fox jumps over the lazy dog $i; done")
        done = self.display.wait(self.agrees)
        return done if done is not True else self.display.wait(lambda seen: "130: the quick brown fox" in seen.lines()[-2])

    def long_lines_wrap(self):
        self.clear()
        self.command("echo $(seq 1 200)")
        return self.display.wait(self.agrees)

    def colours(self):
        self.clear()
        self.command(r"printf '\033[31mred\033[92mgreen\033[0;1mbold\033[0;7mreverse\033[0m\n'")
        self.command(r"printf '\033[38;5;208morange\033[48;5;19mblue\033[0;38;2;1;200;30mrgb\033[m\n'")
        return self.display.wait(lambda seen: (
            seen.shows(1, 0, "red", (0xCD, 0, 0)) and seen.shows(1, 3, "green", (0, 0xFF, 0)) and
            seen.shows(1, 8, "bold", (0xFF, 0xFF, 0xFF)) and seen.shows(1, 12, "reverse", screen.BG, screen.FG) and
            seen.shows(3, 0, "orange", (255, 135, 0)) and seen.shows(3, 6, "blue", (255, 135, 0), (0, 0, 175)) and
            seen.shows(3, 10, "rgb", (1, 200, 30))))

    def unicode_text(self):
        self.clear()
        lines = ["Καλημέρα κόσμε, ἀρχή", "Привет, мир! Ђорђе", "naïve façade, Ærøskøbing, Łódź, ẞ", "┌──┬──┐ ╔══╗ ░▒▓█ ▁▂▃▄▅▆▇",
                 "│ab│cd│ ╚══╝ ← → ↑ ↓ ⇒", "∀x∈ℝ: √x ≤ ∞, ∑∏∫ ≠ ≈", "e\u0301 a\u0308 o\u0302\u0323", "ひらがな カタカナ ＡＢＣ", "€ £ ¥ ₿ “quoted” – — …"]
        for line in lines:
            self.command(f"echo '{line}'")
        return self.display.wait(lambda seen: all(seen.shows(2 * i + 1, 0, line) for i, line in enumerate(lines)))

    def control_sequences(self):
        self.clear()
        self.command(r"printf '\033[20;10Hhere\033[22;1Habcdef\033[3D\033[K\033[24;1Hxy\033[@\033[1;1H'; printf '\033[10;12r\033[12;1Hin\n\n\033[r\033[30;1H'")
        return self.display.wait(lambda seen: seen.shows(19, 9, "here ") and seen.shows(21, 0, "abc   ") and seen.shows(23, 0, "xy  ")
                                 and seen.shows(9, 0, "in ") and seen.shows(29, 0, PROMPT_TEXT))

    def alternate_screen(self):
        self.clear()
        self.command("echo kept; printf '\\033[?1049h\\033[5;5Halternate\\n'")
        done = self.display.wait(lambda seen: seen.shows(4, 4, "alternate") and not seen.shows(1, 0, "kept"))
        if done is not True:
            return done
        self.command(r"printf '\033[?1049l'")
        return self.display.wait(lambda seen: seen.shows(1, 0, "kept") and not seen.shows(4, 4, "alternate"))

    def process_of(self, name):
        start = len(self.guest.text)
        self.command("svc list")
        for line in self.guest.text[start:].splitlines():
            words = line.split()
            if words and words[0] == name and words[1] == "running":
                return words[2]
        return None

    def kill(self, name):
        """Kills @name and waits for its next life; None, or what went wrong."""
        before = self.process_of(name)
        self.command(f"svc kill {name}")
        for _ in range(machine.POLLS):
            after = self.process_of(name)
            if after not in (None, before):
                return None if before else f"{name} did not run"
            self.command("sleep 0.2")
        return f"{name} does not come back"

    def display_driver_is_killed(self):
        """What was on the screen is there again, colours and all, and so is what was printed meanwhile."""
        self.clear()
        self.command(r"printf '\033[31mbefore\033[m Привет\n'")
        wrong = self.kill("fbcon")
        self.command("echo after: $((6 * 7))")
        return wrong or self.display.wait(lambda seen: self.agrees(seen) and seen.shows(1, 0, "before", (0xCD, 0, 0)))

    def display_driver_is_killed_while_much_is_printed(self):
        self.clear()
        start = len(self.guest.text)
        self.command("for i in $(seq 1 200); do echo number $i of many lines; if test $(($i % 40)) -eq 0; then svc kill fbcon; fi; done")
        missing = [i for i in range(1, 201) if f"\nnumber {i} of many lines\n" not in self.guest.text[start:]]
        return f"lines {missing[:5]} did not reach the serial line" if missing else self.display.wait(self.agrees)

    def console_is_killed(self):
        """The display goes on with the next console, below what it shows."""
        self.clear()
        self.command("echo first")
        done = self.display.wait(lambda seen: seen.shows(1, 0, "first"))
        wrong = self.kill(machine.CONSOLE)
        self.command("echo second")
        return wrong or (self.display.wait(lambda seen: seen.shows(1, 0, "first") and "second" in seen.lines()) if done is True else done)


def run(tap, options, name, tests, arguments):
    """Boots a machine with the launcher's @arguments and runs @tests; the screen after each is left as a picture."""
    with tempfile.TemporaryDirectory(prefix="veridian-display-") as folder:
        log = f"{folder}/log"
        with machine.Machine(log, arguments=arguments + ["--log", log, "--qmp", f"{folder}/qmp"]) as guest:
            tap.run(f"{name}: a prompt appears", lambda: guest.expect(machine.PROMPT) and None)
            display = Display(guest, folder, screen.Font(options.font))
            session = Session(guest, display)
            for test in tests:
                tap.run(f"{name}: {test.__name__.replace('_', ' ')}", test, session)
                display.look().picture.write_png(f"{options.pictures}/{name}-{test.__name__}.png")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--font", required=True)
    parser.add_argument("--pictures", required=True, help="a folder for the screen after each test, for people to look at")
    parser.add_argument("--disk", help="a disk of tools/mkimage: the firmware's screen is tested too")
    options = parser.parse_args()
    os.makedirs(options.pictures, exist_ok=True)
    arch = os.environ.get("ARCH", "x86_64")
    folder = os.path.join(os.environ.get("BUILD_ROOT", os.path.join(machine.ROOT, "build")), arch, "release")
    tap = Tap()
    run(tap, options, "bochs",
        (Session.shows_the_prompt_and_a_cursor, Session.shows_output, Session.scrolls, Session.long_lines_wrap, Session.colours,
         Session.unicode_text, Session.control_sequences, Session.alternate_screen, Session.display_driver_is_killed,
         Session.display_driver_is_killed_while_much_is_printed, Session.console_is_killed),
        ["--arch", arch, "--kernel", f"{folder}/kernel.elf", "--archive", f"{folder}/boot.img", "--display", "none"])
    if options.disk:
        run(tap, options, "firmware",
            (Session.shows_the_prompt_and_a_cursor, Session.shows_output, Session.scrolls, Session.colours, Session.display_driver_is_killed),
            ["--arch", arch, "--boot", "uefi", "--disk", options.disk, "--qemu", "-device ramfb"])
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

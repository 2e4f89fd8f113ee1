#!/usr/bin/env python3
"""The prompt and the native tools as a person at the console meets them: editing a line, completion, history, scripts, what the tools
answer to nonsense, services started and stopped, capabilities and their origin, reboot and poweroff.

    test_prompt.py --disk IMAGE --tree FOLDER        FOLDER holds the files that went into IMAGE
"""
import argparse
import os
import re
import sys
import tempfile
import time

import machine
from machine import Machine, Tap
from test_shell import host_files

UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
HOME, END, DELETE, BACKSPACE = "\x1b[H", "\x1b[F", "\x1b[3~", "\x7f"
STATUS_INTERRUPT = 130

# What is typed, and the line that it makes.
EDITS = [
    ("echo acd" + LEFT * 2 + "b", "echo abcd"),
    ("cho x" + HOME + "e" + END + "y", "echo xy"),
    ("cho x\x01e\x05y", "echo xy"),
    ("\x1bOHecho a" + "\x1b[1~e\x1b[4~z" + "\x1b[7~" + DELETE + "\x1b[8~y", "echo azy"),
    ("echo abXc" + LEFT + BACKSPACE, "echo abc"),
    ("echo abXc" + LEFT * 2 + DELETE, "echo abc"),
    ("echo abXc\x02\x02\x04", "echo abc"),
    ("echo ab" + LEFT * 40 + RIGHT + "\x06" + DELETE * 2 + "\x06 1", "ec  1ab"),
    ("echo ab\x08\x08\x08 cd", "echo cd"),
    (BACKSPACE * 3 + LEFT + DELETE + "echo a" + RIGHT * 3 + DELETE, "echo a"),
    ("echo one two" + LEFT * 4 + "\x0b", "echo one"),
    ("nonsense\x15echo one", "echo one"),
    ("nonsense; echo one" + LEFT * 8 + "\x15", "echo one"),
    ("echo one  two\x17\x17three", "echo three"),
    ("echo aäb€c😀d" + LEFT * 2 + BACKSPACE + LEFT + DELETE + "ß", "echo aäbß😀d"),
    ("echo 😀é" + LEFT * 2 + DELETE + END + BACKSPACE + "ü", "echo ü"),
    ("echo a\x1b[99999999999999999999~\x1b[5;7Z\x1bxb\x1b[1;5D" + RIGHT, "echo ab"),
    ("echo " + "long " * 60 + HOME + RIGHT * 5 + "so ", "echo so " + "long " * 60),
]
# A command line, the status it ends with, and what it says (a regular expression).
NONSENSE = [
    ("nosuch", 127, "nosuch: not found"),
    ("/no/such", 127, "/no/such: not found"),
    ("/boot", 126, "/boot: is a directory"),
    ("/boot/catalogue", 126, "neither a program nor a script"),
    ("vsh /no/such", 127, "/no/such: not found"),
    ("cd /no/such", 1, "not found"),
    ("cd /boot/vfs", 1, "not a directory"),
    ("cd /tmp /boot", 2, "one directory"),
    ("(exit x)", 2, "exit: x: one number is wanted"),
    ("(exit 1 2)", 2, "one number is wanted"),
    ("shift 99", 1, "not so many arguments"),
    ("shift -1", 2, "-1: one number"),
    ("export 5x=1", 1, "5x=1: not a name"),
    ("unset 5x", 1, "5x: not a name"),
    ("echo a | read 5x", 2, "5x: not a name"),
    ("kill 99", 1, "no such job"),
    ("test a b c d e", 2, "no expression"),
    ("test 1 -eq x", 2, "no expression"),
    ("(echo $((1/0)))", 1, "division by zero"),
    ("(echo ${x?is not set})", 1, "x: is not set"),
    ("break 1", 1, "no loop"),
    ("set -Z", 2, "options"),
    (". /no/such", 1, "not found"),
    ("echo a > /no/such", 1, "not found"),
    ("echo a > /tmp", 1, "/tmp: "),
    ("echo a >> /boot/vfs", 1, "read-only"),
    ("cat < /no/such", 1, "not found"),
    ("vsh -c 'if true'", 2, "syntax error"),
    ("vsh -c 'done'", 2, "syntax error"),
    ("poweroff x", 2, "usage"),
    ("poweroff 256", 2, "usage"),
    ("poweroff 1 2", 2, "usage"),
    ("reboot now", 2, "usage"),
    ("ps x", 2, "usage"),
    ("mem x", 2, "usage"),
    ("mem -a", 2, "usage"),
    ("mem -a init x", 2, "x: not a number of seconds"),
    ("mem -a nosuch", 1, "nosuch: no such process"),
    ("caps", 2, "usage"),
    ("caps nosuch", 1, "nosuch: no such process"),
    ("caps 999999", 1, "no such process"),
    ("svc nonsense", 2, "usage"),
    ("svc nonsense vfs", 2, "usage"),
    ("svc start", 2, "usage"),
    ("svc start nosuch", 1, "nosuch: not found"),
    ("svc stop nosuch", 1, "not found"),
    ("svc restart nosuch", 1, "not found"),
    ("svc kill nosuch", 1, "not found"),
    ("svc status nosuch", 1, "not found"),
    ("svc kill init", 1, "not found"),
    ("cp /boot/vfs", 2, "usage"),
    ("cp /no/such /tmp/x", 1, "not found"),
    ("cp /tmp /tmp/x", 1, "directory"),
    ("mv /no/such /tmp/x", 1, "not found"),
    ("mkdir /tmp", 1, "exists"),
    ("mkdir /tmp/a/b", 1, "not found"),
    ("rm /tmp", 1, "directory"),
    ("rmdir /", 1, "in use"),
    ("ln", 2, "usage"),
    ("grep", 2, "usage"),
    ("grep '[' /boot/vfs", 2, r"\["),
    ("grep x /no/such", 2, "not found"),
    ("find /tmp -nonsense", 2, "no expression"),
    ("find /no/such", 1, "not found"),
    ("head -n x /boot/vfs", 2, "usage"),
    ("tail -c x /boot/vfs", 2, "usage"),
    ("seq a", 2, "usage"),
    ("sleep x", 2, "usage"),
    ("timeout x true", 2, "usage"),
    ("timeout 1 nosuch", 127, "not found"),
    ("cut -f 0", 2, "usage"),
    ("tr", 2, "usage"),
    ("sort -k x /boot/vfs", 2, "usage"),
    ("cmp /boot/vfs", 2, "usage"),
    ("cmp /no/such /boot/vfs", 2, "not found"),
    ("truncate -s x /tmp/f", 2, "usage"),
    ("chmod 9 /tmp", 2, "usage"),
    ("touch -d x /tmp/f", 2, "usage"),
    ("sha256sum -c /boot/svc", 1, "no line of digest"),
    ("xargs -n x", 2, "usage"),
    ("env -u", 2, "usage"),
    ("uname x", 2, "usage"),
    ("mount x", 2, "usage"),
    ("printf", 2, "usage"),
    ("basename", 2, "usage"),
    ("dirname", 2, "usage"),
    ("df /no/such", 1, "not found"),
    ("hexdump -s x", 2, "usage"),
    ("hexdump -n 99999999999999999999 /boot/vfs", 2, "usage"),
    ("tools nosuch", 127, "there is no nosuch"),
]
# Those that read files: an option that there is not, a file that is not there, a directory.
READERS = "cat head tail wc sha256sum hexdump sort uniq".split()

SCRIPT = """\
#!/boot/vsh
# A comment, and $variables in 'quotes'
name=$1; shift
say() { echo "$name: $*"; return 4; }
say "$@"; echo "status $?, $# left"
for word in "$@"; do case $word in t*) echo "t: $word";; *) echo "other: $word";; esac; done
count=0
while test $count -lt 3; do count=$(($count + 1)); done > /tmp/empty
echo $count > /tmp/number; echo more >> /tmp/number; nosuch 2> /tmp/complaint
cat < /tmp/number | sort -r
cat <<HERE
here is $name
HERE
cd /boot; outer=changed
exit 9
"""
SCRIPT_SAYS = "first: two words three\nstatus 4, 2 left\nother: two words\nt: three\nmore\n3\nhere is first\n".replace("other: two", "t: two")


def render(text):
    """What a terminal shows of one line after @text."""
    cells, column = [], 0
    for part in re.findall(r"\x1b\[\d*[A-Z]|.", text, re.DOTALL):
        if part == "\r":
            column = 0
        elif part == "\x1b[K":
            del cells[column:]
        elif part.endswith("D") and part.startswith("\x1b"):
            column -= int(part[2:-1])
        else:
            cells[column:column + 1] = [part]
            column += 1
    return "".join(cells)


def dump(data, offset=0):
    """What hexdump says of @data."""
    lines, last = [], None
    for at in range(0, len(data), 16):
        row = data[at:at + 16]
        if row == last and len(row) == 16:
            if lines[-1] != "*\n":
                lines.append("*\n")
            continue
        digits = [f"{byte:02x}" for byte in row] + ["  "] * (16 - len(row))
        words = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{offset + at:08x}  {' '.join(digits[:8])}  {' '.join(digits[8:])}  |{words}|\n")
        last = row
    return "".join(lines) + (f"{offset + len(data):08x}\n" if data else "")


class Prompt:
    def __init__(self, guest, files):
        self.guest, self.files = guest, files

    def type(self, keys):
        """Types @keys and Enter at the prompt: the line as the terminal shows it in the end, and the output."""
        start = self.guest.seen
        self.guest.send(keys + "\n")
        self.guest.expect("\n")
        line = render("vsh:/$ " + self.guest.text[start:self.guest.seen - 1])
        start = self.guest.seen
        self.guest.expect(machine.PROMPT)
        return line, self.guest.text[start:self.guest.seen].rpartition("\r")[0]

    # ── the line ──────────────────────────────────────────────────────────────────────────────────────────────────

    def lines_are_edited(self):
        wrong = []
        for keys, wanted in EDITS:
            line, output = self.type(keys)
            said = wanted.partition(" ")[2].strip() + "\n" if wanted.startswith("echo ") else None
            if line.rstrip() != f"vsh:/$ {wanted}".rstrip() or (said and output != said):
                wrong.append((keys, line, output))
        return not wrong or f"{wrong[:3]}"

    def history_is_shown_and_changed(self):
        for keys, wanted in ((UP, "second"), (UP * 2, "first"), (UP * 2 + DOWN, "second"), (UP + BACKSPACE * 6 + "fourth", "fourth"),
                             ("echo kept" + UP * 2 + DOWN * 2, "kept"), ("\x10\x10\x10\x0e", "first"), (DOWN + UP, "second"), ("  " + UP, "second")):
            for command in ("echo third", "echo first", "echo second", "echo second"):
                self.type(command)
            output = self.type(keys)[1]
            if output != wanted + "\n":
                return f"{keys!r}: {output!r} instead of {wanted}"
        return True

    def words_are_completed(self):
        self.guest.run("mkdir -p /tmp/c/inner; touch /tmp/c/alpha1 /tmp/c/alpha2 /tmp/c/beta /tmp/c/.hidden /tmp/c/inner/leaf")
        for keys, wanted in (("ech\tx", "x"), ("true; ech\tx", "x"), ("echo /tmp/c/b\tend", "/tmp/c/beta end"),
                             ("echo /tmp/c/i\tl\tend", "/tmp/c/inner/leaf end"), ("echo /tmp/c/a\t2", "/tmp/c/alpha2"),
                             ("echo /tmp/c/none\tx", "/tmp/c/nonex"), ("echo /tmp/c/.h\tx", "/tmp/c/.hidden x"),
                             ("echo /tmp/c/b\t" + LEFT * 12 + "x" + END + "y", "x/tmp/c/beta y")):
            output = self.type(keys)[1]
            if output != wanted + "\n":
                return f"{keys!r}: {output!r} instead of {wanted}"
        self.guest.send("echo /tmp/c/alpha\t")
        self.guest.expect("alpha1  alpha2\n")
        return self.type("1")[1] == "/tmp/c/alpha1\n"

    def control_c_drops_the_line(self):
        self.guest.send("echo dropped\x03")
        self.guest.expect(r"\^C\n")
        start = self.guest.seen
        self.guest.expect(machine.PROMPT)
        dropped = self.guest.text[start:self.guest.seen]
        return "dropped" not in dropped and self.type("echo $?")[1] == f"{STATUS_INTERRUPT}\n" or f"{dropped!r}"

    def control_c_ends_what_runs(self):
        for command in ("sleep 100000", "cat", "while true; do true; done", "yes | cat > /boot/none; sleep 100000 | cat"):
            self.guest.send(f'echo @"r"uns; {command}\n')
            self.guest.expect("@runs\n")
            self.guest.send("\x03")
            self.guest.expect(machine.PROMPT)
            status = self.type("echo $?")[1]
            if status != f"{STATUS_INTERRUPT}\n":
                return f"{command}: {status!r}"
        return True

    def control_c_ends_a_pattern_whose_directory_does_not_answer(self):
        """Who waits for the same directory, which is given up after 30 s, still does when the prompt is back."""
        folder = max((os.path.dirname(path) for path in self.files if path.isascii() and " " not in path), key=lambda path: (path.count("/"), path))
        self.guest.run(f"svc stop ext4; rm -f /tmp/over; {{ echo {folder}/* > /dev/null; echo > /tmp/over; }} & sleep 0.5")
        self.guest.send(f'echo @"a"sks; echo {folder}/*\n')
        self.guest.expect("@asks\n")
        time.sleep(1)    # so that it waits indeed, if the machine is not too slow
        self.guest.send("\x03")
        self.guest.expect(machine.PROMPT)
        status = self.type("echo $?")[1]
        output, _ = self.guest.run("sleep 0.5; test -e /tmp/over && echo late; svc start ext4; wait; ls /usr > /dev/null || echo lost")
        return (status, output) == (f"{STATUS_INTERRUPT}\n", "") or f"{status!r} {output!r}"

    def who_calls_itself_for_ever_comes_back_to_the_prompt(self):
        self.guest.run("keep=kept; f() { f; }")
        said = self.type("f; echo not reached")[1]
        output = self.type("echo $? $keep")[1]
        return said == "vsh: nested too deep\n" and output == "1 kept\n" or f"{said!r} {output!r}"

    def a_directory_that_is_gone_can_be_left(self):
        output, status = self.guest.run("mkdir -p /tmp/leave/it; cd /tmp/leave/it; rmdir ../it; cd ..; pwd; cd -- /; rmdir /tmp/leave")
        return (output, status) == ("/tmp/leave\n", 0) or f"{status} {output!r}"

    def typed_lines_are_a_programs_input(self):
        self.guest.send('echo @"r"eads; cat > /tmp/typed\n')
        self.guest.expect("@reads\n")
        self.guest.send("hel" + BACKSPACE * 2 + "i there\nsecond\n")
        self.guest.expect("second\n")
        self.guest.send("\x04")
        self.guest.expect(machine.PROMPT)
        output, _ = self.guest.run("cat /tmp/typed")
        return output == "hi there\nsecond\n" or f"{output!r}"

    def commands_go_on_in_the_next_line(self):
        for line in ("for i in 1 2", "do echo \"<$i", ">\"", "done \\"):
            self.guest.send(line + "\n")
            self.guest.expect(r"\r> (\x1b\[K)?")
        output = self.type("| tr '\\n' '.'")[1]
        return output == "<1.>.<2.>." or f"{output!r}"

    def what_is_no_utf8_harms_nobody(self):
        self.guest.process.stdin.write(b"\x80\xff" + BACKSPACE.encode() + b"\xe2\x82" + b"\x1b[D\x1b[C\x1b[D" + b"\x00\x0c\x05\x15")
        return self.type("echo fine")[1] == "fine\n"

    def control_d_ends_the_shell(self):
        """And the service manager starts another."""
        self.guest.run("keep=kept")
        self.guest.send("\x04")
        self.guest.expect(machine.PROMPT)
        output, _ = self.guest.run("echo \"<$keep>\"")
        return output == "<>\n" or f"{output!r}"

    # ── scripts and tools ─────────────────────────────────────────────────────────────────────────────────────────

    def scripts_have_arguments_and_a_status(self):
        self.guest.send("cat > /tmp/script <<'EOF'\n" + SCRIPT + "EOF\n")
        self.guest.expect(r"\r> (\x1b\[K)?EOF\n")
        self.guest.expect(machine.PROMPT)
        output, _ = self.guest.run("vsh /tmp/script first 'two words' three; echo $?; cat /tmp/complaint; echo \"$PWD<$outer$name>\"")
        wanted = SCRIPT_SAYS + "9\nvsh: nosuch: not found\n/<>\n"
        return output == wanted or f"{output!r}"

    def what_a_job_writes_is_in_its_file_at_once(self):
        """Not first when there is much of it, or when the job ends."""
        self.guest.run("rm -f /tmp/go; { echo first; while test ! -e /tmp/go; do sleep 0.1; done; echo second; } > /tmp/told & true")
        output, _ = self.guest.run("for i in $(seq 300); do test -s /tmp/told && break; sleep 0.1; done; cat /tmp/told; echo > /tmp/go; wait; cat /tmp/told")
        return output == "first\nfirst\nsecond\n" or f"{output!r}"

    def scripts_are_commands(self):
        output, _ = self.guest.run("/tmp/script first 'two words' three | wc -l; vsh < /tmp/script; echo 'exit 5' | vsh; echo $?")
        return output.startswith(f"{SCRIPT_SAYS.count(chr(10))}\n") and output.endswith("\n5\n") or f"{output!r}"

    def nonsense_is_refused(self):
        table = NONSENSE + [(f"{tool} {word}", status, pattern) for tool in READERS for word, status, pattern in (
            ("-Z", 2, "usage"), ("/no/such", 1, "/no/such: not found"), ("/tmp", 1, "is a directory"))]
        wrong = []
        for command, status, pattern in table:
            output, got = self.guest.run(f"{{ {command}; }} < /boot/catalogue 2>&1")
            if got != status or not re.search(pattern, output):
                wrong.append((command, got, output[:200]))
        return not wrong or f"{len(wrong)} of {len(table)}: {wrong}"

    def hexdump_shows_bytes(self):
        path = next(path for path, host in sorted(self.files.items()) if path.isascii() and " " not in path and
                    os.path.getsize(host) > 2000 and b"\0" * 64 in open(host, "rb").read(2000))
        with open(self.files[path], "rb") as source:
            data = source.read()
        for command, wanted in ((f"hexdump -n 2000 {path}", dump(data[:2000])), (f"hexdump -s 7 -n 100 {path}", dump(data[7:107], 7)),
                                (f"tail -c 45 {path} | hexdump", dump(data[-45:])), (f"head -c 0 {path} | hexdump", "")):
            output, status = self.guest.run(command)
            if output != wanted or status != 0:
                return f"{command}: {output!r} instead of {wanted!r}"
        return "*\n" in dump(data[:2000])

    def tail_is_of_files_and_streams_alike(self):
        """Of a terabyte, most of it a hole, the end is there at once: to read all of it would take longer than the machine may be silent."""
        self.guest.run("truncate -s 1000G /tmp/huge; printf 'a\\nb\\n\\nc' >> /tmp/huge")
        output, status = self.guest.run("tail -c 3 /tmp/huge; echo; tail -n 2 /tmp/huge; echo; tail -n 3 /tmp/huge; rm /tmp/huge")
        if (output, status) != ("\n\nc\n\nc\nb\n\nc", 0):
            return f"{status} {output!r}"
        for text in ("", "\\n", "a", "a\\n", "a\\nb", "\\na\\n\\n"):
            self.guest.run(f"printf '{text}' > /tmp/small")
            for option in ("-n 0", "-n 1", "-n 2", "-n 3", "-n 9", "-c 0", "-c 1", "-c 2", "-c 9"):
                of_file, of_stream = (self.guest.run(command)[0] for command in (f"tail {option} /tmp/small | hexdump", f"cat /tmp/small | tail {option} | hexdump"))
                if of_file != of_stream:
                    return f"tail {option} of {text!r}: {of_file!r}, and of a stream {of_stream!r}"
        return self.guest.run("seq 1 20000 > /tmp/small; tail -n 5000 /tmp/small | head -n 1; tail -c 6 /tmp/small")[0] == "15001\n20000\n"

    # ── services ──────────────────────────────────────────────────────────────────────────────────────────────────

    def processes(self):
        return {words[-1]: words[0] for words in (line.split() for line in self.guest.run("ps")[0].splitlines()) if "run" in words[1:2]}

    def services_are_listed(self):
        result = self.guest.wait_services()
        if result is not True:
            return result
        services, processes = self.guest.services(), self.processes()
        wrong = {name: services.get(name) for name in machine.SERVICES
                 if services.get(name, ("", ""))[:2] != ("running", processes.get(name))}
        return not wrong or f"{wrong} {processes}"

    def is_there(self, name, runs):
        """A process @name is there, or is none: one that was killed may take a while to end."""
        for _ in range(machine.POLLS):
            if (name in self.processes()) == runs:
                return True
            self.guest.run("sleep 0.05")
        return False

    def services_stop_and_start(self):
        first = self.guest.services()["power"]
        steps = [("svc start power", lambda now: now == first), ("svc stop power", lambda now: now[:2] == ("stopped", "0")),
                 ("svc kill svcmgr; sleep 0.2", lambda now: now[0] == "stopped"),
                 ("svc start power", lambda now: now[0] == "running" and now[1] != first[1]),
                 ("last", None)]
        for command, good in steps[:-1]:
            output, status = self.guest.run(command)
            now = self.guest.services()["power"]
            if status != 0 or not good(now) or not self.is_there("power", now[0] == "running"):
                return f"{command}: {status} {output!r} {first} {now}"
        before = self.guest.services()["power"]
        output, status = self.guest.run("svc restart power")
        now = self.guest.services()["power"]
        return status == 0 and now[0] == "running" and now[1] != before[1] and now[2] == before[2] + 1 or f"{before} {now} {output!r}"

    def what_the_session_stands_on_is_not_stopped_from_its_prompt(self):
        """Without the file service no program can be loaded, without the console's driver nothing typed, svc to start them again not either."""
        first = self.guest.services()
        for name in ("vsh", "vfs", "devmgr", machine.CONSOLE):
            output, status = self.guest.run(f"svc stop {name}")
            if status != 1 or output != (f"svc: {name}: this session stands on it (svc restart {name} begins it anew; "
                                         f"svc stop -f {name} stops it all the same)\n"):
                return f"{name}: {status} {output!r}"
        output, status = self.guest.run("svc stop -f")
        now = self.guest.services()
        return (status, now) == (2, first) and "usage: svc" in output or f"{status} {output!r} {first} {now}"

    def what_needs_a_stopped_service_is_not_started(self):
        """It would wait for as long as nobody starts the service. One that begins anew is waited for."""
        output, status = self.guest.run("svc stop logd power; for tool in log poweroff reboot; do $tool; echo $?; done 2>&1; log | wc -c; "
                                        "svc start logd power; log | grep -c 'init starts'; svc kill logd; log | grep -c 'init starts'")
        return (output, status) == ("vsh: log: logd is stopped (svc start logd)\n126\nvsh: poweroff: power is stopped (svc start power)\n126\n"
                                    "vsh: reboot: power is stopped (svc start power)\n126\nvsh: log: logd is stopped (svc start logd)\n0\n"
                                    "1\n1\n", 0) or f"{status} {output!r}"

    def the_shell_begins_anew(self):
        first = self.guest.services()["vsh"]
        self.guest.send("svc restart vsh\n")
        self.guest.expect(r"svc restart vsh\n")
        self.guest.expect(machine.PROMPT)
        now = self.guest.services()["vsh"]
        return now[0] == "running" and now[1] != first[1] and now[2] == first[2] + 1 or f"{first} {now}"

    def drivers_are_known_while_devmgr_begins_anew(self):
        """Whatever state it is in; what is asked of them meanwhile is done."""
        first = self.guest.services()
        # What is typed while the console's driver is away may be lost, so nothing is: the line ends when it is another.
        output, status = self.guest.run(
            "svc restart vfs ext4 logd devmgr virtio-blk power > /tmp/said 2>&1; echo $? >> /tmp/said; svc status virtio-blk >> /tmp/said; "
            f"until new=$(svc status {machine.CONSOLE} | grep running) && test -n \"$new\" && "
            f"! echo \"$new\" | grep -q ' {first[machine.CONSOLE][1]} '; do sleep 0.05; done; cat /tmp/said; rm /tmp/said")
        lines = output.splitlines()
        if len(lines) != 3 or lines[0] != "0" or lines[2].split()[0] != "virtio-blk":
            return f"{status} {output!r}"
        result, now = self.guest.wait_services(), self.guest.services()
        same = [name for name in machine.SERVICES if name != "vsh" and now[name][1] == first[name][1]]
        return result is True and not same or f"{result} {same} {first} {now}"

    def programs_have_what_their_manifest_names_by_whatever_path(self):
        """And a file that is none of the boot archive's has not, whatever it is called and on whatever path."""
        self.guest.run("cp /boot/ps /tmp/ps; ln -s /boot/ps /tmp/link; ln -s ../boot/ps /tmp/other; ln -s ps /tmp/mem")
        sees = {command: len(self.guest.run(command)[0].splitlines()) > 4
                for command in ("ps", "/boot/ps", "/boot/./ps", "/boot//ps", "(cd /boot; ./ps)", "/tmp/../boot/ps", "/tmp/link", "/tmp/other")}
        blind = {command: len(self.guest.run(command)[0].splitlines()) <= 1
                 for command in ("/tmp/ps", "/boot/../tmp/ps", "/boot/../tmp/mem", "(cd /boot; ../tmp/ps)")}
        self.guest.run("rm /tmp/ps /tmp/link /tmp/other /tmp/mem")
        return all(sees.values()) and all(blind.values()) or f"{sees} {blind}"

    def jobs_do_not_take_the_console(self):
        """What they print to is the console, but they read no keys: more of them than it has places for try to."""
        before = self.guest.services()["vsh"]
        reader = "vsh -c 'cat <&1 & cat <&1 & cat <&1 & wait' 2> /dev/null"
        # Whichever of the streams that they were given they try, programs and the shell's own commands.
        for one in ("cat <&1", "vsh -c 'cat <&2' 2>&1", "while read x <&1; do true; done", "cat <&2", "{ cat <&1; } 1>&2"):
            output, status = self.guest.run(f"{one} & echo; wait")
            typed = self.guest.run("echo hello | wc -c")
            if typed != ("6\n", 0):
                return f"{one}: {output!r} {typed}"
        started, _ = self.guest.run(f"i=0; while test $i -lt 24; do i=$(($i + 1)); {reader} & done; sleep 1; echo")
        jobs = re.findall(r"\[(\d+)\]", started)
        output, status = self.guest.run("echo one two | wc -w")
        now = self.guest.services()["vsh"]
        self.guest.run(f"kill {' '.join(jobs)}; wait")
        return len(jobs) == 24 and (output, status) == ("2\n", 0) and now == before or f"{started!r} {status} {output!r} {before} {now}"

    def jobs_says_what_runs(self):
        """How it was written."""
        listed, _ = self.guest.run("sleep 77 | cat & jobs; kill $!; wait")
        helped, status = self.guest.run("help")
        if status or "\njobs\n" not in helped.replace(" \n", "\n") or "cd [DIRECTORY | -]\n" not in helped or "/boot\n" not in helped:
            return helped
        return re.search(r"^\[\d+\] running: sleep 77 \| cat$", listed, re.M) and "done" not in listed or f"{listed!r}"

    def what_has_ended_is_told_once_with_its_status(self):
        """By jobs, or else by the prompt, in the same words. What a copy of the shell prints somewhere else is not told here."""
        begin, over = self.guest.seen, "while case $(jobs) in *running*) ;; *) false;; esac; do sleep 0.05; done; "
        output, status = self.guest.run(f"false 'a b' & a=$!; sleep 77 & b=$!; kill $b; {over}jobs | wc -l; jobs; echo; jobs; wait $a; echo $?; kill $b")
        self.guest.run("true")
        told = self.guest.text[begin:]
        if status != 1 or not re.search(r"^2\n\[\d+\] done, status 1: false 'a b'\n\[\d+\] done, status 130: sleep 77\n\n127\nvsh: kill: \d+: no such job\n$", output, re.M):
            return f"{status} {output!r}"
        if len(re.findall(r"^\[\d+\] done", told, re.M)) != 2:
            return f"told again: {told!r}"
        begin = self.guest.seen
        output, _ = self.guest.run(f"false 'c d' & {over}jobs | wc -l")
        self.guest.run("true")
        told = self.guest.text[begin:]
        return (output.splitlines()[-1:] == ["1"] and "done" not in output and len(re.findall(r"^\[\d+\] done, status 1: false 'c d'$", told, re.M)) == 1
                or f"{output!r} {told!r}")

    def jobs_takes_no_status_from_who_waits(self):
        """Scripts wait for it; and so may a job, for what it has started itself."""
        script = "n=$!; while case $(jobs) in *running:\\ false*) ;; *) false;; esac; do sleep 0.05; done; jobs; jobs; wait $n; echo $?; jobs"
        wanted = r"(\[\d+\] done, status 1: false 'a b'\n){2}1\n"
        output, status = self.guest.run(f"vsh -c \"false 'a b' & {script.replace('$', chr(92) + '$')}\"")
        if status or not re.fullmatch(wanted, output):
            return f"script: {status} {output!r}"
        output, _ = self.guest.run(f"{{ false 'a b' & {script}; }} > /tmp/said & wait; cat /tmp/said; rm /tmp/said")
        said = "".join(line for line in output.splitlines(True) if "running" not in line and not re.fullmatch(r"\[\d+\]\n", line))
        return bool(re.fullmatch(wanted, said)) or f"job: {output!r}"

    def who_is_killed_was_interrupted(self):
        """However early it was: some of them have not begun yet."""
        output, status = self.guest.run("n=; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 77 & kill $!; n=\"$n $!\"; { true; sleep 77; } & kill $!; n=\"$n $!\"; done "
                                        "> /tmp/said 2>&1; for i in $n; do wait $i; echo @$?; done; grep vsh: /tmp/said; rm /tmp/said")
        return (output.split(), status) == (["@130"] * 20, 0) or f"{status} {output!r}"

    def the_last_job_is_ones_own(self):
        """What a job starts meanwhile is that job's."""
        output, status = self.guest.run("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do { false & false & false & wait; true; } & k=$!; wait $k; echo @$?; done "
                                        "2>/dev/null")
        return (output.split(), status) == (["@0"] * 20, 0) or f"{status} {output!r}"

    def one_of_many_has_what_all_wait_for(self):
        """The parts of a pipeline are one shell: whoever comes first has the job's status, the others find no job."""
        before = self.guest.services()["vsh"]
        part = "{ wait $n; echo $? >> /tmp/said; }"
        output, status = self.guest.run(f"for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1 & n=$!; {part} | {part} | {part} | {part}; done > /dev/null 2>&1; "
                                        "sort /tmp/said; rm /tmp/said")
        now = self.guest.services()["vsh"]
        return (output.split(), status, now) == (["0"] * 10 + ["127"] * 30, 0, before) or f"{status} {output!r} {before} {now}"

    def mem_tells_what_is_used(self):
        """A shell that waits uses nothing; one that computes does, and writes less than it reads."""
        def used(name):
            output, status = self.guest.run(f"mem -a {name}")
            return {words[0]: int(words[1]) for words in map(str.split, output.splitlines()[1:])} if status == 0 else output

        def shells():
            return {words[0] for words in map(str.split, self.guest.run("ps")[0].splitlines()) if len(words) > 2 and words[-1] == "vsh"}

        def begin(command, is_so):
            """Starts it in the background: what is said of it once @is_so, or at last. On a busy machine it begins late, and computes little."""
            before, told = shells(), ""
            jobs.extend(re.findall(r"\[(\d+)\]", self.guest.run(f"vsh -c '{command}' & echo")[0]))
            for _ in range(60):
                new = shells() - before
                told = used(new.pop()) if len(new) == 1 else f"shells: {new}"
                if isinstance(told, dict) and is_so(told):
                    break
            return told

        jobs = []
        waits = begin("sleep 1000", lambda told: told["accessed"] == 0)
        computes = begin("while true; do :; done", lambda told: told["accessed"] > 0)
        self.guest.run(f"kill {' '.join(jobs)}; wait")
        good = isinstance(waits, dict) and isinstance(computes, dict) and (
            waits["present"] > 0 and waits["accessed"] == waits["written"] == 0
            and 0 < computes["written"] < computes["accessed"] <= computes["present"])
        return good or f"{jobs} {waits!r} {computes!r}"

    # ── capabilities ──────────────────────────────────────────────────────────────────────────────────────────────

    def capabilities(self):
        """Process -> node -> (type, object, rights, origin node, origin process). The nodes that are copies: self.copies."""
        found, holder = {}, None
        self.copies = set()
        for line in self.guest.run("caps -a")[0].splitlines():
            head = re.fullmatch(r"(\S+) \((\d+)\)", line)
            words = line.split()
            if head:
                holder = found[head.group(2)] = {}
            elif words and words[0].isdigit():
                origin = re.search(r"  (a copy of )?#(\d+) of (?:\S+ \((\d+)\)|nobody any more)$", line)
                if not origin and words[5:] != ["the", "object"]:
                    raise ValueError(line)
                holder[words[0]] = (words[1], words[2], words[3], origin.group(2) if origin else "", origin.group(3) if origin else None)
                if origin and origin.group(1):
                    self.copies.add(words[0])
        return found

    def capabilities_have_an_origin(self):
        """Each that was made from another names it: one of the same object, with no fewer rights, which its holder has."""
        found = self.capabilities()
        origins = [(origin, giver) for nodes in found.values() for _, _, _, origin, giver in nodes.values() if origin]
        # An origin may have gone while the list was made: what is wrong is so in the next list too.
        wrong = self.without_origin(found)
        if wrong:
            again = self.without_origin(self.capabilities())
            wrong = {about: what for about, what in wrong.items() if again.get(about) == what}
        ghosts = sum(giver is None for _, giver in origins)
        return not wrong and len(origins) > 20 and ghosts > 0 or f"{list(wrong.items())[:5]}, {len(origins)} derived, {ghosts} from nobody"

    def without_origin(self, found):
        """(Process, node) -> what it is and what it says to be made from, where that is not so."""
        wrong = {}
        for holder, nodes in found.items():
            for node, (kind, target, rights, origin, giver) in nodes.items():
                parent = found.get(giver, {}).get(origin) if giver else (kind, target, rights)
                if not parent or parent[:2] != (kind, target) or any(r != "-" and p == "-" for r, p in zip(rights, parent[2])):
                    wrong[holder, node] = (kind, target, rights, origin, giver, parent)
        return wrong

    def copies_are_told_from_what_they_stand_beside(self):
        """One capability of an object, at most, came with it, and each that was made from another is younger than that."""
        found = self.capabilities()
        firsts, wrong = {}, []
        for holder, nodes in found.items():
            for node, (kind, target, _, origin, _) in nodes.items():
                if not origin:
                    firsts.setdefault((kind, target), []).append((holder, node))
                elif int(origin) >= int(node):
                    wrong.append((holder, node, kind, origin))
        wrong += [those for those in firsts.values() if len(those) > 1]
        return not wrong and len(self.copies) > 20 or f"{wrong[:5]}, {len(self.copies)} copies"

    def capabilities_are_those_of_the_manifest(self):
        """power has its endpoint, to receive, from the service manager, and can spend nothing but what it began with."""
        processes, found = self.processes(), self.capabilities()
        nodes = found[processes["power"]].values()
        served = [node for node in nodes if node[0] == "ENDPOINT" and "R" in node[2]]
        types = {node[0] for node in nodes}
        return len(served) == 1 and served[0][4] == processes["svcmgr"] and not types & {"INTERRUPT", "DMASPACE", "CHANNEL"} or f"{nodes}"

    # ── the end ───────────────────────────────────────────────────────────────────────────────────────────────────

    def reboot_begins_anew(self):
        self.guest.run("keep=kept; echo kept > /tmp/kept")
        self.guest.send("reboot\n")
        self.guest.expect(r"reboot\n")
        self.guest.expect(machine.PROMPT)
        output, _ = self.guest.run("echo \"<$keep>\"; cat /tmp/kept 2>&1")
        boots = self.guest.log_text().count("init starts")
        return output == "<>\ncat: /tmp/kept: not found\n" and boots == 2 or f"{output!r}, {boots} boots"

    def poweroff_tells_the_status(self):
        self.guest.send("poweroff 7\n")
        status = self.guest.wait_end()
        return status == 7 or f"{status}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--disk", required=True)
    parser.add_argument("--tree", required=True)
    options = parser.parse_args()
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="veridian-prompt-") as folder:
        # As the launcher starts it for a person.
        with Machine(f"{folder}/log", disk=options.disk, reboots=True) as guest:
            tap.run("the prompt to be tested appears", lambda: guest.expect(machine.PROMPT) and None)
            prompt = Prompt(guest, host_files(options.tree))
            for test in (prompt.lines_are_edited, prompt.history_is_shown_and_changed, prompt.words_are_completed,
                         prompt.control_c_drops_the_line, prompt.control_c_ends_what_runs, prompt.control_c_ends_a_pattern_whose_directory_does_not_answer,
                         prompt.who_calls_itself_for_ever_comes_back_to_the_prompt, prompt.a_directory_that_is_gone_can_be_left,
                         prompt.typed_lines_are_a_programs_input,
                         prompt.commands_go_on_in_the_next_line, prompt.what_is_no_utf8_harms_nobody, prompt.control_d_ends_the_shell,
                         prompt.scripts_have_arguments_and_a_status, prompt.scripts_are_commands, prompt.what_a_job_writes_is_in_its_file_at_once,
                         prompt.nonsense_is_refused,
                         prompt.hexdump_shows_bytes, prompt.tail_is_of_files_and_streams_alike, prompt.services_are_listed, prompt.services_stop_and_start,
                         prompt.what_the_session_stands_on_is_not_stopped_from_its_prompt, prompt.what_needs_a_stopped_service_is_not_started, prompt.the_shell_begins_anew, prompt.drivers_are_known_while_devmgr_begins_anew,
                         prompt.programs_have_what_their_manifest_names_by_whatever_path, prompt.jobs_do_not_take_the_console, prompt.jobs_says_what_runs,
                         prompt.what_has_ended_is_told_once_with_its_status, prompt.jobs_takes_no_status_from_who_waits, prompt.who_is_killed_was_interrupted, prompt.the_last_job_is_ones_own,
                         prompt.one_of_many_has_what_all_wait_for, prompt.mem_tells_what_is_used,
                         prompt.capabilities_have_an_origin, prompt.copies_are_told_from_what_they_stand_beside, prompt.capabilities_are_those_of_the_manifest, prompt.reboot_begins_anew,
                         prompt.poweroff_tells_the_status):
                tap.run(test.__name__.replace("_", " "), test)
            tap.run("the kernel complained of nothing", guest.is_clean)
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())

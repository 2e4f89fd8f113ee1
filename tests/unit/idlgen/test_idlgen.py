#!/usr/bin/env python3
"""Tests of tools/idlgen: what it refuses, that its output is stable, compiles everywhere and works. Prints TAP."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
IDLGEN = os.path.join(ROOT, "tools", "idlgen")
TYPES = "abi/types.idl"
ABI = [TYPES, "abi/syscalls.idl"]
SERVICES = ["idl/" + name for name in sorted(os.listdir(os.path.join(ROOT, "idl"))) if name.endswith(".idl")]
LOOPBACK = "tests/unit/idlgen/idl/loopback.idl"
CALLS = "tests/unit/idlgen/abi/calls.idl"

COMPILERS = [name for name in ("clang-19", "gcc") if shutil.which(name)]
WARNINGS = """-std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Werror -Wshadow -Wconversion -Wsign-conversion -Wundef -Wvla
    -Wcast-align -Wstrict-prototypes -Wmissing-prototypes -Wimplicit-fallthrough -Wformat=2""".split()
CLANG = ["-Wthread-safety", "-Wthread-safety-beta", "-Wmissing-variable-declarations", "-Wcomma", "-Wassign-enum"]
STATUS_BUILDS = [[], ["-DSTATUS_OPAQUE"]]
SANITIZE = ["-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
OS_SOURCES = ["lib/os/ipc.c", "lib/os/server.c", "lib/os/grant.c", "lib/os/async.c"]


def idlgen(out, files):
    command = [sys.executable, IDLGEN, "-o", out] + files
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def files_below(folder):
    return sorted(
        os.path.relpath(os.path.join(parent, name), folder) for parent, _, names in os.walk(folder) for name in names
    )


def contents(folder):
    out = {}
    for name in files_below(folder):
        with open(os.path.join(folder, name), "rb") as file:
            out[name] = file.read()
    return out


class Case(unittest.TestCase):
    def setUp(self):
        self.out = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.out)

    def generate(self, files):
        result = idlgen(self.out, files)
        self.assertEqual(result.returncode, 0, result.stderr)

    def run_tool(self, command):
        result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, f"{' '.join(command)}\n{result.stdout}{result.stderr}")
        return result.stdout

    def flags(self, compiler, status_build):
        return [compiler] + WARNINGS + (CLANG if compiler.startswith("clang") else []) + status_build


class Output(Case):
    def test_output_is_deterministic(self):
        self.generate(ABI + SERVICES)
        first = contents(self.out)
        other = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, other)
        environment = dict(os.environ, PYTHONHASHSEED="77", LC_ALL="C", TZ="Asia/Tokyo")
        command = [sys.executable, IDLGEN, "-o", other] + list(reversed(ABI + SERVICES))
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        self.assertEqual(first, contents(other))

    def test_output_is_left_alone_if_unchanged(self):
        self.generate(ABI)
        for name in files_below(self.out):
            os.utime(os.path.join(self.out, name), (1, 1))
        with open(os.path.join(self.out, "kernel/handlers.h"), "a", encoding="utf-8") as file:
            file.write("changed")
        os.utime(os.path.join(self.out, "kernel/handlers.h"), (1, 1))
        self.generate(ABI)
        touched = [n for n in files_below(self.out) if os.stat(os.path.join(self.out, n)).st_mtime != 1]
        self.assertEqual(touched, ["kernel/handlers.h"])

    def test_output_names_no_machine_path(self):
        self.generate(ABI + SERVICES)
        for name, data in contents(self.out).items():
            self.assertNotIn(ROOT.encode(), data, name)

    def test_output_mentions_every_call_everywhere(self):
        self.generate([TYPES, CALLS, LOOPBACK])
        files = {name: data.decode() for name, data in contents(self.out).items()}
        for method in ("nop", "widths", "lookup", "bytes", "structs", "mode"):
            self.assertIn(f"SYS_PROBE_{method.upper()} ", files["include/veridian/syscall_numbers.h"])
            self.assertIn(f"sys_probe_{method}(", files["include/veridian/syscalls.h"])
            self.assertIn(f"sys_probe_{method}(", files["kernel/handlers.h"])
            self.assertIn(f"sys_probe_{method}(", files["kernel/dispatch.c"])
            for name in ("include/fuzz/syscalls.h", "src/trace.c"):
                self.assertIn(f'"probe.{method}"', files[name])
            self.assertIn(f"### probe.{method}\n", files["docs/calls.md"])
        for method in ("add", "echo", "later"):
            self.assertIn(f"loopback_{method}(", files["include/idl/loopback.h"])
            self.assertIn(f"### loopback.{method}\n", files["docs/loopback.md"])
            for name in ("include/fuzz/requests.h", "src/trace.c"):
                self.assertIn(f'"loopback.{method}"', files[name])
        self.assertIn("#define SYS_PROBE_NOP 192\n", files["include/veridian/syscall_numbers.h"])
        self.assertIn("#define LABEL_LOOPBACK_ECHO UINT32_C(2305)\n", files["include/idl/loopback.h"])
        self.assertIn("SYS_PROBE_MESSAGE 197", files["include/veridian/syscall_numbers.h"])
        self.assertNotIn("probe_message", files["include/veridian/syscalls.h"])
        self.assertIn("status_t raw_probe_message(struct thread *self);", files["kernel/handlers.h"])


class Compilation(Case):
    def includes(self, machine=platform.machine()):
        return [f"-I{self.out}/include", f"-I{self.out}/kernel", "-Ilib/os/include", f"-Ilib/os/arch/{machine}/include"]

    def compile_all(self, sources, flags):
        for compiler in COMPILERS:
            for build in STATUS_BUILDS:
                for source in sources:
                    self.run_tool(self.flags(compiler, build) + self.includes() + flags + [source])

    def test_headers_compile_alone(self):
        self.generate(ABI + SERVICES + [LOOPBACK])
        sources = []
        for name in files_below(self.out):
            if name.endswith(".h"):
                source = os.path.join(self.out, f"alone{len(sources)}.c")
                short = name.removeprefix("include/").removeprefix("kernel/")
                with open(source, "w", encoding="utf-8") as file:
                    # Twice: once is enough for a header.
                    file.write(f"#include <{short}>\n#include <{short}>\n")
                sources.append(source)
        self.assertGreater(len(sources), 6)
        # A table in a header is used by those who include it, not here.
        self.compile_all(sources, ["-fsyntax-only", "-Wno-unused-variable", "-Wno-unused-const-variable"])

    def test_service_stubs_compile(self):
        self.generate(ABI + SERVICES + [LOOPBACK])
        sources = [os.path.join(self.out, name) for name in files_below(self.out) if name.startswith("src/")]
        self.assertTrue(sources)
        self.compile_all(sources + OS_SOURCES, ["-O2", "-c", "-o", os.devnull])

    def test_system_calls_compile_for_each_architecture(self):
        self.generate(ABI)
        source = os.path.join(self.out, "calls.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write(
                """#include <veridian/syscalls.h>
                status_t all(struct ipc_regs *regs, handle_t *made, uint64_t *bits);
                status_t all(struct ipc_regs *regs, handle_t *made, uint64_t *bits)
                {
                    struct event event;
                    status_ignore(ipc_raw_call(regs));
                    status_ignore(ipc_raw_receive(regs));
                    status_ignore(ipc_raw_reply(regs));
                    status_ignore(sys_system_nop());
                    status_ignore(sys_queue_wait(*made, 5, &event));
                    status_ignore(sys_aspace_map(*made, *made, 1, 2, 3, MAP_READ, event.cookie, bits));
                    status_ignore(sys_memory_create(*made, 1, 2, made));
                    return ipc_raw_reply_receive(regs);
                }"""
            )
        for machine in os.listdir(os.path.join(ROOT, "lib/os/arch")):
            for build in STATUS_BUILDS:
                for level in ("-O0", "-O2", "-O2 -fno-omit-frame-pointer", "-O2 -fPIE"):
                    flags = [f"--target={machine}-unknown-none-elf", "-ffreestanding", *level.split()]
                    self.run_tool(self.flags("clang-19", build) + self.includes(machine) + flags + ["-c", source, "-o", os.devnull])

    def test_status_builds_catch_mixups(self):
        self.generate(ABI)
        source = os.path.join(self.out, "mixed.c")
        mixups = ["int f(void); int f(void) { return STATUS_OK; }", "_Bool f(status_t s); _Bool f(status_t s) { return s == -1; }"]
        for text in mixups:
            with open(source, "w", encoding="utf-8") as file:
                file.write("#include <veridian/abi.h>\n" + text + "\n")
            command = self.flags("clang-19", ["-DSTATUS_OPAQUE"]) + self.includes() + ["-fsyntax-only", source]
            self.assertNotEqual(subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode, 0, text)

    def test_ignored_status_is_an_error(self):
        self.generate(ABI)
        source = os.path.join(self.out, "ignored.c")
        with open(source, "w", encoding="utf-8") as file:
            file.write("#include <veridian/syscalls.h>\nvoid f(void); void f(void) { sys_system_nop(); }\n")
        for compiler in COMPILERS:
            command = self.flags(compiler, []) + self.includes() + ["-c", source, "-o", os.devnull]
            self.assertNotEqual(subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode, 0)


class Behaviour(Case):
    def build_and_run(self, sources, includes):
        for compiler in COMPILERS:
            for build in STATUS_BUILDS:
                program = os.path.join(self.out, "program")
                self.run_tool(
                    self.flags(compiler, build) + SANITIZE + includes + sources + ["-o", program, "-lpthread", "-Wl,--wrap=pthread_create"]
                )
                said = self.run_tool(["timeout", "120", program])
                self.assertNotIn("not ok", said)
                self.assertIn("1..", said)

    def test_loopback_of_generated_client_and_server(self):
        self.generate(ABI + [LOOPBACK])
        folder = "tests/unit/idlgen/loopback"
        sources = OS_SOURCES + [f"{folder}/transport.c", f"{folder}/loopback_test.c", f"{self.out}/src/loopback.c", f"{self.out}/src/trace.c"]
        includes = ["-Itests/unit/idlgen", f"-I{folder}", f"-I{self.out}/include", "-Ilib/os/include"]
        self.build_and_run(sources, includes)

    def test_dispatch_of_generated_system_calls(self):
        self.generate([TYPES, CALLS])
        folder = "tests/unit/idlgen/kernel"
        sources = [f"{folder}/dispatch_test.c", f"{self.out}/kernel/dispatch.c"]
        includes = ["-Itests/unit/idlgen", f"-I{folder}", f"-I{self.out}/include", f"-I{self.out}/kernel"]
        self.build_and_run(sources, includes)


class Refusal(Case):
    """Each fault is refused with a message that names file, line and reason."""

    def refuse(self, text, reason, folder="abi", line=1):
        path = os.path.join(self.out, folder, "fault.idl")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        result = idlgen(os.path.join(self.out, "gen"), [TYPES, path])
        self.assertEqual(result.returncode, 1, text)
        self.assertIn(reason, result.stderr)
        self.assertIn(f"fault.idl:{line}:" if line else "fault.idl:", result.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.out, "gen")), "nothing is written")

    def test_syntax(self):
        self.refuse("\n\nobjet x = 1 {}", "expected const", line=3)
        self.refuse("const A: u32 = ;", "expected a number")
        self.refuse("const A: u32 = 1", "expected ';'")
        self.refuse("struct s { a: u32; ", "expected a name")
        self.refuse("const A: u32 = 1; §", "unexpected character")
        self.refuse("object x = 50 { call a(b: u33); }", "unknown parameter type")
        self.refuse("enum e: u32 { A = 1 B = 2 }", "expected ','")

    def test_values(self):
        self.refuse("const A: u8 = 256;", "does not fit")
        self.refuse("const A: u32 = -1;", "does not fit")
        self.refuse("const A: float = 1;", "unknown integer type")
        self.refuse("enum e: u32 { A = 1, B = 1 }", "has the value of A")
        self.refuse("flags f: u32 { A = 32 }", "outside u32")
        self.refuse("const PAGE_SIZE: u32 = 1;", "defined already", line=0)
        self.refuse("struct event { a: u32; }", "defined already", line=0)

    def test_layouts(self):
        self.refuse("struct s { a: u32; b: u64; }", "4 bytes of padding")
        self.refuse("struct s { a: u64; b: u32; }", "4 bytes at its end")
        self.refuse("struct s { a: u8; e: event; }", "padding")
        self.refuse("struct s { }", "empty")
        self.refuse("struct s { t: s; }", "contains itself")
        self.refuse("struct s { t: unknown; }", "unknown type")
        self.refuse("struct s { a: u8[0]; }", "at least 1")
        self.refuse("struct s { a: u8[MISSING]; }", "unknown constant")
        self.refuse("struct s { int: u8; }", "word of C")
        self.refuse("struct s { a: u8; a: u8; }", "there twice")

    def test_calls(self):
        args = ", ".join(f"a{i}: u64" for i in range(9))
        self.refuse(f"object x = 50 {{ call a({args}); }}", "9 argument registers of 8")
        data = ", ".join(f"a{i}: in bytes" for i in range(5))
        self.refuse(f"object x = 50 {{ call a({data}); }}", "10 argument registers of 8")
        results = ", ".join(f"a{i}: u64" for i in range(5))
        self.refuse(f"object x = 50 {{ call a() -> ({results}); }}", "more than 4 results")
        self.refuse("object x = 50 { call a(m: cap nothing[read]); }", "unknown object type")
        self.refuse("object x = 50 { call a(m: cap memory[fly]); }", "unknown right")
        self.refuse("object x = 50 { call a() errors OK; }", "unknown error")
        self.refuse("object x = 50 { call a() errors TIRED; }", "unknown error")
        self.refuse("object x = 50 { call a(s: in nothing); }", "unknown structure")
        self.refuse("object x = 50 { call a(s: out ipc_buffer); }", "more than 1024 bytes")
        self.refuse("object x = 50 { call a(s: in thread_regs, t: in thread_regs, u: in thread_regs, v: in thread_regs); }", "need more than")
        self.refuse("object x = 50 { call a(b: u64, b: u64); }", "taken")
        self.refuse("object x = 50 { call a(b: u64) -> (b: u64); }", "taken")
        self.refuse("object x = 50 { call a(b: in bytes, b_bytes: u64); }", "taken")
        self.refuse("object x = 50 { call a(self: u64); }", "taken")
        self.refuse("object x = 50 { call a(long: u64); }", "taken")
        self.refuse("object x = 50 { call a(b: string[5]); }", "cannot stand here")
        self.refuse("object x = 50 { call a() -> (b: out bytes); }", "cannot stand here")
        self.refuse("object x = 50 { call a(f: u32 of nothing); }", "unknown enum or flags")
        self.refuse("object x = 50 { call a(); call a(); }", "there twice")
        self.refuse("object x = 50 { call a() pending; }", "are for protocols")
        self.refuse("object x = 50 {} object y = 50 {}", "has the number of x")
        self.refuse("object x = 50 {" + "call a();" * 65 + "}", "more than 64 methods")

    def test_protocols(self):
        def protocol(body, reason):
            self.refuse(f"protocol fault = 99 {{ {body} }}", reason, folder="idl")

        protocol(f"call a({', '.join(f'a{i}: u64' for i in range(7))});", "7 words of 6")
        protocol(f"call a({', '.join(f'a{i}: cap memory[read]' for i in range(5))});", "5 capabilities of 4")
        protocol(f"call a({', '.join(f'a{i}: in buffer' for i in range(3))});", "3 granted buffers of 2")
        protocol("call a(s: string[3064]);", "bytes of data")
        protocol("call a(s: string[1600], t: bytes[1500]);", "bytes of data")
        protocol("call a() -> (s: in buffer);", "cannot stand here")
        protocol("call a(s: in bytes);", "cannot stand here")
        protocol("call a(h: handle);", "cannot stand here")
        protocol("raw a;", "raw calls are for objects")
        protocol("quick call a();", "quick calls are for objects")
        protocol("hot call a();", "hot calls are for objects")
        self.refuse("object fault = 99 { quick call a(b: in bytes); }", "never waits")
        protocol("call a(b_: u32);", "taken")
        self.refuse("protocol other = 99 { }", "named like the file", folder="idl", line=0)
        self.refuse("protocol fault = 99 { }", "belong into idl", folder="abi")


class Tap(unittest.TestResult):
    """TAP as the tests end."""

    count = 0

    def report(self, test, fault=""):
        self.count += 1
        print(f"{'not ' if fault else ''}ok {self.count} - {test.id().split('.')[-1]}", flush=True)
        for line in fault.splitlines():
            print(f"# {line}")

    def addSuccess(self, test):
        super().addSuccess(test)
        self.report(test)

    def addError(self, test, err):
        super().addError(test, err)
        self.report(test, self.errors[-1][1])

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.report(test, self.failures[-1][1])


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
    outcome = Tap()
    suite.run(outcome)
    print(f"1..{outcome.count}")
    sys.exit(0 if outcome.wasSuccessful() else 1)

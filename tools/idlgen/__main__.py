"""idlgen: everything that follows from the interface files.

    python3 tools/idlgen -o OUTDIR abi/types.idl abi/syscalls.idl idl/*.idl

Files of a folder named `abi` describe the kernel's interface, all others one service protocol each. The
output depends on nothing but the files' contents and the names given, and a file whose contents would
not change is not touched. Grammar: docs/idl.md.
"""

import argparse
import sys

sys.dont_write_bytecode = True

import checks  # noqa: E402
import emit_abi  # noqa: E402
import emit_kernel  # noqa: E402
import emit_manual  # noqa: E402
import emit_server  # noqa: E402
import emit_syscalls  # noqa: E402
import emit_tables  # noqa: E402
import emit_trace  # noqa: E402
from model import IdlError, Model  # noqa: E402
from output import remove_others, write_if_changed  # noqa: E402
from parser import parse_file  # noqa: E402

EMITTERS = (emit_abi, emit_syscalls, emit_kernel, emit_tables, emit_trace, emit_server, emit_manual)


def generate(paths):
    """{output path: text} for the interface files @paths."""
    model = Model([parse_file(path, path) for path in sorted(paths)])
    checks.complete(model)
    files = {}
    for emitter in EMITTERS:
        files.update(emitter.emit(model))
    return files


def main():
    arguments = argparse.ArgumentParser(prog="idlgen", description="generate code from interface files")
    arguments.add_argument("-o", required=True, metavar="OUTDIR", help="folder of the generated files")
    arguments.add_argument("files", nargs="+", metavar="FILE", help="interface files")
    options = arguments.parse_args()
    try:
        files = generate(options.files)
    except (IdlError, OSError) as error:
        print(f"idlgen: {error}", file=sys.stderr)
        return 1
    for path, text in sorted(files.items()):
        write_if_changed(options.o, path, text)
    remove_others(options.o, set(files))
    return 0


if __name__ == "__main__":
    sys.exit(main())

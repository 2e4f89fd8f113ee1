#!/usr/bin/env python3
"""Which tree a test run was of: one digest of all that a test can see, and of what this run was asked to test otherwise.

Logs carry it (tools/test-runner), so that what one tree has shown is not taken for what another does (tools/parity). It does not ask git, which
may refuse a tree of somebody else's. What is left out: what a run makes, README.md, which holds the table of the results, and the list of its
rows: a table that is written after a run is of that run.
"""
import hashlib
import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILES = ("Makefile", ".clang-format", ".clang-tidy")    # of those above the folders
LEFT_OUT = "tests/parity.toml"
# What make gives a run when it was told to (mk/check.mk).
SETTINGS = ("BUILDS", "TEST_BUILD", "TEST_SMP", "TEST_MEM")


def _files(root):
    """The paths below @root that count, in order."""
    made = os.environ.get("BUILD_ROOT", "")
    made = made if os.path.isdir(made) else os.devnull
    found = [name for name in FILES if os.path.exists(os.path.join(root, name))]
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__")) and not (folder == root and name.startswith("build"))
                      and not os.path.samefile(os.path.join(folder, name), made)]
        if folder != root:
            found += [os.path.relpath(os.path.join(folder, name), root) for name in files if not name.endswith(".pyc")]
    return sorted(set(found) - {LEFT_OUT})


def digest(root=ROOT):
    """Of the files below @root and the settings."""
    total = hashlib.sha256(repr([(name, os.environ.get(name)) for name in SETTINGS]).encode())
    for path in _files(root):
        whole = os.path.join(root, path)
        try:
            with open(whole, "rb") as source:
                contents = source.read()
        except FileNotFoundError:
            continue    # somebody's, and gone meanwhile
        total.update(f"{path}\0{os.access(whole, os.X_OK)}\0".encode() + hashlib.sha256(contents).digest())
    return total.hexdigest()[:16]


if __name__ == "__main__":
    print(digest())

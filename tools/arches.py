"""What the tools on the host know of each architecture: mk/arch-<name>.toml, which is all that they ask.

A key that is not told here, or one without a default that is missing, is an error. Paths of firmware are of Debian's packages.
"""
import dataclasses
import glob
import os
import tomllib

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "mk")


@dataclasses.dataclass(frozen=True)
class Arch:
    """One architecture, on the machine that QEMU gives it."""
    column: int                     # its place in tables
    title: str                      # and what stands above it there
    emulator: list                  # QEMU's program and what it is always given; chardev `log` is the channel of the log
    efi: str                        # what the firmware looks for in \\EFI\\BOOT (UEFI 2.10, 3.5.1.1)
    console: str                    # the driver of the console's serial port
    words: str = ""                 # what the kernel must be told of the machine
    kernel: str = ""                # what is booted directly, of the kernel's folder, if not what was given
    firmware_end: str = ""          # where firmware starts the kernel even in a direct boot, what the kernel ends its words with
    firmware: tuple = ()            # code and the template of its variables
    firmware_words: tuple = ()      # what the machine must be given with a firmware
    secure_firmware: tuple = ()     # code and variables with Secure Boot
    secure_words: tuple = ()        # what the machine must be given for that
    uboot: str = ""                 # instead of firmware: U-Boot, with a UEFI of its own
    debugged: tuple = ()            # what the machine must be given under gdb
    bench: str = ""                 # and where instructions are counted
    messages: bool = True           # PCI devices interrupt by messages
    variants: tuple = ()            # other machines that take drivers another way, each with name, qemu, words and messages


def _read(path):
    with open(path, "rb") as source:
        return Arch(**tomllib.load(source))


_all = {os.path.basename(path)[len("arch-"):-len(".toml")]: _read(path) for path in glob.glob(os.path.join(FOLDER, "arch-*.toml"))}
# In the order of columns.
ARCHS = dict(sorted(_all.items(), key=lambda item: item[1].column))

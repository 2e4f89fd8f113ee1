"""How the tools on the host tell disks apart, by their first bytes."""

HEAD_BYTES = 8192    # what one must have read
# The kernel's documentation of ext4, "The Super Block": s_magic.
EXT4_MAGIC, EXT4_MAGIC_AT = b"\x53\xef", 1024 + 0x38
# UEFI 2.10, 5.3.2: the header is in the second block.
GPT_SIGNATURE, BLOCKS = b"EFI PART", (512, 4096)


def head_of(path):
    """The first bytes of a disk."""
    with open(path, "rb") as disk:
        return disk.read(HEAD_BYTES)


def has_ext4(head):
    return head[EXT4_MAGIC_AT:EXT4_MAGIC_AT + 2] == EXT4_MAGIC


def has_gpt(head):
    return any(head.startswith(GPT_SIGNATURE, block) for block in BLOCKS)

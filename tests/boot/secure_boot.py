"""Keys for Secure Boot, and a firmware's variables that hold them.

The variables are written as EDK2 keeps them (its MdeModulePkg/Include/Guid/VariableFormat.h, authenticated format): a firmware volume whose
header the template has, then the store's header, then one record a variable. Lists of certificates: UEFI 2.10, section 32.4.1.
"""
import os
import struct
import subprocess
import uuid

GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
IMAGE_SECURITY = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
SECURE_BOOT_ENABLE = uuid.UUID("f0a30bc7-af08-4556-99c4-001009c93a44")
CERT_X509 = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
OWNER = uuid.UUID("5e6a1c1e-6f2d-4d53-9c1b-0f5d7a1e2b3c")
AUTHENTICATED_STORE = uuid.UUID("aaf32c78-947b-439a-a180-2e144ec37792")
NON_VOLATILE, BOOT, RUNTIME, TIME_BASED = 0x01, 0x02, 0x04, 0x20
KEY_ATTRIBUTES = NON_VOLATILE | BOOT | RUNTIME | TIME_BASED
VARIABLE_START, VARIABLE_ADDED = 0x55AA, 0x3F


def make_key(folder, name):
    """A new key and its certificate: @folder/@name.key, .crt (PEM) and .der."""
    path = os.path.join(folder, name)
    subprocess.run(["openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "3650", "-subj",
                    f"/CN=VeridianOS test {name}/", "-keyout", path + ".key", "-out", path + ".crt"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run(["openssl", "x509", "-in", path + ".crt", "-outform", "DER", "-out", path + ".der"], check=True)
    return path


def sign(image, key, out):
    done = subprocess.run(["sbsign", "--key", key + ".key", "--cert", key + ".crt", "--output", out, image], check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stdout)


def signature_list(key):
    with open(key + ".der", "rb") as source:
        certificate = source.read()
    entry = OWNER.bytes_le + certificate
    return CERT_X509.bytes_le + struct.pack("<III", 28 + len(entry), 0, len(entry)) + entry


def variable(name, vendor, attributes, data):
    text = name.encode("utf-16-le") + b"\0\0"
    record = struct.pack("<HBBIQ16sIII", VARIABLE_START, VARIABLE_ADDED, 0, attributes, 0, bytes(16), 0, len(text), len(data))
    record += vendor.bytes_le + text + data
    return record + b"\xff" * (-len(record) % 4)


def enrol(template, keys, out):
    """Writes @out: the variables of @template replaced by @keys ("PK", "KEK", "db" to paths), with Secure Boot on."""
    with open(template, "rb") as source:
        volume = bytearray(source.read())
    store, = struct.unpack_from("<H", volume, 48)          # the volume header's length
    size, = struct.unpack_from("<I", volume, store + 16)
    if volume[store:store + 16] != AUTHENTICATED_STORE.bytes_le:
        raise RuntimeError(f"{template}: no store of authenticated variables")
    records = b"".join([
        variable("PK", GLOBAL, KEY_ATTRIBUTES, signature_list(keys["PK"])),
        variable("KEK", GLOBAL, KEY_ATTRIBUTES, signature_list(keys["KEK"])),
        variable("db", IMAGE_SECURITY, KEY_ATTRIBUTES, signature_list(keys["db"])),
        variable("SecureBootEnable", SECURE_BOOT_ENABLE, NON_VOLATILE | BOOT, b"\x01"),
    ])
    first = store + 28
    volume[first:store + size] = records.ljust(size - 28, b"\xff")
    with open(out, "wb") as target:
        target.write(volume)


def sections(image):
    """name -> (offset, size) of the sections of the PE file."""
    pe, = struct.unpack_from("<I", image, 0x3C)
    count, optional = struct.unpack_from("<2xH12xH", image, pe + 4)
    found = {}
    for i in range(count):
        name, _, _, size, offset = struct.unpack_from("<8sIIII", image, pe + 24 + optional + 40 * i)
        found[name.rstrip(b"\0").decode()] = (offset, size)
    return found

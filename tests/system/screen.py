"""A machine's display, read exactly: the pixels of a dump, turned back into text by the glyphs of the font.

The font is read from the pinned package's own file, not from the table that the driver was built with. Different characters may have one
glyph (Latin A, Greek Alpha), so texts are compared as they look: Font.plain() gives each glyph one character, and Screen.shows() asks
for the very pixels, colours included.
"""
import json
import socket
import struct
import unicodedata
import zlib

WIDTH, HEIGHT = 8, 16
FG, BG = (0xC8, 0xC8, 0xC8), (0, 0, 0)


class Monitor:
    """QEMU's machine protocol."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile("rw", encoding="utf-8")
        self.lines.readline()
        self.run("qmp_capabilities")

    def run(self, command, **arguments):
        self.lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.lines.flush()
        while True:
            answer = json.loads(self.lines.readline())
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")


class Picture:
    """A binary portable pixmap with 8 bits a colour, which is what a dump is."""

    def __init__(self, path):
        with open(path, "rb") as source:
            data = source.read()
        magic, width, height, most, _ = data.split(maxsplit=4)
        if magic != b"P6" or most != b"255":
            raise ValueError(f"{path}: no pixmap")
        self.width, self.height = int(width), int(height)
        self.pixels = data[len(data) - 3 * self.width * self.height:]

    def row(self, x, y, width):
        """The bytes of @width pixels."""
        start = 3 * (y * self.width + x)
        return self.pixels[start:start + 3 * width]

    def write_png(self, path):
        """For people to look at (PNG, W3C Recommendation, 2nd edition)."""
        rows = b"".join(b"\0" + self.row(0, y, self.width) for y in range(self.height))
        header = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
        with open(path, "wb") as out:
            out.write(b"\x89PNG\r\n\x1a\n")
            for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
                out.write(struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)))


class Font:
    """Unifont's file of glyphs: `CODE:BITS`, 16 rows of 8 or 16 pixels."""

    def __init__(self, path):
        self.glyphs, self.names = {}, {}
        self.seen = {}  # pixels of a cell -> the character: most cells look like one that was looked at before
        with open(path, encoding="ascii") as lines:
            for line in lines:
                code, _, bits = line.strip().partition(":")
                size = len(bits) // HEIGHT
                glyph = tuple(int(bits[size * i:size * (i + 1)], 16) for i in range(HEIGHT))
                self.glyphs[chr(int(code, 16))] = (4 * size, glyph)
                if size == 2:
                    self.names.setdefault(glyph, chr(int(code, 16)))

    def plain(self, text):
        """@text with one character for each glyph."""
        return "".join(self.names.get(self.glyphs[character][1], character) for character in text)


def columns_of(character):
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Screen:
    def __init__(self, picture, font):
        self.picture, self.font = picture, font
        self.columns, self.rows = picture.width // WIDTH, picture.height // HEIGHT

    def _rows(self, row, column, columns):
        return [self.picture.row(column * WIDTH, row * HEIGHT + y, columns * WIDTH) for y in range(HEIGHT)]

    def character(self, row, column):
        """What a cell shows, whatever its colours; "?" if no glyph of one column looks so."""
        cell = b"".join(self._rows(row, column, 1))
        if cell not in self.font.seen:
            self.font.seen[cell] = self._recognise(cell)
        return self.font.seen[cell]

    def _recognise(self, cell):
        pixels = [tuple(cell[at:at + 3]) for at in range(0, len(cell), 3)]
        colours = sorted(set(pixels), key=lambda colour: (colour != BG, colour))
        if len(colours) == 1:
            return " "
        if len(colours) > 2:
            return "?"
        for ground in colours:
            glyph = tuple(sum((pixels[WIDTH * y + x] != ground) << (7 - x) for x in range(WIDTH)) for y in range(HEIGHT))
            if glyph in self.font.names:
                return self.font.names[glyph]
        return "?"

    def line(self, row):
        return "".join(self.character(row, column) for column in range(self.columns)).rstrip()

    def lines(self):
        """The rows as text, without empty ones at the end."""
        blank = bytes(BG) * self.picture.width
        texts = ["" if all(self.picture.row(0, row * HEIGHT + y, self.picture.width) == blank for y in range(HEIGHT))
                 else self.line(row) for row in range(self.rows)]
        while texts and not texts[-1]:
            texts.pop()
        return texts

    def shows(self, row, column, text, fg=FG, bg=BG):
        """True if every pixel is as @text's glyphs in these colours make it, from that place on. Combining marks lie over their letter."""
        for cluster in clusters(text):
            columns = columns_of(cluster[0])
            width, glyph = self.font.glyphs[cluster[0]]
            if width != columns * WIDTH:
                raise ValueError(f"{cluster!r} is not drawn on {columns} columns")
            bits = list(glyph)
            for mark in cluster[1:]:
                bits = [line | over for line, over in zip(bits, self.font.glyphs[mark][1])]
            wanted = [b"".join(bytes(fg if line >> (width - 1 - x) & 1 else bg) for x in range(width)) for line in bits]
            if self._rows(row, column, columns) != wanted:
                return False
            column += columns
        return True


def clusters(text):
    """Letters with their combining marks."""
    out = []
    for character in text:
        if out and unicodedata.combining(character):
            out[-1] += character
        else:
            out.append(character)
    return out

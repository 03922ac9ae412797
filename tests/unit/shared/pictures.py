"""Pictures of every kind for tests, and files that pretend to be some."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from PIL import Image


def a_jpeg(width: int = 64, height: int = 48, *, colour: str = "teal") -> bytes:
    """A picture of one colour."""
    return _written("JPEG", width, height, colour)


def a_png(width: int = 64, height: int = 48, *, colour: str = "teal") -> bytes:
    """A picture of one colour."""
    return _written("PNG", width, height, colour)


def a_noisy_jpeg(width: int = 320, height: int = 240) -> bytes:
    """A picture with something to see all over, some kilobytes long or more."""
    written = io.BytesIO()
    Image.effect_noise((width, height), 80).save(written, "JPEG")
    return written.getvalue()


def a_multi_picture() -> bytes:
    """A JPEG as telephones take them: a further picture, such as that of the brightness, behind the first."""
    written = io.BytesIO()
    first, second = Image.new("RGB", (64, 48), "teal"), Image.new("L", (32, 24), 128)
    first.save(written, "MPO", save_all=True, append_images=[second])
    return written.getvalue()


def a_png_bomb(side: int = 8_000) -> bytes:
    """A few kilobytes of PNG that unfold to more points than anybody needs."""
    row = b"\0" + bytes(side // 8)
    folded = zlib.compress(row * side, 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", folded) + _chunk(b"IEND", b"")


def an_archive() -> bytes:
    """A ZIP file with a web page in it."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr("index.html", "<script>alert(1)</script>")
    return written.getvalue()


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _written(format: str, width: int, height: int, colour: str) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(written, format)
    return written.getvalue()

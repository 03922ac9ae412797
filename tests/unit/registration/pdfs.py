"""PDFs of every kind for tests."""

from __future__ import annotations

import io
import zlib

from pypdf import PdfWriter


def a_pdf(pages: int = 1, *, password: str | None = None) -> bytes:
    """A PDF of empty pages."""
    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(width=595, height=842)
    if password is not None:
        writer.encrypt(password, algorithm="RC4-128")
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def a_bomb(megabytes: int = 300) -> bytes:
    """A small PDF whose table of contents unfolds to many megabytes."""
    deflate = zlib.compressobj(9)
    zeros = bytes(1 << 20)
    folded = b"".join(deflate.compress(zeros) for _ in range(megabytes)) + deflate.flush()
    head = b"%PDF-1.5\n"
    stream = (
        b"1 0 obj\n<< /Type /XRef /Size 3 /W [1 2 1] /Root 2 0 R /Filter /FlateDecode /Length "
        + str(len(folded)).encode()
        + b" >>\nstream\n"
        + folded
        + b"\nendstream\nendobj\n"
    )
    return head + stream + b"startxref\n" + str(len(head)).encode() + b"\n%%EOF\n"


def a_loop() -> bytes:
    """A PDF whose pages contain themselves."""
    objects = [
        b"1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n",
        b"2 0 obj\n<< /Type /Pages /Count 1 /Kids [2 0 R 2 0 R] /Parent 2 0 R >>\nendobj\n",
    ]
    body, offsets = b"%PDF-1.4\n", []
    for one in objects:
        offsets.append(len(body))
        body += one
    table = b"xref\n0 3\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % at for at in offsets)
    trailer = b"trailer\n<< /Size 3 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(body)
    return body + table + trailer

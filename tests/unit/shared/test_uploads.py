"""Files people send: what is taken, what is not and why, and under which names it is kept."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable

import pytest

from shared.uploads.apart import look_into
from shared.uploads.keeping import safe_name, to_be_saved
from shared.uploads.looking import Asked, MediaType, NotTaken, look
from tests.unit.registration.pdfs import a_pdf
from tests.unit.shared.pictures import (
    a_jpeg,
    a_multi_picture,
    a_noisy_jpeg,
    a_png,
    a_png_bomb,
    an_archive,
)

A_CV = Asked(what="a CV", types=[MediaType.PDF], max_pages=100)
EVIDENCE = Asked(what="a file of evidence", types=list(MediaType), max_pages=50, one_thing_only=True)


async def in_pieces(content: bytes, size: int = 1 << 16) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize(
    ("content", "media_type", "pages"),
    [
        (a_pdf(3), MediaType.PDF, 3),
        (a_pdf(1) + b"\r\n\0\0", MediaType.PDF, 1),
        (a_jpeg(), MediaType.JPEG, 1),
        (a_multi_picture(), MediaType.JPEG, 1),
        (a_png(), MediaType.PNG, 1),
    ],
    ids=["pdf", "pdf with blanks behind its end", "jpeg", "jpeg of a telephone", "png"],
)
async def test_what_a_file_is_comes_from_its_content_however_it_arrives(
    content: bytes, media_type: MediaType, pages: int
) -> None:
    found = await look_into(in_pieces(content, 3), EVIDENCE)
    assert (found.media_type, found.pages) == (media_type, pages)


NOT_TAKEN: list[tuple[str, Callable[[], bytes], str]] = [
    ("nothing", bytes, "body is empty"),
    ("a web page", lambda: b"<html><script>alert(1)</script>", "neither PDF, JPEG nor PNG, whatever its"),
    ("a GIF", lambda: b"GIF89a" + bytes(64), "neither PDF, JPEG nor PNG"),
    ("an archive", an_archive, "neither PDF, JPEG nor PNG"),
    ("a program", lambda: b"MZ\x90\x00" + bytes(64), "neither PDF, JPEG nor PNG"),
    ("the beginning of a JPEG and noise", lambda: b"\xff\xd8\xff\xe0" + bytes(range(256)) * 8, "begins like"),
    ("the beginning of a PNG alone", lambda: a_png()[:30], "breaks off"),
    ("half a JPEG", lambda: a_noisy_jpeg()[: len(a_noisy_jpeg()) // 2], "cannot be opened to its end"),
    ("half a PNG", lambda: a_png(400, 400)[:-40], "breaks off"),
    ("a PNG with a wrong byte", lambda: a_png().replace(b"IDAT\x78", b"IDAT\x79"), "cannot be opened"),
    ("half a PDF", lambda: a_pdf(9)[:-60], "breaks off"),
    ("a PDF before a web page", lambda: a_pdf() + b"<html></html>", "something else behind its end"),
    ("a PDF that is an archive", lambda: a_pdf() + an_archive(), "an archive (ZIP) too"),
    ("a JPEG that is an archive", lambda: a_jpeg() + an_archive(), "an archive (ZIP) too"),
    ("a PNG that is an archive", lambda: a_png() + an_archive(), "an archive (ZIP) too"),
    ("a JPEG that is a web page", lambda: a_jpeg() + b"<script>alert(1)</script>", "something else"),
    ("a JPEG that is a PDF", lambda: a_jpeg() + a_pdf(), "something else"),
    ("a JPEG that is a program", lambda: a_jpeg() + b"<?php system($_GET['c']); ?>", "something else"),
    ("a PNG with more behind its end", lambda: a_png() + b"more", "behind its end"),
    ("a PDF with a password", lambda: a_pdf(password="secret"), "protected by a password"),
    ("a PDF of too many pages", lambda: a_pdf(51), "51 pages; a file of evidence may have 50"),
    ("a PDF without pages", lambda: a_pdf(0), "has no pages"),
    ("a PNG that unfolds without end", a_png_bomb, "8,000 × 8,000 points"),
]


@pytest.mark.parametrize(
    ("content", "said"), [row[1:] for row in NOT_TAKEN], ids=[row[0] for row in NOT_TAKEN]
)
def test_what_is_not_taken_says_why_and_what_to_do(content: Callable[[], bytes], said: str) -> None:
    with pytest.raises(NotTaken, match=re.escape(said)):
        look(content(), EVIDENCE)


async def test_what_the_child_finds_wrong_is_said_as_it_finds_it() -> None:
    with pytest.raises(NotTaken, match="breaks off before its end"):
        await look_into(in_pieces(a_pdf(9)[:-60]), EVIDENCE)


async def test_what_needs_too_much_memory_costs_the_child_its_life_and_nobody_else_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.uploads.apart._MEMORY_MB", 160)
    with pytest.raises(NotTaken, match="time and memory"):
        await look_into(in_pieces(a_jpeg(7000, 7000)), EVIDENCE)


async def test_of_what_begins_wrongly_no_more_than_the_beginning_is_read() -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"<html>  "
        raise AssertionError("read on")

    with pytest.raises(NotTaken, match="neither"):
        await look_into(endless(), EVIDENCE)


def test_pages_are_counted() -> None:
    assert look(a_pdf(100), A_CV).pages == 100
    with pytest.raises(NotTaken, match="101 pages; a CV may have 100"):
        look(a_pdf(101), A_CV)


def test_a_file_of_another_kind_than_asked_for_is_not_taken() -> None:
    with pytest.raises(NotTaken, match="not a PDF, whatever its name says"):
        look(a_png(), A_CV)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("cv.pdf", "cv.pdf"),
        ("CV.PDF", "CV.pdf"),
        ("cv", "cv.pdf"),
        ("", "cv.pdf"),
        (".pdf", "cv.pdf"),
        ("../../etc/passwd", "passwd.pdf"),
        ("C:\\Users\\office\\our cv.pdf", "our cv.pdf"),
        ('a"b;c\r\nSet-Cookie: x.pdf', "a_b;cSet-Cookie_ x.pdf"),
        ("cv.pdf.exe", "cv.pdf.exe.pdf"),
        ("gpj.\u202efdp.exe", "gpj.fdp.exe.pdf"),
        ("履歴書.pdf", "履歴書.pdf"),
        ("x" * 200, "x" * 100 + ".pdf"),
    ],
)
def test_a_name_is_one_any_system_can_store(given: str, kept: str) -> None:
    assert safe_name(given, "pdf", otherwise="cv") == kept


def test_a_name_has_the_ending_of_what_the_file_is() -> None:
    assert safe_name("ticket.JPEG", "jpg", otherwise="file", also=["jpeg"]) == "ticket.jpg"
    assert safe_name("ticket.png", "jpg", otherwise="file", also=["jpeg"]) == "ticket.png.jpg"


def test_a_browser_is_told_to_save_what_a_stranger_sent() -> None:
    said = to_be_saved("Beleg „Zug“.pdf", otherwise="evidence.pdf")
    assert said["Content-Disposition"] == (
        "attachment; filename=\"evidence.pdf\"; filename*=UTF-8''Beleg%20%E2%80%9EZug%E2%80%9C.pdf"
    )
    assert said["X-Content-Type-Options"] == "nosniff"

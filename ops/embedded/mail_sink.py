"""A mail server that keeps every mail and delivers none, with the part of Mailpit's API that we use.

`python -m ops.embedded.mail_sink --smtp-port 1025 --http-port 8025 --directory var/mail`
"""

from __future__ import annotations

import argparse
import asyncio
import html
import json
import os
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import getaddresses
from pathlib import Path
from typing import Any

import uuid_utils
import uvicorn
import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

_MAX_MAIL_BYTES = 10 * 1024 * 1024
_CHUNK = re.compile(r"(\d{1,9})( +LAST)?", re.ASCII | re.IGNORECASE)
_PLAIN_ADDRESS = re.compile(r"<([\w.+-]{1,64}@[\w.-]+)>(.*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class KeptMail:
    """Where one mail lies in the file, and what its SMTP envelope said."""

    id: str
    received: str
    sender: str
    recipients: tuple[str, ...]
    offset: int
    size: int


class MailFile:
    """Mails one after the other in one file: a line of JSON, the mail's bytes, a line end.

    Written at once and never changed, so what was accepted is there after a crash of this process; a mail
    cut off at the end (its sender got no confirmation) is dropped when the file is opened again.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._writing = threading.Lock()
        self.mails: dict[str, KeptMail] = {}
        self._end = 0
        self._find_again()

    def append(self, sender: str, recipients: Sequence[str], content: bytes) -> None:
        """Keep a mail; returns once the operating system has it."""
        mail_id = uuid_utils.uuid7().hex
        received = datetime.now(UTC).isoformat()
        head = json.dumps([mail_id, received, sender, list(recipients), len(content)]).encode() + b"\n"
        with self._writing:
            os.pwrite(self._file, head + content + b"\n", self._end)
            offset = self._end + len(head)
            self.mails[mail_id] = KeptMail(mail_id, received, sender, tuple(recipients), offset, len(content))
            self._end = offset + len(content) + 1

    def raw(self, mail: KeptMail) -> bytes:
        return os.pread(self._file, mail.size, mail.offset)

    def parsed(self, mail: KeptMail) -> EmailMessage:
        return BytesParser(policy=policy.default).parsebytes(self.raw(mail))

    def newest_first(self) -> list[KeptMail]:
        return list(self.mails.values())[::-1]

    def clear(self) -> None:
        with self._writing:
            os.ftruncate(self._file, 0)
            self.mails.clear()
            self._end = 0

    def _find_again(self) -> None:
        size = os.fstat(self._file).st_size
        with os.fdopen(os.dup(self._file), "rb") as file:
            file.seek(0)
            while (head := file.readline()).endswith(b"\n"):
                mail_id, received, sender, recipients, length = json.loads(head)
                offset = file.tell()
                if offset + length + 1 > size:
                    break
                self.mails[mail_id] = KeptMail(mail_id, received, sender, tuple(recipients), offset, length)
                self._end = offset + length + 1
                file.seek(self._end)
        os.ftruncate(self._file, self._end)


class Reception:
    """What aiosmtpd calls for each mail: keep the bytes, look at nothing."""

    def __init__(self, mails: MailFile) -> None:
        self._mails = mails

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self._mails.append(envelope.mail_from or "", envelope.rcpt_tos, content)
        return "250 Kept"

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [responses[0], "250-PIPELINING", "250-CHUNKING", *responses[1:]]


class SinkSMTP(SMTP):
    """Takes commands sent together (RFC 2920) and mails by their length (RFC 3030), for a third of what a
    mail costs the library.

    Most of that went into reading the data line by line, and parsing addresses as those of headers.
    """

    line_length_limit = _MAX_MAIL_BYTES

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._held_back = b""

    async def push(self, status: str | bytes) -> None:
        """Answer; a plain yes waits a turn of the loop, to go with the answers to what came with it."""
        answer = status.encode() if isinstance(status, str) else status
        if not self._held_back and answer == b"250 OK":
            self.loop.call_soon(self._flush)
        self._held_back += answer + b"\r\n"
        if answer != b"250 OK":
            self._flush()

    def _flush(self) -> None:
        held_back, self._held_back = self._held_back, b""
        if held_back and self.transport is not None:
            self._writer.write(held_back)

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        plain = _PLAIN_ADDRESS.fullmatch(arg)
        return (plain[1], plain[2]) if plain else super()._getaddr(arg)

    async def smtp_DATA(self, arg: str) -> None:
        """Read up to the line with nothing but a dot, undo the doubling of leading dots (RFC 5321)."""
        envelope = self.envelope
        assert envelope is not None
        if not envelope.rcpt_tos or envelope.original_content is not None:
            await self.push("503 Error: need RCPT command, and no BDAT")
            return
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        data = bytearray()
        try:
            while data != b".\r\n" and not data.endswith(b"\r\n.\r\n"):
                data += await self._reader.readuntil(b".\r\n")
        except asyncio.LimitOverrunError:
            await self.push("552 Error: Too much mail data")
            assert self.transport is not None
            self.transport.close()
            return
        content = (b"\r\n" + data).replace(b"\r\n..", b"\r\n.")
        envelope.content = envelope.original_content = bytes(content[2:-3])
        await self._hand_on()

    async def smtp_BDAT(self, arg: str) -> None:
        """Read as many bytes as are announced (RFC 3030); with the last of them the mail is there."""
        envelope = self.envelope
        assert envelope is not None
        chunk = _CHUNK.fullmatch(arg or "")
        if chunk is None or int(chunk[1]) + len(envelope.original_content or b"") > _MAX_MAIL_BYTES:
            # What follows is no command, and how much of it there is, is not known or too much.
            await self.push("552 Error: Too much mail data" if chunk else "501 Syntax: BDAT <size> [LAST]")
            assert self.transport is not None
            self.transport.close()
            return
        content = await self._reader.readexactly(int(chunk[1]))
        if not envelope.rcpt_tos:
            await self.push("503 Error: need RCPT command")
            return
        envelope.content = envelope.original_content = (envelope.original_content or b"") + content
        if chunk[2]:
            await self._hand_on()
        else:
            await self.push("250 OK")

    async def _hand_on(self) -> None:
        """The mail is complete."""
        status = await self._call_handler_hook("DATA")
        ready_for_the_next: Callable[[], None] = self._set_post_data_state
        ready_for_the_next()
        await self.push(status)


def web_app(mails: MailFile) -> Starlette:
    """Mailpit's API over the kept mails, and a plain page to read them."""

    def found(request: Request) -> KeptMail:
        mail = mails.mails.get(request.path_params["id"])
        if mail is None:
            raise HTTPException(404, "There is no such mail.")
        return mail

    def listed(request: Request, chosen: list[KeptMail]) -> Response:
        start, limit = _number(request, "start", 0), _number(request, "limit", 50)
        page = [_summary(mail, mails.parsed(mail)) for mail in chosen[start : start + limit]]
        return JSONResponse(
            {
                "total": len(mails.mails),
                "unread": len(mails.mails),
                "count": len(page),
                "messages_count": len(chosen),
                "start": start,
                "tags": [],
                "messages": page,
            }
        )

    def messages(request: Request) -> Response:
        return listed(request, mails.newest_first())

    def search(request: Request) -> Response:
        wanted = [term.partition(":") for term in request.query_params.get("query", "").lower().split()]
        if any(key not in ("to", "from") or not value for key, _, value in wanted):
            raise HTTPException(400, "Only to:ADDRESS and from:ADDRESS can be searched for here.")

        def fits(mail: KeptMail) -> bool:
            said = {"to": " ".join(mail.recipients).lower(), "from": mail.sender.lower()}
            return all(value.strip('"') in said[key] for key, _, value in wanted)

        return listed(request, [mail for mail in mails.newest_first() if fits(mail)])

    def message(request: Request) -> Response:
        mail = found(request)
        parsed = mails.parsed(mail)
        text, markup = _bodies(parsed)
        return JSONResponse(
            {
                **_summary(mail, parsed),
                "Date": mail.received,
                "Text": text,
                "HTML": markup,
                "Inline": [],
                "Attachments": [],
            }
        )

    def raw(request: Request) -> Response:
        return PlainTextResponse(mails.raw(found(request)))

    def delete(request: Request) -> Response:
        mails.clear()
        return PlainTextResponse("ok")

    def page(request: Request) -> Response:
        start = _number(request, "start", 0)
        return HTMLResponse(_list_page(mails, start), headers=_NO_SCRIPTS)

    def view(request: Request) -> Response:
        mail = found(request)
        return HTMLResponse(_mail_page(mail, mails.parsed(mail)), headers=_NO_SCRIPTS)

    def ready(request: Request) -> Response:
        return PlainTextResponse("ok")

    return Starlette(
        routes=[
            Route("/", page),
            Route("/view/{id}", view),
            Route("/readyz", ready),
            Route("/api/v1/messages", messages, methods=["GET"]),
            Route("/api/v1/messages", delete, methods=["DELETE"]),
            Route("/api/v1/search", search),
            Route("/api/v1/message/{id}", message),
            Route("/api/v1/message/{id}/raw", raw),
        ]
    )


def _number(request: Request, name: str, default: int) -> int:
    given = request.query_params.get(name, str(default))
    if not given.isdecimal():
        raise HTTPException(400, f"{name} is a whole number from 0 on.")
    return int(given)


def _summary(mail: KeptMail, parsed: EmailMessage) -> dict[str, Any]:
    text, _ = _bodies(parsed)
    return {
        "ID": mail.id,
        "MessageID": str(parsed["Message-ID"] or "").strip("<>"),
        "Read": False,
        "From": next(iter(_addresses(parsed, "From")), {"Name": "", "Address": mail.sender}),
        "To": _addresses(parsed, "To"),
        "Cc": _addresses(parsed, "Cc"),
        "Bcc": [],
        "ReplyTo": _addresses(parsed, "Reply-To"),
        "Subject": str(parsed["Subject"] or ""),
        "Created": mail.received,
        "Tags": [],
        "Size": mail.size,
        "Snippet": " ".join(text.split())[:200],
    }


def _addresses(parsed: EmailMessage, header: str) -> list[dict[str, str]]:
    values = [str(value) for value in parsed.get_all(header, [])]
    return [{"Name": name, "Address": address} for name, address in getaddresses(values)]


def _bodies(parsed: EmailMessage) -> tuple[str, str]:
    """The mail's plain text and its HTML; an empty string where there is none."""

    def content(kind: str) -> str:
        part = parsed.get_body(preferencelist=(kind,))
        try:
            return str(part.get_content()) if part is not None else ""
        except (LookupError, KeyError):
            return "(this part's encoding is unknown)"

    return content("plain"), content("html")


_NO_SCRIPTS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'"}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}}
table{{border-collapse:collapse;width:100%}}
td,th{{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ccc}}
pre{{white-space:pre-wrap}}iframe{{width:100%;height:32rem;border:1px solid #ccc}}</style>
<h1>{title}</h1>{body}</html>"""
_ON_ONE_PAGE = 100


def _list_page(mails: MailFile, start: int) -> str:
    newest = mails.newest_first()
    rows = []
    for mail in newest[start : start + _ON_ONE_PAGE]:
        summary = _summary(mail, mails.parsed(mail))
        rows.append(
            f"<tr><td>{html.escape(mail.received[:19].replace('T', ' '))}"
            f"<td>{html.escape(', '.join(mail.recipients))}"
            f"<td><a href='/view/{mail.id}'>{html.escape(summary['Subject'] or '(no subject)')}</a>"
        )
    older = start + _ON_ONE_PAGE
    more = f"<p><a href='/?start={older}'>Older mails</a></p>" if older < len(newest) else ""
    table = "<table><tr><th>Received (UTC)<th>To<th>Subject" + "".join(rows) + "</table>"
    return _PAGE.format(title=f"{len(newest)} mails", body=table + more)


def _mail_page(mail: KeptMail, parsed: EmailMessage) -> str:
    text, markup = _bodies(parsed)
    heads = "".join(
        f"<tr><th>{name}<td>{html.escape(str(parsed[name]))}"
        for name in ("From", "To", "Cc", "Date")
        if parsed[name]
    )
    shown = (
        f"<h2>HTML</h2><iframe sandbox title='The mail as HTML' srcdoc='{html.escape(markup)}'></iframe>"
        if markup
        else ""
    )
    body = (
        f"<p><a href='/'>All mails</a> · <a href='/api/v1/message/{mail.id}/raw'>As it came</a></p>"
        f"<table>{heads}</table><pre>{html.escape(text)}</pre>{shown}"
    )
    return _PAGE.format(title=html.escape(str(parsed["Subject"] or "(no subject)")), body=body)


async def serve(smtp_port: int, http_port: int, directory: Path) -> None:
    """Run both sides on 127.0.0.1 until SIGINT or SIGTERM."""
    mails = MailFile(directory / "mails")
    reception = Reception(mails)
    loop = asyncio.get_running_loop()
    smtp = await loop.create_server(
        lambda: SinkSMTP(
            reception, hostname="localhost", data_size_limit=_MAX_MAIL_BYTES, loop=loop, ident="mail sink"
        ),
        host="127.0.0.1",
        port=smtp_port,
    )
    config = uvicorn.Config(
        web_app(mails), host="127.0.0.1", port=http_port, log_level="warning", access_log=False
    )
    try:
        await uvicorn.Server(config).serve()
    finally:
        smtp.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smtp-port", type=int, default=1025)
    parser.add_argument("--http-port", type=int, default=8025)
    parser.add_argument("--directory", type=Path, required=True, help="where the mails are kept")
    given = parser.parse_args()
    uvloop.run(serve(given.smtp_port, given.http_port, given.directory))


if __name__ == "__main__":
    main()

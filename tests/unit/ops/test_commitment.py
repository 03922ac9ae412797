"""`cxc commitment verify`: of files as they are downloaded, and of files somebody tampered with."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from ops.cli import app
from ops.commands.verify import COMMITMENT, examined
from services.matching import commitment_pdf
from services.matching.commitment_pdf import printed
from services.matching.domain.commitment_document import SignedDocument
from shared.signing import canonical
from tests.unit.matching.commitments import a_content, a_document

cli = CliRunner()


def verify(tmp_path: Path, content: bytes, *arguments: str) -> Result:
    file = tmp_path / "commitment.pdf"
    file.write_bytes(content)
    return cli.invoke(app, ["commitment", "verify", str(file), *arguments])


def test_a_signed_document_holds(tmp_path: Path) -> None:
    result = verify(tmp_path, printed(a_document()))
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("holds  The content is the one with SHA-256 ")
    assert "VO for Tagus Fibre Works (sample), by office of Tagus on 25 January 2023" in lines[1]
    assert lines[-2:] == [
        "holds  The pages show that content and those signatures, byte for byte.",
        "The commitment holds.",
    ]


def test_the_attachment_alone_can_be_verified_too(tmp_path: Path) -> None:
    assert verify(tmp_path, canonical(a_document())).exit_code == 0


def test_a_missing_signature_is_named(tmp_path: Path) -> None:
    result = verify(tmp_path, printed(a_document(signatures=3)))
    assert result.exit_code == 1
    assert (
        "FAILS  The signature of HOP, partnership of the host, Sample Fashion, is missing." in result.stdout
    )


def test_other_pages_around_a_true_attachment_are_found(tmp_path: Path) -> None:
    genuine, other = a_document(), a_document(goals="The visit is for adapting technology.")
    forged = printed(other).replace(canonical(other), canonical(genuine))
    result = verify(tmp_path, forged)
    assert result.exit_code == 1
    [failed] = [line for line in result.stdout.splitlines() if line.startswith("FAILS")]
    assert "are not what is printed from that content" in failed


def test_pages_of_another_version_are_said_to_be_that(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(commitment_pdf, "PRINTED_BY", "ClusterXchange layout 0, fpdf2 2.0.0")
    older = printed(a_document(goals="Printed a while ago."))
    monkeypatch.undo()
    commitment_pdf._printed.cache_clear()
    result = verify(tmp_path, older)
    assert result.exit_code == 1
    assert "was printed by “ClusterXchange layout 0, fpdf2 2.0.0”" in result.stdout
    assert "FAILS" in result.stdout.splitlines()[-2]


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"%PDF-1.7", b"\xff\xfe", b"%PDF-" + b"\x00" * 99])
def test_what_is_no_commitment_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    result = verify(tmp_path, content)
    assert result.exit_code == 1
    assert "no commitment" in result.stdout


def test_a_file_that_is_not_there_is_said_so() -> None:
    result = cli.invoke(app, ["commitment", "verify", "nowhere.pdf"])
    assert result.exit_code == 1
    assert "nowhere.pdf cannot be read" in result.stderr


def test_findings_for_programs(tmp_path: Path) -> None:
    answer = json.loads(verify(tmp_path, printed(a_document()), "--json").stdout)
    assert answer["holds"] is True
    assert {finding["holds"] for finding in answer["findings"]} == {True}


def test_text_of_the_file_cannot_act_on_the_terminal(tmp_path: Path) -> None:
    content = a_content()
    evil = content.model_copy(
        update={"host": content.host.model_copy(update={"organisation": "\x1b[2J\x1b[31mevil"})}
    )
    document = SignedDocument(content=evil, document_sha256=evil.sha256)
    assert "\x1b" not in verify(tmp_path, canonical(document)).output


SIGNED = printed(a_document())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_no_byte_of_the_file_can_be_changed_unseen(place: int, flip: int) -> None:
    changed = bytearray(SIGNED)
    changed[place] ^= flip
    _, found = examined(COMMITMENT, bytes(changed))
    assert not all(finding.holds for finding in found)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, len(SIGNED) - 1))
def test_no_part_of_the_file_suffices(length: int) -> None:
    _, found = examined(COMMITMENT, SIGNED[:length])
    assert not all(finding.holds for finding in found)


# ── compared with the record ─────────────────────────────────────────────────────────────────


@pytest.fixture
def record() -> Iterator[dict[str, Any]]:
    """What a matching API answers; `url` is where, `status` how."""
    answer: dict[str, Any] = {"status": 200}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer["asked"] = (self.path, self.headers["authorization"])
            raw = json.dumps(answer["body"]).encode()
            self.send_response(answer["status"])
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    answer["url"] = f"http://127.0.0.1:{server.server_address[1]}"
    yield answer
    server.shutdown()
    server.server_close()


def recorded(document: SignedDocument) -> dict[str, Any]:
    return {
        "sha256": document.content.sha256,
        "signatures": [signature.model_dump(mode="json") for signature in document.signatures],
        "void_because": document.void_because,
    }


@pytest.mark.parametrize(
    ("on_record", "holds", "said"),
    [
        (a_document(), True, "The platform's record has the same signatures."),
        (a_document(goals="Other goals."), False, "The platform's record has other content"),
        (a_document(signatures=3), False, "The platform's record has other signatures."),
        (
            a_document().model_copy(update={"void_because": "The fair was moved."}),
            False,
            "On the platform the commitment is void: The fair was moved.",
        ),
    ],
)
def test_a_document_is_compared_with_the_record(
    tmp_path: Path, record: dict[str, Any], on_record: SignedDocument, holds: bool, said: str
) -> None:
    record["body"] = recorded(on_record)
    result = verify(tmp_path, canonical(a_document()), "--api", record["url"], "--token", "t")
    assert said in result.stdout
    assert result.exit_code == (0 if holds else 1)
    assert record["asked"] == (f"/matches/{a_content().match_id}/commitment", "Bearer t")


def test_a_document_from_before_the_last_signatures_is_out_of_date(
    tmp_path: Path, record: dict[str, Any]
) -> None:
    record["body"] = recorded(a_document())
    result = verify(tmp_path, canonical(a_document(signatures=2)), "--api", record["url"], "--token", "t")
    assert "has further signatures: download the document again" in result.stdout


def test_a_record_that_cannot_be_had_is_said_so(tmp_path: Path, record: dict[str, Any]) -> None:
    record.update(status=404, body={"detail": "There is no match."})
    result = verify(tmp_path, canonical(a_document()), "--api", record["url"], "--token", "t")
    assert (result.exit_code, "There is no match." in result.stderr) == (1, True)
    result = verify(tmp_path, canonical(a_document()), "--record", "--state", str(tmp_path))
    assert "No platform runs on" in result.stderr

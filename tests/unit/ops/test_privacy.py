"""`cxc privacy` against five small servers that answer as the APIs do."""

from __future__ import annotations

import json
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ops.cli import app
from shared.messaging.topics import SERVICES

cli = CliRunner()

KIND = {"name": "matches", "what": "What <it> is.", "kept": "Until then.", "documents": [{"id": "m-1"}]}


class Answers:
    """What the servers answer, by method and path, and what they were sent."""

    def __init__(self) -> None:
        self.by_path: dict[str, tuple[int, Any]] = {}
        self.sent: list[tuple[str, str, Any]] = []
        self.urls: list[str] = []

    def holds(self, id: str, *kinds: dict[str, Any]) -> None:
        held = {"service": "any", "registration_id": id, "kinds": [KIND, *kinds]}
        self.by_path[f"GET /held/{id}"] = (200, held)


@pytest.fixture
def answers() -> Iterator[Answers]:
    answers = Answers()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = json.loads(self.rfile.read(length)) if length else None
            answers.sent.append((f"{self.command} {self.path}", self.headers["authorization"], body))
            status, content = answers.by_path.get(
                f"{self.command} {self.path}", (404, {"detail": "There is none, or none you may see."})
            )
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = _answer

        def log_message(self, *_: Any) -> None:
            pass

    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in SERVICES]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    answers.urls = [f"http://127.0.0.1:{server.server_address[1]}" for server in servers]
    yield answers
    for server in servers:
        server.shutdown()
        server.server_close()


def run(answers: Answers, *arguments: str, token: str = "a-token") -> Result:
    apis = [word for pair in zip(SERVICES, answers.urls, strict=True) for word in ("--api", "=".join(pair))]
    return cli.invoke(app, ["privacy", *arguments, *apis, "--token", token])


def test_an_export_has_every_document_the_cv_and_an_index_one_can_read(
    answers: Answers, tmp_path: Path
) -> None:
    answers.holds("r-1", {**KIND, "name": "CV"})
    answers.by_path["GET /registrations/r-1/cv"] = (200, b"%PDF-1.7")
    target = tmp_path / "held.zip"
    result = run(answers, "export", "r-1", "--output", str(target))
    assert result.exit_code == 0, result.output
    assert result.output == f"{target}: 10 documents of 5 services.\n"
    assert target.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(target) as archive:
        assert json.loads(archive.read("funding/matches.json")) == [{"id": "m-1"}]
        assert archive.read("registration/cv.pdf") == b"%PDF-1.7"
        index = archive.read("index.html").decode()
    assert "What &lt;it&gt; is." in index
    assert 'href="matching/matches.json"' in index
    assert {token for _, token, _ in answers.sent} == {"Bearer a-token"}


def test_an_export_has_the_files_of_evidence_under_their_names(answers: Answers, tmp_path: Path) -> None:
    files = [{"id": "f-1", "name": "pass.pdf"}, {"id": "f-2", "name": "deleted.png"}]
    document = {"grant_id": "grant-m-1", "files": files}
    answers.holds("r-1", {**KIND, "name": "evidence", "documents": [document]})
    answers.by_path["GET /grants/grant-m-1/evidence/f-1"] = (200, b"%PDF-1.7")
    target = tmp_path / "held.zip"
    assert run(answers, "export", "r-1", "--output", str(target)).exit_code == 0
    with zipfile.ZipFile(target) as archive:
        assert archive.read("funding/evidence-f-1-pass.pdf") == b"%PDF-1.7"
        assert not [name for name in archive.namelist() if "f-2" in name]


def test_an_export_to_a_directory_has_the_same_files(answers: Answers, tmp_path: Path) -> None:
    answers.holds("r-1")
    assert run(answers, "export", "r-1", "--output", str(tmp_path / "held")).exit_code == 0
    written = sorted(str(path.relative_to(tmp_path / "held")) for path in (tmp_path / "held").rglob("*.*"))
    assert written == sorted(["index.html", *(f"{service}/matches.json" for service in SERVICES)])


def test_nothing_is_written_over_and_nothing_of_an_unknown_registration(
    answers: Answers, tmp_path: Path
) -> None:
    (tmp_path / "held").mkdir()
    there = run(answers, "export", "r-1", "--output", str(tmp_path / "held"))
    unknown = run(answers, "export", "../r-1", "--output", str(tmp_path / "new"))
    assert (there.exit_code, unknown.exit_code) == (1, 1)
    assert "is there already" in there.output
    assert "There is no registration ../r-1, or none that this token may see." in unknown.output
    assert not (tmp_path / "new").exists()
    assert answers.sent[0][0] == "GET /held/..%2Fr-1"


def test_an_erasure_gives_its_reason_and_says_what_became_of_it(answers: Answers) -> None:
    answers.by_path["GET /registrations/r-1"] = (200, {"party": {"partnership": "hempclub", "owner": "o"}})
    answers.by_path["POST /registrations/r-1/erase"] = (200, {"id": "r-1", "state": "withdrawn"})
    result = run(answers, "erase", "r-1", "--reason", "It asked for it.")
    assert result.exit_code == 0, result.output
    assert "Registration r-1 is withdrawn and erased" in result.output
    assert answers.sent[-1] == (
        "POST /registrations/r-1/erase",
        "Bearer a-token",
        {"reason": "It asked for it."},
    )


def test_what_the_api_refuses_is_said_in_its_words(answers: Answers) -> None:
    answers.by_path["GET /registrations/r-1"] = (200, {"party": {"partnership": None, "owner": "o"}})
    answers.by_path["POST /registrations/r-1/erase"] = (409, {"detail": "It was erased before."})
    result = run(answers, "erase", "r-1", "--reason", "Again.")
    assert (result.exit_code, "It was erased before." in result.output) == (1, True)


def test_a_platform_elsewhere_is_named_whole_and_with_a_token(tmp_path: Path) -> None:
    some = cli.invoke(app, ["privacy", "export", "r-1", "--api", "funding=https://f.example"])
    every = [word for service in SERVICES for word in ("--api", f"{service}=https://{service}.example")]
    none = cli.invoke(app, ["privacy", "export", "r-1", *every], env={"CXC_TOKEN": None})
    nowhere = cli.invoke(app, ["privacy", "export", "r-1", "--state", str(tmp_path)])
    assert [result.exit_code for result in (some, none, nowhere)] == [1, 1, 1]
    assert "Name every API" in some.output
    assert "CXC_TOKEN" in none.output
    assert "No platform runs on" in nowhere.output

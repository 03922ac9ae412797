"""`cxc notifications texts check`: what is wrong with partnerships' own texts, said before they are used."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.cli import app
from shared.partnerships import SHIPPED_PARTNERSHIPS

CLI = CliRunner()
SOUND = "{% block body %}Benvenuti da {{ host }}, {{ stay }}.{% endblock %}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = tmp_path / "hempclub"
    own.mkdir()
    (own / "match_approved.it.txt.j2").write_text(SOUND)
    return tmp_path


def test_sound_texts_are_counted(folder: Path) -> None:
    result = CLI.invoke(app, ["notifications", "texts", "check", str(folder)])
    assert (result.exit_code, result.output) == (0, "1 text is sound.\n")


def test_a_broken_text_is_named_with_file_line_and_reason(folder: Path) -> None:
    (folder / "hempclub" / "match_declined.de.txt.j2").write_text(
        "{% block body %}\nNein: {{ grund }}{% endblock %}"
    )
    result = CLI.invoke(app, ["notifications", "texts", "check", str(folder)])
    assert result.exit_code == 1
    broken, count = result.output.splitlines()
    assert broken.startswith("hempclub/match_declined.de.txt.j2, line 2: there is no 'grund' in this message")
    assert "reason" in broken
    assert count == "1 to mend, 1 sound; the shipped texts stand in for the others."


def test_the_partnerships_can_be_those_of_a_file(folder: Path, tmp_path: Path) -> None:
    others = tmp_path / "partnerships.yaml"
    others.write_text(SHIPPED_PARTNERSHIPS.read_text(encoding="utf-8").replace("hempclub", "elsewhere"))
    result = CLI.invoke(app, ["notifications", "texts", "check", str(folder), "--partnerships", str(others)])
    assert result.exit_code == 1
    assert "the folder of a partnership; there are elsewhere" in result.output


def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    result = CLI.invoke(app, ["notifications", "texts", "check", str(tmp_path / "nowhere")])
    assert result.exit_code == 1
    assert "cannot be read: No such file or directory." in result.output

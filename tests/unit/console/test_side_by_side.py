"""Two organisations side by side, and what an amendment changed."""

from __future__ import annotations

from typing import Any

import pytest

from services.console.domain.side_by_side import Comparison, Piece, changed, compared, word_by_word


@pytest.mark.parametrize(
    ("left", "right", "comparison"),
    [
        ("Lisboa", "lisboa", "same"),
        ("Łódź Hub", "ŁÓDŹ HUB", "same"),
        ("Nemsova", "Nemšová", "same"),
        ("Lisbon", "Porto", "differs"),
        (None, "Porto", "right"),
        ("Porto", "", "left"),
        (["vat:PT1", "pic:2"], ["vat:PT1", "pic:2"], "same"),
        ([], ["pic:2"], "right"),
    ],
)
def test_what_two_sides_say_is_compared_as_people_read_it(
    left: Any, right: Any, comparison: Comparison
) -> None:
    [row] = compared({"city": left}, {"city": right}, ["city"])
    assert row.comparison == comparison


def test_what_neither_says_has_no_row() -> None:
    assert compared({"street": None}, {"street": ""}, ["street", "website"]) == []


def test_only_the_words_that_differ_are_marked() -> None:
    left, right = word_by_word("Tagus Fibre Works, Lda", "Tagus Fiber Works")
    assert [piece for piece in left if piece.differs] == [Piece("Fibre", True), Piece(", Lda", True)]
    assert [piece for piece in right if piece.differs] == [Piece("Fiber", True)]
    assert "".join(piece.text for piece in left) == "Tagus Fibre Works, Lda"
    assert "".join(piece.text for piece in right) == "Tagus Fiber Works"


def test_blanks_alone_are_never_marked() -> None:
    left, right = word_by_word("a b", "a  b")
    assert not any(piece.differs for piece in (*left, *right))


def test_a_change_says_where_and_what() -> None:
    row = changed("/organisation/also_registered_in", [], ["PT", "ES"])
    assert (row.name, row.comparison) == ("organisation › also registered in", "right")
    assert [piece.text for piece in row.right] == ["PT; ES"]


def test_days_and_memberships_are_read_as_sentences() -> None:
    before = [{"first_day": "2027-02-08", "last_day": "2027-03-26"}]
    after = [{"first_day": "2027-02-15", "last_day": "2027-03-26"}]
    row = changed("/availability", before, after)
    assert "".join(piece.text for piece in row.left) == "first day 2027-02-08, last day 2027-03-26"
    assert [piece.text for piece in row.left if piece.differs] == ["08"]

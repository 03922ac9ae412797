"""The form of a Commitment to Quality."""

from __future__ import annotations

from services.console.domain.commitment_form import MORE_ROWS, MOST_ROWS, agenda, content, rows


class AForm(dict[str, str]):
    def text(self, name: str, default: str = "") -> str:
        return self.get(name, default)


def a_row(number: int, title: str = "", responsible: str = "", begins: str = "") -> dict[str, str]:
    return {
        f"day-{number}": "2027-02-08",
        f"begins-{number}": begins,
        f"ends-{number}": "",
        f"title-{number}": title,
        f"responsible-{number}": responsible,
    }


def test_rows_nobody_filled_in_are_left_out_and_the_others_keep_their_order() -> None:
    form = AForm(a_row(10, "Last", "Both") | a_row(2, "First", "Host") | a_row(3))
    assert [item["title"] for item in agenda(form)] == ["First", "Last"]
    assert agenda(form)[0] == {
        "day": "2027-02-08",
        "begins": None,
        "ends": None,
        "title": "First",
        "responsible": "Host",
    }


def test_a_row_that_lacks_its_title_is_sent_to_be_refused_where_it_is() -> None:
    assert agenda(AForm(a_row(0, begins="09:30")))[0]["title"] == ""


def test_what_the_two_agree_on_is_sent_whole() -> None:
    form = AForm({"goals": "Learn", "expected_results": "A plan", "day-x": "no row", **a_row(0)})
    assert content(form) == {"goals": "Learn", "agenda": [], "expected_results": "A plan"}


def test_there_are_blank_rows_as_long_as_there_may_be_more() -> None:
    item = {"day": "2027-02-08", "begins": None, "ends": None, "title": "T", "responsible": "R"}
    assert len(rows([item])) == 1 + MORE_ROWS
    assert len(rows([item] * MOST_ROWS)) == MOST_ROWS

"""What forms offer to choose from."""

from __future__ import annotations

import pytest

from services.console import choices
from services.console.languages import LANGUAGES, language_for
from shared.contracts.vocabulary import Ecosystem, Goal, OrganisationKind


@pytest.mark.parametrize("code", LANGUAGES)
def test_all_kinds_goals_and_ecosystems_of_the_scheme_can_be_chosen(code: str) -> None:
    language = language_for(code)
    assert {value for value, _ in choices.kinds(language)} == set(OrganisationKind)
    assert {value for value, _ in choices.goals(language)} == set(Goal)
    assert {value for value, _ in choices.ecosystems(language)} == set(Ecosystem)


@pytest.mark.parametrize("code", LANGUAGES)
def test_what_has_no_name_in_a_language_is_not_offered(code: str) -> None:
    offered = choices.countries(language_for(code))
    assert ("XK", "Kosovo") in offered
    assert all(word.casefold() != country.casefold() for country, word in offered)

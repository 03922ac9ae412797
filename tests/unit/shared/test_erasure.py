"""What is told of an erased registration: every party of it blanked, its name gone from every text."""

from __future__ import annotations

from datetime import timedelta

from shared.contracts.catalogue import EVENT_MODELS
from shared.contracts.common import ERASED
from shared.contracts.examples import golden_examples
from shared.contracts.matching import Fit, FitsFound, MatchCancelled
from shared.erasure import SETTLED_AFTER, Erasure, without_data_of, without_words
from tests.builders import A_MOMENT, a_cancelled_match, a_host_party, a_party, a_stay, an_approved_match

VISITOR = a_party("v")
HOST = a_host_party("h")


def a_cancellation(reason: str) -> MatchCancelled:
    return a_cancelled_match(an_approved_match("m", visitor=VISITOR, host=HOST), reason)


def test_only_the_erased_side_is_blanked_and_its_name_in_every_text() -> None:
    told = without_data_of(
        a_cancellation(f"{VISITOR.organisation} cannot; {HOST.organisation} knows."), {"v"}
    )
    assert told.visitor == VISITOR.erased()
    assert told.host == HOST
    assert told.reason == f"{ERASED} cannot; {HOST.organisation} knows."
    assert (told.match_id, told.stay, told.was_approved) == ("m", a_stay(), True)


def test_parties_are_found_wherever_they_stand() -> None:
    fit = Fit(partner=VISITOR, score=50, reasons=[], window=a_stay())
    told = without_data_of(FitsFound(party=HOST, side="host", fits=[fit], considered=1), {"v"})
    assert told.fits[0].partner.organisation == ERASED
    assert told.party == HOST


def test_an_event_of_others_is_the_same_object() -> None:
    event = a_cancellation("")
    assert without_data_of(event, {"somebody else"}) is event
    assert without_data_of(event, ()) is event


def test_every_event_there_is_can_be_told_without_any_of_its_parties() -> None:
    for name, example in golden_examples().items():
        model = EVENT_MODELS.get(example["type"])
        if model is None:
            continue
        event = model.model_validate(example["data"])
        ids = {
            party["registration_id"]
            for party in (example["data"].get(key) for key in ("party", "visitor", "host"))
            if party
        }
        told = without_data_of(event, ids).model_dump_json()
        for key in ("party", "visitor", "host"):
            if party := example["data"].get(key):
                assert party["organisation"] == ERASED or party["organisation"] not in told, name
        model.model_validate_json(told)


def test_an_erasure_is_looked_at_twice_and_settled_when_no_transaction_can_still_live() -> None:
    erasure = Erasure.of("v", A_MOMENT)
    erasure.look_again(A_MOMENT + timedelta(seconds=2))
    assert (erasure.looked, erasure.settled) == (True, False)
    erasure.look_again(A_MOMENT + SETTLED_AFTER)
    assert erasure.settled


def test_a_name_is_blanked_where_it_stands_by_itself_and_not_inside_of_words() -> None:
    assert without_words("AB knows ABacus; AB.", ["AB"]) == f"{ERASED} knows ABacus; {ERASED}."
    assert without_words("nothing", []) == "nothing"

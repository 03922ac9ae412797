"""How alike two organisations are: symmetric, explained, and blind to how a name is written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.registration.domain.likeness import Features, features_of, likeness
from services.registration.domain.lookalikes import Lookalikes
from services.registration.domain.names import name_of, words_of
from shared.contracts.registration import Submission
from shared.contracts.vocabulary import STORED
from tests.builders import a_submission

TEXT = st.text(max_size=40) | st.lists(
    st.sampled_from(
        ["GmbH", "S.p.A.", "sp. z o.o.", "Größe", "aee", "A", "b.", "Ltd & Co", "Αthens", "O√ú", "7"]
    ),
    max_size=6,
).map(" ".join)


def features(name: str = "Tagus Fibre Works", city: str = "Lisbon", **changes: Any) -> Features:
    email = changes.pop("email", "office@gmail.com")
    organisation = {"name": name, "kind": "sme", "country": "PT", "city": city, **changes}
    participant = {"email": email, "language": "en"}
    written = a_submission(organisation=organisation, participant=participant)
    return features_of(Submission.model_validate(written, context=STORED))


def score(one: Features, other: Features) -> int:
    return likeness(one, other).score


# ── names ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "also_written"),
    [
        ("Tagus Fibre Works, Lda.", "TAGUS FIBRE WORKS"),
        ("Technische Universität Lindental", "TECHNISCHE UNIVERSITAET LINDENTAL"),
        ("Linden Stahl G.m.b.H. & Co. KG", "LINDEN STAHL GMBH & CO KG"),
        ("Linden Stahl Gesellschaft mit beschränkter Haftung", "Linden Stahl GmbH"),
        ("Wełna Łódź Sp. z o.o.", "WELNA LODZ SPÓŁKA Z OGRANICZONĄ ODPOWIEDZIALNOŚCIĄ"),
        ("Fibra S.r.l.", "FIBRA SRL"),
        ("Ylle A/S", "YLLE AS"),
        ("H W Weaving Limited", "HW Weaving Ltd"),
        ("Ελληνικά Νήματα", "ELLINIKA NIMATA"),
        ("ΑTHINA Yarns", "Athina Yarns"),  # the first letter is a Greek one
        ("√ñzel Tekstil", "Özel Tekstil"),  # UTF-8 that was taken for another encoding
        ("L'Étoffe", "LETOFFE"),
    ],
)
def test_a_name_is_the_same_however_it_is_written(written: str, also_written: str) -> None:
    assert "".join(name_of(written)) == "".join(name_of(also_written))


@pytest.mark.parametrize("name", ["AG", "S.A.", "Sp. z o.o.", "!!!", "株式会社"])
def test_a_name_that_is_nothing_but_a_legal_form_or_signs_is_left(name: str) -> None:
    assert name_of(name)


@given(TEXT)
@settings(max_examples=300)
def test_normalising_again_changes_nothing(text: str) -> None:
    assert words_of(" ".join(words_of(text))) == words_of(text)
    assert name_of(" ".join(name_of(text))) == name_of(text)


# ── the score ────────────────────────────────────────────────────────────────────────────────

ANYBODY = st.builds(
    features,
    name=TEXT.filter(str.strip),
    city=st.sampled_from(["Lisbon", "Lisboa", "Praha 1", "1000"]),
    street=st.none() | st.sampled_from(["Rua Verde 3", "R. Verde, 3", ""]),
    postcode=st.none() | st.sampled_from(["1100-001", "1100001", "n/a"]),
    country=st.sampled_from(["PT", "CZ"]),
    website=st.none() | st.sampled_from(["https://www.fibre.example/pt", "fibre.example", "http://["]),
    pic=st.none() | st.sampled_from(["900000001", "900000002"]),
)


@given(ANYBODY, ANYBODY)
@settings(max_examples=300)
def test_the_score_is_between_0_and_100_and_the_same_both_ways(one: Features, other: Features) -> None:
    found = likeness(one, other)
    assert found == likeness(other, one)
    assert 0 <= found.score <= 100


@given(ANYBODY)
def test_an_organisation_is_wholly_like_itself(one: Features) -> None:
    found = likeness(one, one)
    assert (found.score, found.differs) == (100, [])


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (features(), features("TAGUS FIBRE WORKS LDA", "Lisboa"), True),
        (features(), features("Tagus Fiber Work"), True),
        (features(), features("Works Fibre Tagus"), True),
        (features(), features("TAGUSFIBRE WORKS"), True),
        (features(), features("Tagus Fibre Works", "Porto"), True),  # it may have moved
        (features(), features("Tagus Fibre Works - TFW International Research"), True),
        (features(), features("Aveiro Salt Laboratory"), False),
        (features("University of Lisbon"), features("University of Porto", "Porto"), False),
        (features("Institute of Textile Research"), features("Institute of Energy Research"), False),
        (features("Spinning Mill 1"), features("Spinning Mill 2"), False),
        (features(email="desk@tagus.example"), features("TFW", website="www.tagus.example"), False),
        (features(vat="PT501964843"), features("Anything Else", "Porto", vat="501 964 843"), True),
    ],
)
def test_the_ones_that_may_be_the_same_score_75_and_more(one: Features, other: Features, alike: bool) -> None:
    assert (score(one, other) >= 75) is alike, likeness(one, other)


def test_everything_in_common_makes_the_score_higher() -> None:
    other = {"name": "Tagus Fibre", "city": "Lisbon"}
    scores = [
        score(features(), features(**{**other, "city": "Porto", "country": "ES"})),
        score(features(), features(**{**other, "city": "Porto"})),
        score(features(), features(**other)),
        score(features(street="Rua Verde 3"), features(**other, street="Rua Verde 3")),
        score(features(website="tagus.example"), features(**other, website="https://www.tagus.example/")),
    ]
    assert scores == sorted(scores)


def test_two_legal_persons_of_one_country_are_less_alike() -> None:
    one, other = features("Tagus Fibre", vat="PT501964843"), features("Tagus Fibre", vat="PT502011378")
    assert likeness(one, other).differs == ["The VAT numbers differ."]
    assert score(one, other) < score(features("Tagus Fibre"), other)


def test_a_mailbox_provider_is_no_domain_in_common() -> None:
    assert likeness(features(email="a@gmail.com"), features(email="b@gmail.com")).same_domain is None


def test_what_is_alike_and_what_differs_is_said_in_words() -> None:
    one = features(street="Rua Verde 3", postcode="1100-001", website="tagus.example", pic="900000001")
    other = features(
        "TAGUS FIBRE WORKS LDA",
        "Lisbon",
        country="PT",
        street="Avenida Azul 12",
        postcode="1200-002",
        email="x@tagus.example",
        vat="501964843",
        pic="900000001",
    )
    found = likeness(one, other)
    assert found.score == 100
    assert found.alike == [
        "The same PIC, 900000001.",
        "The same name but for capitals, accents, punctuation or the legal form.",
        "The same city.",
        "The same web or mail domain, tagus.example.",
    ]
    assert found.differs == ["The streets differ.", "The postcodes differ."]


# ── finding them ─────────────────────────────────────────────────────────────────────────────


def test_lookalikes_are_found_without_comparing_all_and_forgotten_when_removed() -> None:
    register = Lookalikes()
    for n in range(500):
        register.put(f"other-{n}", features(f"Company Number {n} of Examples", f"Town {n}"))
    register.put("one", features())
    register.put("two", features("TAGUS FIBRE-WORKS LDA"))
    register.put("three", features("Somebody Else"))
    assert set(register.like("one", least=75, most=10)) == {"two"}
    register.put("three", features("Tagus Fibre Works"))
    assert set(register.like("one", least=75, most=10)) == {"two", "three"}
    assert len(register.like("one", least=75, most=1)) == 1
    register.remove("two")
    register.remove("never there")
    assert set(register.like("one", least=75, most=10)) == {"three"}
    assert len(register) == 502


def test_a_domain_that_many_have_is_none_of_their_own() -> None:
    """A cluster may register its members under its own mail address."""
    register = Lookalikes()
    for n in range(20):
        register.put(
            f"member-{n}", features(f"Linen {'ABCDEFGHIJKLMNOPQRST'[n]}", email="desk@cluster.example")
        )
    assert all(not how.same_domain for how in register.like("member-0", least=0, most=50).values())
    for n in range(15):
        register.remove(f"member-{n}")
    assert all(how.same_domain for how in register.like("member-15", least=0, most=50).values())


def test_an_index_whose_members_all_left_is_empty() -> None:
    register = Lookalikes()
    register.put("one", features(street="Rua Verde 3", pic="900000001", website="a.example"))
    register.remove("one")
    assert (len(register), register._having) == (0, {})

"""How alike two organisations are by what they wrote: name, place, web and mail address, identifiers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict
from rapidfuzz import fuzz
from rapidfuzz.distance import Indel

from services.registration.domain.identifiers import identify
from services.registration.domain.names import COMMON, name_of, words_of
from services.registration.domain.registration import deciding_country
from shared.contracts.registration import Organisation, Submission

_COMMON_WEIGHT: Final = 0.3
"""What a common word of a name weighs where another weighs 1."""
_SAME_WORD: Final = 0.79
"""Two words this alike are taken for one, misspelt."""
_SAME_NAME: Final = 94
"""Of 100: from here on two names differ by a slip, whatever words it splits or joins."""
_PLACE_WEIGHT: Final = 0.25
"""How much of the score the place decides; the name decides the rest."""
_CONTAINED: Final = 0.9
"""How alike a name is to a longer one that has all its words."""
_OTHER_NUMBER: Final = 0.7
"""Names that differ by a number are those of a first and a second one."""
_OTHER_COUNTRY: Final = 0.9
_OTHER_LEGAL_PERSON: Final = 0.9
"""Two VAT numbers or EUIDs of one country are those of two legal persons."""
_ALIKE: Final = 75
"""Of 100: from here on two parts are called alike."""
_SAME_DOMAIN: Final = 0.5
"""The share of what is missing to 100 that a web or mail domain in common makes up for."""

#: Where anyone has a mailbox: such a domain says nothing of the organisation.
_MAILBOX_PROVIDERS: Final = """
aol.com centrum.cz free.fr freemail.hu gmail.com gmx.at gmx.de gmx.net googlemail.com hotmail.com
hotmail.fr hotmail.it icloud.com inbox.lv laposte.net libero.it live.com mail.com mail.bg mail.ru
orange.fr outlook.com proton.me protonmail.com sapo.pt seznam.cz t-online.de telenet.be ukr.net
virgilio.it wanadoo.fr web.de wp.pl yahoo.com yahoo.es yahoo.fr yahoo.gr yahoo.it
"""
_MAILBOXES: Final = frozenset(_MAILBOX_PROVIDERS.split())

_IDENTIFIERS: Final = {"vat": "VAT number", "euid": "EUID", "pic": "PIC"}


class Likeness(BaseModel):
    """From 0 to 100, how likely two registrations are of one organisation, and what speaks for and against.

    name, city, street: how alike they are, 0 to 100; 50 where one side does not say, None where neither
    does. same_postcode, same_domain: None unless both say.
    """

    model_config = ConfigDict(frozen=True)

    score: int
    same_identifier: bool
    name: int
    city: int | None
    street: int | None
    same_postcode: bool | None
    same_country: bool
    same_domain: bool | None
    alike: list[str] = []
    differs: list[str] = []


@dataclass(frozen=True, slots=True)
class Features:
    """An organisation in the form it is compared in; `reordered`: its words in the order of the alphabet."""

    written: str
    name: tuple[str, ...]
    joined: str
    reordered: str
    city: str
    street: str
    postcode: str
    country: str
    domains: frozenset[str]
    identifiers: frozenset[str]

    def digest(self) -> str:
        """Changes with whatever is compared."""
        parts = (self.written, self.city, self.street, self.postcode, self.country)
        text = repr((parts, sorted(self.domains), sorted(self.identifiers)))
        return blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def features_of(submission: Submission) -> Features:
    """What is compared of a registration; identifiers are the ones it gave itself."""
    organisation = submission.organisation
    name = name_of(organisation.name)
    return Features(
        written=organisation.name,
        name=name,
        joined="".join(name),
        reordered="".join(sorted(name)),
        city=" ".join(word for word in words_of(organisation.city) if not word.isdigit()),
        street=" ".join(sorted(words_of(organisation.street or ""))),
        postcode="".join(words_of(organisation.postcode or "")),
        country=deciding_country(submission),
        domains=frozenset(_domains(organisation, submission.participant.email)),
        identifiers=frozenset(identify(organisation).keys),
    )


def likeness(one: Features, other: Features) -> Likeness:
    """How alike the two are, whichever comes first; 100 for equal ones, and for a shared identifier."""
    # One order, so that sums of fractions come out alike too.
    a, b = sorted((one, other), key=lambda features: (features.joined, features.street, features.written))
    name = _name(a, b)
    city = _part(a.city, b.city, fuzz.token_set_ratio)
    street = _part(a.street, b.street, fuzz.ratio)
    same_postcode = a.postcode == b.postcode if a.postcode and b.postcode else None
    same_domain = bool(a.domains & b.domains) if a.domains and b.domains else None
    shared = sorted(a.identifiers & b.identifiers)

    place = _place(city, street, same_postcode)
    score = name * (1 - _PLACE_WEIGHT + _PLACE_WEIGHT * place)
    if a.country != b.country:
        score *= _OTHER_COUNTRY
    if _other_legal_person(a, b):
        score *= _OTHER_LEGAL_PERSON
    if same_domain:
        score += (100 - score) * _SAME_DOMAIN
    found = Likeness(
        score=100 if shared else round(score),
        same_identifier=bool(shared),
        name=round(name),
        city=None if city is None else round(city),
        street=None if street is None else round(street),
        same_postcode=same_postcode,
        same_country=a.country == b.country,
        same_domain=same_domain,
    )
    said = {"alike": list(_alike(a, b, found)), "differs": list(_differs(a, b, found))}
    return found.model_copy(update=said)


# ── the name ─────────────────────────────────────────────────────────────────────────────────


def _name(a: Features, b: Features) -> float:
    spelling = max(fuzz.ratio(a.joined, b.joined), fuzz.ratio(a.reordered, b.reordered))
    alike = spelling
    if spelling < _SAME_NAME:
        alike = 0.4 * spelling + 0.6 * _words_in_common(a.name, b.name)
    numbers, others = _numbers(a.name), _numbers(b.name)
    if numbers and others and not numbers & others:
        alike *= _OTHER_NUMBER
    return alike


def _words_in_common(a: Sequence[str], b: Sequence[str]) -> float:
    """From 0 to 100, rare words counting more; a name within the other is nearly the same."""
    weight_a, weight_b = sum(map(_weight, a)), sum(map(_weight, b))
    shared = sum(alike * min(_weight(one), _weight(other)) for one, other, alike in _pairs_of_words(a, b))
    if not shared:
        return 0.0
    contained = _CONTAINED * shared / min(weight_a, weight_b) if shared > _COMMON_WEIGHT else 0.0
    return 100 * max(2 * shared / (weight_a + weight_b), contained)


def _pairs_of_words(a: Sequence[str], b: Sequence[str]) -> Iterator[tuple[str, str, float]]:
    """Words of one name with those of the other, the most alike first, each used once."""
    left_a, left_b = list(a), list(b)
    for word in a:
        if word in left_b:
            left_a.remove(word)
            left_b.remove(word)
            yield word, word, 1.0
    misspelt = [
        (alike, one, other)
        for one in left_a
        for other in left_b
        if min(len(one), len(other)) > 3
        and (alike := Indel.normalized_similarity(one, other, score_cutoff=_SAME_WORD)) >= _SAME_WORD
    ]
    for alike, one, other in sorted(misspelt, reverse=True):
        if one in left_a and other in left_b:
            left_a.remove(one)
            left_b.remove(other)
            yield one, other, alike


def _weight(word: str) -> float:
    return _COMMON_WEIGHT if word in COMMON else 1.0


def _numbers(words: Iterable[str]) -> set[str]:
    return {word for word in words if word.isdigit()}


# ── everything else ──────────────────────────────────────────────────────────────────────────


def _part(a: str, b: str, compare: Callable[[str, str], float]) -> float | None:
    """How alike two parts of an address are, 0 to 100; half where one side is silent, None where both are."""
    if not a and not b:
        return None
    return compare(a, b) if a and b else 50.0


def _place(city: float | None, street: float | None, same_postcode: bool | None) -> float:
    """From 0 to 1; the postcode counts with the street."""
    postcode = None if same_postcode is None else 100.0 * same_postcode
    address = _mean(street, postcode)
    known = _mean(city, address)
    return 1.0 if known is None else known / 100


def _mean(*parts: float | None) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) / len(known) if known else None


def _other_legal_person(a: Features, b: Features) -> bool:
    return any(
        kind in ("vat", "euid") and one[:2] == other[:2] for kind, one, other in _other_identifiers(a, b)
    )


def _other_identifiers(a: Features, b: Features) -> Iterator[tuple[str, str, str]]:
    """Kind and both values of identifiers of one kind that differ."""
    if a.identifiers & b.identifiers:
        return
    theirs = dict(key.split(":", 1) for key in b.identifiers)
    for key in sorted(a.identifiers):
        kind, value = key.split(":", 1)
        if kind in theirs:
            yield kind, value, theirs[kind]


def _domains(organisation: Organisation, email: str) -> Iterator[str]:
    """The domains of its web and mail address, without mailbox providers'."""
    given = [email.rpartition("@")[2]]
    if organisation.website:
        website = organisation.website.strip()
        with suppress(ValueError):  # such as an IPv6 address that is none
            given.append(urlsplit(website if "//" in website else f"//{website}").hostname or "")
    for domain in given:
        domain = domain.strip(".").lower().removeprefix("www.")
        if "." in domain and domain not in _MAILBOXES:
            yield domain


# ── in words ─────────────────────────────────────────────────────────────────────────────────


def _alike(a: Features, b: Features, found: Likeness) -> Iterator[str]:
    for key in sorted(a.identifiers & b.identifiers):
        kind, value = key.split(":", 1)
        yield f"The same {_IDENTIFIERS[kind]}, {value}."
    if a.written == b.written:
        yield "The same name."
    elif a.joined == b.joined:
        yield "The same name but for capitals, accents, punctuation or the legal form."
    elif found.name >= _ALIKE:
        yield f"Names that are {found.name} % alike."
    if found.same_country and found.city is not None and found.city >= _ALIKE:
        yield "The same city." if a.city == b.city else "Cities that are written alike."
    elif found.same_country:
        yield "The same country."
    if a.street and a.street == b.street:
        yield "The same street and number." if _numbers(a.street.split()) else "The same street."
    elif a.street and b.street and found.street is not None and found.street >= _ALIKE:
        yield "Streets that are written alike."
    if found.same_postcode:
        yield "The same postcode."
    for domain in sorted(a.domains & b.domains):
        yield f"The same web or mail domain, {domain}."


def _differs(a: Features, b: Features, found: Likeness) -> Iterator[str]:
    if found.name < _ALIKE:
        yield f"The names are only {found.name} % alike."
    if not found.same_country:
        yield f"The countries differ: {' and '.join(sorted((a.country, b.country)))}."
    if a.city and b.city and found.city is not None and found.city < _ALIKE:
        yield "The cities differ."
    if a.street and b.street and found.street is not None and found.street < _ALIKE:
        yield "The streets differ."
    if found.same_postcode is False:
        yield "The postcodes differ."
    if found.same_domain is False:
        yield "The web and mail domains differ."
    for kind, _, _ in _other_identifiers(a, b):
        yield f"The {_IDENTIFIERS[kind]}s differ."

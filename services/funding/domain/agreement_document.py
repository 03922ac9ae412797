"""The financial agreement as a document: what the visiting organisation and the paying partnership sign."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import ClassVar, Literal, Self

from services.funding.domain.grant import PAID_WITHIN, Grant
from services.funding.domain.scheme import SchemeRules
from shared.contracts.common import Euros, Party
from shared.contracts.matching import SigningRole
from shared.signing import Signable, Signed, Written
from shared.words import counted, eur


class Organisation(Written):
    """One of the two organisations of the exchange, as the document names it."""

    name: str
    city: str
    country: str
    """ISO 3166-1 code."""

    @classmethod
    def of(cls, party: Party) -> Self:
        """As its registration names it."""
        return cls(name=party.organisation, city=party.place.city, country=party.place.country)


class Content(Signable):
    """What the two sign: whom it is between, the days, the amount and how it was computed, the conditions."""

    KIND: ClassVar[str] = "agreement"
    ROLES: ClassVar[tuple[SigningRole, ...]] = ("VO", "VOP")
    ALL: ClassVar[str] = "Both"

    form: Literal["cxc-agreement/1"] = "cxc-agreement/1"
    number: str
    """What people call it by; the ids tell it apart from any other."""
    edition: int
    """Counts how often it was drawn up, from 1: anew for other days, another amount or other parties."""
    grant_id: str
    match_id: str
    drawn_up_at: datetime
    visitor: Organisation
    payer: str
    """The name of the partnership that manages the visitor, and pays."""
    host: Organisation
    first_day: date
    last_day: date
    working_days: int | None
    """At the host; not known where staff settled the amount without."""
    amount: Euros
    """EUR."""
    in_short: str
    """How the amount came about, in one sentence."""
    calculation: list[str]
    """The same rule by rule."""
    rule_set: str
    """The rules and rates it was computed by."""
    conditions: list[str]

    @classmethod
    def of(
        cls, grant: Grant, payer: str, conditions: list[str], *, edition: int = 1, drawn_up_at: datetime
    ) -> Self:
        """What there is to sign for the grant as it is."""
        assert grant.lump_sum is not None
        receipt = grant.lump_sum.receipt
        return cls(
            number=number_of(grant.match_id),
            edition=edition,
            grant_id=grant.id,
            match_id=grant.match_id,
            drawn_up_at=drawn_up_at,
            visitor=Organisation.of(grant.visitor),
            payer=payer,
            host=Organisation.of(grant.host),
            first_day=grant.days.first_day,
            last_day=grant.days.last_day,
            working_days=grant.lump_sum.working_days,
            amount=grant.amount,
            in_short=receipt.sentence,
            calculation=[said.sentence for said in receipt.outcomes if said.outcome == "passed"],
            rule_set=receipt.rule_set,
            conditions=conditions,
        )

    def name_of(self, role: SigningRole) -> str:
        """For whom that role signs."""
        return self.visitor.name if role == "VO" else self.payer

    def promises_the_same_as(self, other: Content) -> bool:
        """Whether it is the same money, for the same days, between the same parties.

        In which words the calculation is told may differ.
        """
        return self._promise() == other._promise()

    def _promise(self) -> tuple[object, ...]:
        return (self.visitor, self.payer, self.host, self.first_day, self.last_day, self.amount)


class SignedAgreement(Signed[Content]):
    """An agreement with the signatures on it."""


def number_of(match_id: str) -> str:
    """Short enough for the telephone: the end of the match's id, which is its random part."""
    return re.sub("[^0-9A-Za-z]", "", match_id)[-12:].upper()


def conditions(rules: SchemeRules) -> list[str]:
    """On what the lump sum is paid, by the rules in force on the first day of the stay.

    What it covers, that all of it is paid at once and within ten days, the three things needed before, the
    ceiling, the shortest stay and the one visit are the scheme's own (CXC call and FAQ); that the ten days
    begin with the last of the three, what happens at a change, and what becomes of data are this platform's.
    """
    shortest = counted(rules.duration.minimum_working_days, "working day")
    return [
        "The amount is a lump sum towards accommodation and living costs of the stay. It is paid to the "
        "visiting organisation alone.",
        "It is paid in one sum, by credit transfer in euros to the account that the visiting organisation "
        "has named in the platform, once three things are there: this agreement with both signatures, the "
        "report validated by the partnership, and the evidence accepted by it.",
        "Report: after the stay, the visiting organisation reports through the platform what was done and "
        "what came of it, with the days it really was at the host. The partnership validates the report, or "
        "returns it and says what is to be corrected.",
        "Evidence: with the report go copies of what shows that the stay took place and was paid for, such "
        "as boarding passes or tickets, and invoices. The originals are kept for those who audit the scheme.",
        f"The partnership pays within {PAID_WITHIN.days} calendar days from the day on which the last of the "
        "three is there.",
        "The amount is computed on the planned days, and once more on the real ones. If days, amount or a "
        "party change before the payment, the signatures do not hold any more: the agreement is drawn up "
        f"anew and signed again. The amount never exceeds {eur(rules.lump_sum.ceiling)}, nor the rate of the "
        "host country.",
        f"Nothing is due if the match is cancelled, if the stay has fewer than {shortest} at the host, or if "
        "report or evidence are not accepted. What has been paid although a condition is not met is paid "
        "back as soon as the partnership asks for it, saying why.",
        "An organisation visits once in the whole scheme, through whichever partnership, and there is one "
        "lump sum for one visit.",
        "The partnership and those who audit the scheme keep this agreement, and what was paid by it, for as "
        "long as public accounts must be kept. What else is stored about the organisation and its "
        "participant can be had from the platform, and is erased at their request.",
    ]

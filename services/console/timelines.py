"""Timelines: what happened in a case, and who acts next by when, in the reader's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

from fastapi import Request

from services.console.case_rows import ExchangeRow, Happening, RegistrationRow, Wait
from services.console.languages import Language
from services.console.people import Person
from services.console.rendering import language_of
from shared.partnerships import Partnerships

if TYPE_CHECKING:
    from services.console.bootstrap import Console


def _(sentence: str) -> str:
    # Marks what is told to people; it is translated where it is written.
    return sentence


_SIDES: Final = ("visitor", "host")
_SIGNED: Final = {
    "VO": _("Signed by the visiting organisation: %(what)s"),
    "HO": _("Signed by the host organisation: %(what)s"),
    "VOP": _("Signed by the visitor's partnership: %(what)s"),
    "HOP": _("Signed by the host's partnership: %(what)s"),
}
_COMMITMENT: Final = _("Commitment to Quality")
_AGREEMENT: Final = _("financial agreement")

TITLES: Final[Mapping[str, str]] = {
    "cxc.registration.screened.v1": _("Registered"),
    "cxc.registration.screened.v1/eligible": _("Registered; the rules find it eligible"),
    "cxc.registration.screened.v1/ineligible": _("Registered; the rules find it not eligible"),
    "cxc.registration.screened.v1/needs_review": _("Registered; a person has to look at it"),
    "cxc.registration.amended.v1": _("Changed, and screened anew"),
    "cxc.registration.amended.v1/eligible": _("Changed; the rules find it eligible"),
    "cxc.registration.amended.v1/ineligible": _("Changed; the rules find it not eligible"),
    "cxc.registration.amended.v1/needs_review": _("Changed; a person has to look at it"),
    "cxc.registration.accepted.v1": _("Accepted into the pool"),
    "cxc.registration.accepted.v1/automatic": _("Accepted into the pool by itself, as it is eligible"),
    "cxc.registration.rejected.v1": _("Turned down"),
    "cxc.registration.withdrawn.v1": _("Registration withdrawn"),
    "cxc.registration.refused.v1": _("A message of another system could not be taken"),
    "cxc.registration.assigned.v1": _("Handed to another partnership"),
    "cxc.registration.information_asked.v1": _("More information asked for"),
    "cxc.registration.decision_undone.v1": _("The decision was taken back"),
    "cxc.registration.decision_undone.v1/accepted": _("The acceptance was taken back"),
    "cxc.registration.decision_undone.v1/rejected": _("The rejection was taken back"),
    "cxc.registration.interest_asked.v1": _("Asked whether it is still interested"),
    "cxc.registration.interest_confirmed.v1": _("Still interested"),
    "cxc.registration.lapsed.v1": _("Lapsed, as nobody answered"),
    "cxc.registration.merged.v1": _("Found to be of the same organisation as another registration"),
    "cxc.registration.unmerged.v1": _("Found not to be of the same organisation as the other one after all"),
    "cxc.registration.erased.v1": _("Personal data erased"),
    "cxc.fits.found.v1": _("Best partners looked for"),
    "cxc.message.sent.v1": _("A message was sent through the platform"),
    "cxc.search.matched.v1": _("New profiles met a saved search"),
    "cxc.match.proposed.v1": _("Proposed"),
    "cxc.match.proposed.v1/visitor": _("The visitor proposed the exchange"),
    "cxc.match.proposed.v1/host": _("The host proposed the exchange"),
    "cxc.match.suggested.v1": _("Suggested to both by the programme's plan"),
    "cxc.match.countered.v1": _("Other days were named"),
    "cxc.match.countered.v1/visitor": _("The visitor named other days"),
    "cxc.match.countered.v1/host": _("The host named other days"),
    "cxc.match.agreed.v1": _("Both organisations agreed"),
    "cxc.match.endorsed.v1": _("One of the two partnerships approved"),
    "cxc.match.approved.v1": _("Approved"),
    "cxc.match.declined.v1": _("Declined"),
    "cxc.match.declined.v1/visitor": _("The visitor declined"),
    "cxc.match.declined.v1/host": _("The host declined"),
    "cxc.match.refused.v1": _("Refused by a partnership"),
    "cxc.match.refused.v1/scheme": _("Refused by the rules of the scheme"),
    "cxc.match.cancelled.v1": _("Cancelled"),
    "cxc.match.withdrawn.v1": _("The proposal was taken back"),
    "cxc.match.reminded.v1": _("Reminded of the answer that is open"),
    "cxc.match.expired.v1": _("Expired, as nobody answered in time"),
    "cxc.invitation.sent.v1": _("A partner was invited by a link"),
    "cxc.invitation.accepted.v1": _("The invitation was taken up"),
    "cxc.invitation.withdrawn.v1": _("The invitation was taken back"),
    "cxc.plan.published.v1": _("The plan was published"),
    "cxc.commitment.drawn_up.v1": _("Commitment to Quality drawn up, to be completed and signed"),
    "cxc.commitment.signed.v1": _("Commitment to Quality signed"),
    "cxc.commitment.voided.v1": _("Commitment to Quality changed, to be signed anew"),
    "cxc.commitment.voided.v1/final": _("Commitment to Quality void"),
    "cxc.commitment.completed.v1": _("Commitment to Quality signed by all four"),
    "cxc.group_event.opened.v1": _("Sign-up for the group event opened"),
    "cxc.group_event.changed.v1": _("Group event changed"),
    "cxc.group_event.cancelled.v1": _("Group event cancelled"),
    "cxc.group_event.place_taken.v1": _("A place at the group event taken"),
    "cxc.group_event.place_awaited.v1": _("On the waiting list of the group event"),
    "cxc.group_event.place_left.v1": _("A place at the group event given back"),
    "cxc.grant.reserved.v1": _("Lump sum reserved"),
    "cxc.grant.awaiting_budget.v1": _("Lump sum computed; it waits for budget"),
    "cxc.grant.needs_review.v1": _("The lump sum needs a person's decision"),
    "cxc.grant.refused.v1": _("Nothing is paid for this stay"),
    "cxc.grant.cancelled.v1": _("Lump sum cancelled"),
    "cxc.grant.recalculated.v1": _("Lump sum computed again"),
    "cxc.grant.committed.v1": _("Lump sum promised, as both have signed"),
    "cxc.grant.payable.v1": _("Everything is there: the lump sum can be paid"),
    "cxc.grant.reopened.v1": _("Something that was done is open again"),
    "cxc.grant.reopened.v1/agreement": _("The financial agreement is open again"),
    "cxc.grant.reopened.v1/report": _("The report is open again"),
    "cxc.grant.reopened.v1/evidence": _("The evidence is open again"),
    "cxc.grant.prepared.v1": _("Payment prepared; a second officer releases it"),
    "cxc.grant.unprepared.v1": _("Taken out of the payment"),
    "cxc.grant.released.v1": _("Payment sent to the bank"),
    "cxc.grant.paid.v1": _("Paid"),
    "cxc.grant.payment_failed.v1": _("The bank did not carry the payment out"),
    "cxc.grant.match_ended.v1": _("The exchange ended though its money is on its way"),
    "cxc.grant.claimed_back.v1": _("Money claimed back"),
    "cxc.grant.recovered.v1": _("Money came back"),
    "cxc.grant.payment_overdue.v1": _("The payment is overdue"),
    "cxc.agreement.drawn_up.v1": _("Financial agreement drawn up, to be signed"),
    "cxc.agreement.signed.v1": _("Financial agreement signed"),
    "cxc.agreement.voided.v1": _("Financial agreement changed, to be signed anew"),
    "cxc.agreement.voided.v1/final": _("Financial agreement void"),
    "cxc.ledger.differed.v1": _("Budget, ledger and lump sums do not add up"),
    "cxc.forecast.warned.v1": _("What the forecast finds out of reach has changed"),
    "cxc.report.submitted.v1": _("Report handed in"),
    "cxc.report.returned.v1": _("Report returned, to be corrected"),
    "cxc.report.validated.v1": _("Report validated"),
    "cxc.report.validated.v1/counts": _("Report validated: the exchange counts"),
    "cxc.report.reminded.v1": _("Reminded of the report"),
    "cxc.evidence.submitted.v1": _("Evidence handed in"),
    "cxc.evidence.returned.v1": _("Evidence returned"),
    "cxc.evidence.accepted.v1": _("Evidence accepted"),
    "cxc.bank_account.given.v1": _("Bank account given"),
    "cxc.payment.prepared.v1": _("A payment was prepared"),
    "cxc.payment.released.v1": _("A payment was released"),
    "cxc.payment.withdrawn.v1": _("A payment, or a part of it, was withdrawn"),
    "cxc.notification.sent.v1": _("A mail was sent"),
    "cxc.notification.failed.v1": _("A mail could not be delivered"),
    "cxc.address.suppressed.v1": _("No more mails go to an address they do not reach"),
    "cxc.address.restored.v1": _("Mails go to the address again"),
    "cxc.outgoing.held.v1": _("Nothing goes out any more"),
    "cxc.outgoing.released.v1": _("What was held goes out"),
    "cxc.deadline.reminded.v1": _("Reminded of a day that comes near"),
    "cxc.deadline.reminded.v1/over": _("Reminded of a day that is over"),
    "cxc.endpoint.disabled.v1": _("Nothing more is sent to a webhook endpoint"),
}
"""What each event tells, by its wire name; after a slash, where it says more."""

STEPS: Final[Mapping[str, str]] = {
    "registration": _("Accept or turn down the registration"),
    "question": _("Answer the question of the partnership"),
    "interest": _("Say whether you are still interested"),
    "proposal": _("Answer the proposal"),
    "match": _("Approve or refuse the exchange"),
    "commitment": _("Complete and sign the Commitment to Quality"),
    "lump_sum": _("Decide what the lump sum depends on"),
    "budget": _("Find budget: the lump sum waits for it"),
    "agreement": _("Sign the financial agreement"),
    "account": _("Give the bank account to be paid to"),
    "report": _("The report on the stay"),
    "evidence": _("The evidence of the stay"),
    "payment": _("Prepare the payment"),
    "release": _("Release the payment, as a second officer"),
    "match_ended": _("Deal with a payment whose exchange ended"),
    "return": _("Return the money that was claimed back"),
}
"""What is to be done, by what waits."""
_BY_WHOM: Final[Mapping[tuple[str, bool], str]] = {
    ("report", True): _("Validate the report, or return it"),
    ("report", False): _("Write and hand in the report on the stay"),
    ("evidence", True): _("Accept the evidence, or return it"),
    ("evidence", False): _("Hand in boarding passes, invoices or the like"),
}

#: What variants of titles go by: the first of these facts that an event has.
_VARIANTS: Final = (
    "undone",
    "verdict",
    "proposed_by",
    "countered_by",
    "declined_by",
    "refused_by",
    "gate",
)
_FLAGS: Final = ("automatic", "final", "counts", "over")
_SAID: Final = ("question", "reason", "difference", "detail", "files")
"""What somebody said in words of their own."""


@dataclass(frozen=True)
class Entry:
    """One entry of a timeline, as `ui.timeline` shows it."""

    title: str
    kind: Literal["done", "now", "next", "late"] = "done"
    at: datetime | date | None = None
    text: str = ""
    who: str = ""
    href: str | None = None


async def timeline_of(
    root: Console, request: Request, person: Person, id: str, *, mails: bool = False, most: int = 200
) -> list[Entry]:
    """What happened in a case and what comes next, for whoever looks; empty where they may not see it.

    `id`: of a registration, a match, a grant. With `mails`, what was sent to whom, for staff.
    """
    case = await root.cases.case_of(person, id)
    happened = await root.cases.happenings_of(person, id, mails=mails, limit=most)
    waits = await root.cases.waits_in(person, id)
    tell = Telling(language_of(request), root.partnerships, case, person, today=root.clock().date())
    # Of what happened at one moment, what became of the money came last: it follows from the rest.
    in_order = sorted(happened.rows, key=lambda told: (told.at, told.type.startswith("cxc.grant."), told.id))
    return [*map(tell.happening, in_order), *map(tell.wait, waits)]


class Telling:
    """Tells what happened, and what waits, in one language."""

    def __init__(
        self,
        language: Language,
        partnerships: Partnerships,
        case: RegistrationRow | ExchangeRow | None,
        person: Person,
        *,
        today: date,
    ) -> None:
        self._language = language
        self._partnerships = partnerships
        self._case = case
        self._person = person
        self._today = today

    def happening(self, told: Happening) -> Entry:
        """Something that happened."""
        return Entry(
            title=self.title(told), at=told.at, text=" ".join(self._details(told)), who=self._who(told.actor)
        )

    def wait(self, wait: Wait) -> Entry:
        """Something that is to be done, by whom and by when."""
        later = wait.begins is not None and wait.begins > self._today
        late = wait.until is not None and wait.until < self._today
        text = ""
        if later:
            text = self._say(_("From %(day)s on."), day=self._language.day(wait.begins))
        elif wait.until:
            text = self._say(_("By %(day)s."), day=self._language.day(wait.until))
        who = self._who(wait.desk) if wait.desk else self._name_of(wait.owner)
        return Entry(
            title=self.step(wait),
            kind="next" if later else "late" if late else "now",
            text=text,
            who=who,
            href=wait.href if self._acts(wait) else None,
        )

    def step(self, wait: Wait) -> str:
        """What is to be done."""
        by_whom = _BY_WHOM.get((wait.kind, wait.desk is not None))
        return self._language.gettext(by_whom or STEPS[wait.kind])

    def title(self, told: Happening) -> str:
        """What an event tells."""
        if signed := told.facts.get("signed_as"):
            what = _COMMITMENT if told.type.startswith("cxc.commitment.") else _AGREEMENT
            return self._say(_SIGNED[signed], what=self._language.gettext(what))
        variants = [str(told.facts[name]) for name in _VARIANTS if name in told.facts]
        variants += [name for name in _FLAGS if told.facts.get(name) is True]
        known = (TITLES.get(f"{told.type}/{variant}") for variant in variants)
        sentence = next((one for one in known if one), None) or TITLES.get(told.type)
        return self._language.gettext(sentence) if sentence else told.type

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _details(self, told: Happening) -> list[str]:
        language, facts = self._language, told.facts
        days: Callable[[Any], str] = language.days
        sentences: list[tuple[str, str, Callable[[Any], str]]] = [
            ("title", "%(value)s.", str),
            ("amount", _("%(value)s."), language.money),
            ("total", _("%(value)s."), language.money),
            ("considered", _("%(value)s partners of the pool were compared."), language.number),
            ("real_stay", _("The stay was from %(value)s."), days),
            ("answer_by", _("Answer by %(value)s."), language.day),
            ("due", _("To be paid by %(value)s."), language.day),
            ("execute_on", _("The bank carries it out on %(value)s."), language.day),
            ("paid_on", _("Booked on %(value)s."), language.day),
            ("return_by", _("To be returned by %(value)s."), language.day),
            ("deadline", _("The day is %(value)s."), language.day),
            ("suggested", _("%(value)s exchanges were suggested."), language.number),
        ]
        found = [
            self._say(sentence, value=write(facts[name]))
            for name, sentence, write in sentences
            if facts.get(name) not in (None, "")
        ]
        if told.type.startswith("cxc.match.") and "stay" in facts:
            found.insert(0, self._say(_("For %(value)s."), value=days(facts["stay"])))
        if about := facts.get("fact_type"):
            known = TITLES.get(str(about))
            found.append(
                self._say(
                    _("To the %(recipient)s: %(what)s."),
                    recipient=language.role(facts.get("recipient")),
                    what=language.gettext(known) if known else str(about),
                )
            )
        return [*found, *(f"“{facts[name]}”" for name in _SAID if facts.get(name))]

    def _acts(self, wait: Wait) -> bool:
        caller = self._person.caller
        return wait.desk == caller.partnership if wait.desk else wait.owner == caller.organisation

    def _who(self, actor: str | None) -> str:
        case = self._case
        if actor in _SIDES and isinstance(case, ExchangeRow):
            return case.visitor.name if actor == "visitor" else case.host.name
        if actor == "participant" and isinstance(case, RegistrationRow):
            return case.name
        if actor in (*_SIDES, "participant"):
            return self._language.role(actor)
        if actor is None or actor == "scheme":
            return ""
        known = self._partnerships.get(actor)
        return known.name if known else actor

    def _name_of(self, owner: str | None) -> str:
        case = self._case
        if isinstance(case, RegistrationRow):
            return case.name
        if isinstance(case, ExchangeRow):
            return case.visitor.name if case.visitor.owner == owner else case.host.name
        return ""

    def _say(self, sentence: str, **values: str) -> str:
        return self._language.gettext(sentence) % values

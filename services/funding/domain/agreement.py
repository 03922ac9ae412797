"""The financial agreement of a grant: drawn up, signed by visitor and partnership, void when it changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, Final, Literal, Self

from services.funding.domain.agreement_document import Content, Organisation, SignedAgreement
from services.funding.domain.grant import WITH_AGREEMENT, Grant
from shared.aggregate import Aggregate
from shared.contracts.common import ERASED, Party, Window
from shared.contracts.funding import AgreementDrawnUp, AgreementSigned, AgreementVoided
from shared.contracts.matching import SigningRole
from shared.contracts.vocabulary import GateState, GrantState
from shared.errors import RuleBroken
from shared.signing import Signature
from shared.words import days, eur, listed

AgreementState = Literal["open", "complete", "void"]

ENDED: Final = frozenset({GrantState.REFUSED, GrantState.CANCELLED})
"""States of a grant in which nothing is promised."""


class AgreementChanged(RuleBroken):
    """The document is another one than the signer has read."""

    code = "agreement-changed"


class AgreementVoid(RuleBroken):
    """The grant has ended, and with it what there was to sign."""

    code = "agreement-void"


class AlreadySigned(RuleBroken):
    """Who signs has signed this very document before."""

    code = "already-signed"


class VisitorSignsFirst(RuleBroken):
    """The partnership signs what the visitor has signed."""

    code = "visitor-signs-first"


def agreement_id(match_id: str) -> str:
    """The id of the match's only agreement."""
    return f"agreement-{match_id}"


class Agreement(Aggregate):
    """What visitor and partnership agree on about the money, and their signatures on it.

    A signature is for the content as it is: other days, another amount or other parties void both.
    """

    COLLECTION: ClassVar[str] = "agreements"

    grant_id: str
    match_id: str
    partnership: str
    visitor: Party
    host: Party
    content: Content
    signatures: list[Signature] = []
    void_because: str | None = None

    @classmethod
    def draw_up(cls, grant: Grant, payer: str, conditions: list[str], *, at: datetime) -> Self:
        """What there is to sign for a grant with an amount; `payer` is the partnership's name."""
        agreement = cls(
            id=agreement_id(grant.match_id),
            grant_id=grant.id,
            match_id=grant.match_id,
            partnership=grant.partnership,
            visitor=grant.visitor,
            host=grant.host,
            content=Content.of(grant, payer, conditions, drawn_up_at=at),
        )
        agreement._record(AgreementDrawnUp(**agreement._facts()))
        return agreement

    # ── where it stands ──────────────────────────────────────────────────────────────────────

    @property
    def state(self) -> AgreementState:
        """Open until both have signed; void while nothing is promised."""
        if self.void_because is not None:
            return "void"
        return "open" if self.missing else "complete"

    @property
    def missing(self) -> list[SigningRole]:
        """The roles whose signature is missing; none of one that is void."""
        return [] if self.void_because is not None else self.document.missing

    @property
    def document(self) -> SignedAgreement:
        """Content and signatures as they are printed."""
        return SignedAgreement.of(self.content, self.signatures, self.void_because)

    @property
    def gate(self) -> GateState:
        """Where the grant's gate stands with it."""
        match self.document.missing:
            case []:
                return GateState.PASSED
            case ["VOP"]:
                return GateState.WAITS_FOR_PARTNERSHIP
            case _:
                return GateState.WAITS_FOR_VISITOR

    # ── what is done with it ─────────────────────────────────────────────────────────────────

    def sign(self, role: SigningRole, *, by: str, seen_sha256: str, at: datetime) -> None:
        """Sign as the visitor (VO) or, after it, as the partnership (VOP); raises what forbids it."""
        if self.void_because is not None:
            raise AgreementVoid(f"The agreement is void and cannot be signed: {self.void_because}")
        document = self.content.sha256
        if seen_sha256 != document:
            raise AgreementChanged(
                f"The document is another one by now, with SHA-256 {document}: read it again, and sign that."
            )
        if role not in self.missing:
            raise AlreadySigned(
                f"This agreement is signed for {self.content.name_of(role)} already; nothing is left to do "
                "for it."
            )
        if role == "VOP" and "VO" in self.missing:
            raise VisitorSignsFirst(
                f"{self.content.visitor.name} signs first. You get a mail when it has, and sign then."
            )
        signature = Signature.after(
            self.signatures,
            self.content,
            role=role,
            by=by,
            acting_as="participant" if role == "VO" else "staff",
            at=at,
        )
        self.signatures = [*self.signatures, signature]
        self._record(
            AgreementSigned(**self._facts(), signed_as=role, signed_for=signature.signed_for, signed_at=at)
        )

    def is_as(self, grant: Grant) -> bool:
        """Whether it says of parties, days and amount what the grant says."""
        return self._stays_for(grant, self._next_edition(grant, at=self.content.drawn_up_at))

    def follow(self, grant: Grant, *, at: datetime) -> str | None:
        """Go on with what the grant is now; what promises something else is drawn up anew, to be signed.

        A grant that has ended leaves nothing to sign; one that gets an amount set aside after all, a new
        edition.
        Returns what has changed in what was to be signed, in plain words; a second time changes nothing.
        """
        if self._leaves_nothing_to_sign(grant):
            self._end(grant)
            return None
        fresh = self._next_edition(grant, at=at)
        if self._stays_for(grant, fresh):
            self._take_parties_of(grant)
            return None
        change = _what_changed(self.content, fresh)
        if self.signatures and self.void_because is None:
            self._void(change, final=False)
        self._take_parties_of(grant)
        self.content, self.signatures, self.void_because = fresh, [], None
        self._record(AgreementDrawnUp(**self._facts()))
        return change

    # ── steps ────────────────────────────────────────────────────────────────────────────────

    def _leaves_nothing_to_sign(self, grant: Grant) -> bool:
        # What is void stays so while the grant only waits for budget: nothing is promised yet.
        return grant.state in ENDED or (self.void_because is not None and grant.state not in WITH_AGREEMENT)

    def _next_edition(self, grant: Grant, *, at: datetime) -> Content:
        content = self.content
        return Content.of(
            grant, content.payer, content.conditions, edition=content.edition + 1, drawn_up_at=at
        )

    def _stays_for(self, grant: Grant, fresh: Content) -> bool:
        if self.void_because is not None or grant.state in ENDED:
            return self.void_because is not None and self._leaves_nothing_to_sign(grant)
        if self.state == "complete":
            # A contract of public money stays as both have signed it, also when a name is erased later.
            fresh = fresh.model_copy(update={side: getattr(self.content, side) for side in _erased(grant)})
        return fresh.promises_the_same_as(self.content)

    def _take_parties_of(self, grant: Grant) -> None:
        if (self.visitor, self.host) != (grant.visitor, grant.host):
            self.visitor, self.host = grant.visitor, grant.host
            self._touch()

    def _end(self, grant: Grant) -> None:
        self._take_parties_of(grant)
        if self.void_because is None:
            cancelled = grant.state is GrantState.CANCELLED
            self._void(
                "The match was cancelled." if cancelled else "Nothing is paid for this stay.", final=True
            )
        for side in _erased(grant):
            self._blank(side)

    def _void(self, reason: str, *, final: bool) -> None:
        event = AgreementVoided(
            **self._facts(),
            reason=reason,
            voided=[signature.role for signature in self.signatures],
            was_complete=self.state == "complete",
            final=final,
        )
        if final:
            self.void_because = reason
        self._record(event)

    def _blank(self, side: Literal["visitor", "host"]) -> None:
        named: Organisation = getattr(self.content, side)
        if named.name == ERASED:
            return
        blank = named.model_copy(update={"name": ERASED, "city": ERASED})
        self.content, self.signatures = self.content.model_copy(update={side: blank}), []
        self._touch()

    def _facts(self) -> dict[str, Any]:
        content = self.content
        return {
            "grant_id": self.grant_id,
            "match_id": self.match_id,
            "partnership": self.partnership,
            "visitor": self.visitor,
            "host": self.host,
            "stay": Window(first_day=content.first_day, last_day=content.last_day),
            "agreement_id": self.id,
            "number": content.number,
            "edition": content.edition,
            "amount": content.amount,
            "document_sha256": content.sha256,
            "missing": self.missing,
        }


def _erased(grant: Grant) -> list[Literal["visitor", "host"]]:
    """The sides whose personal data are gone."""
    sides: list[tuple[Literal["visitor", "host"], Party]] = [("visitor", grant.visitor), ("host", grant.host)]
    return [side for side, party in sides if party.registration_id in grant.erased]


def _what_changed(before: Content, after: Content) -> str:
    told = [
        ("amount", eur(before.amount), eur(after.amount)),
        ("stay", days(before.first_day, before.last_day), days(after.first_day, after.last_day)),
    ]
    said = [f"the {what} is {now} instead of {then}" for what, then, now in told if now != then]
    sentence = listed(said) or "the parties are named otherwise"
    return f"{sentence[0].upper()}{sentence[1:]}."

"""The Commitment to Quality as a document: its content, the chain of signatures on it, and whether they hold.

The content's SHA-256 is that of its canonical JSON (UTF-8, keys sorted, no blanks). It is what is signed,
and not the bytes of a PDF, which change with every signature and with every version of the library that
writes them. Each signature holds the hash of the one before it, the first that of the content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple, Self, get_args

import orjson
from pydantic import BaseModel, ConfigDict

from shared.contracts.common import Window
from shared.contracts.matching import SigningRole
from shared.words import moment

ROLES: Final[tuple[SigningRole, ...]] = get_args(SigningRole)

ROLE_NAMES: Final[dict[SigningRole, str]] = {
    "HO": "host organisation",
    "HOP": "partnership of the host",
    "VO": "visiting organisation",
    "VOP": "partnership of the visitor",
}


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def canonical(written: BaseModel, *, without: frozenset[str] = frozenset()) -> bytes:
    """The one way to write it as JSON."""
    return orjson.dumps(written.model_dump(mode="json", exclude=set(without)), option=orjson.OPT_SORT_KEYS)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Signatory(_Written):
    """One side of the exchange, as the document names it."""

    organisation: str
    city: str
    country: str
    """ISO 3166-1 code."""
    partnership: str
    """The name of the partnership that has its case."""


class AgendaItem(_Written):
    """What happens when, and who sees to it. Times are local, `09:30`; absent where they are open."""

    day: date
    begins: str | None = None
    ends: str | None = None
    title: str
    responsible: str


class Content(_Written):
    """What the four sign: fields of the form, whose own words are the same for everybody."""

    form: Literal["cxc-commitment/1"] = "cxc-commitment/1"
    match_id: str
    drawn_up_at: datetime
    visitor: Signatory
    host: Signatory
    first_day: date
    last_day: date
    goals: str
    agenda: list[AgendaItem]
    expected_results: str

    @property
    def sha256(self) -> str:
        """What is signed, in hexadecimal."""
        return _sha256(canonical(self))

    @property
    def stay(self) -> Window:
        """The days at the host."""
        return Window(first_day=self.first_day, last_day=self.last_day)

    def name_of(self, role: SigningRole) -> str:
        """For whom that role signs."""
        side = self.host if role in ("HO", "HOP") else self.visitor
        return side.organisation if role in ("HO", "VO") else side.partnership


class Signature(_Written):
    """Who signed, for whom, when and what; `previous` is the hash of the signature before it."""

    role: SigningRole
    signed_for: str
    """The organisation or partnership."""
    by: str
    """The subject of the token."""
    acting_as: Literal["participant", "staff"]
    """The role of the token."""
    at: datetime
    document_sha256: str
    previous: str
    """The hash of the signature before it; of the first one, the document's."""
    sha256: str
    """Of the other fields as canonical JSON, in hexadecimal."""

    @classmethod
    def after(cls, signatures: Sequence[Signature], content: Content, **fields: Any) -> Self:
        """The next signature of the chain on this content."""
        document = content.sha256
        unsealed = cls.model_validate(
            {
                **fields,
                "signed_for": content.name_of(fields["role"]),
                "document_sha256": document,
                "previous": signatures[-1].sha256 if signatures else document,
                "sha256": "",
            }
        )
        return unsealed.model_copy(update={"sha256": unsealed.expected_sha256})

    @property
    def expected_sha256(self) -> str:
        """The hash its fields lead to."""
        return _sha256(canonical(self, without=frozenset({"sha256"})))


class Finding(NamedTuple):
    """What was looked at, in plain words, and whether it holds."""

    holds: bool
    sentence: str


class SignedDocument(_Written):
    """Content and signatures together: what the PDF carries as an attachment, and can be verified by."""

    content: Content
    document_sha256: str
    signatures: list[Signature] = []
    void_because: str | None = None

    @property
    def missing(self) -> list[SigningRole]:
        """The roles nobody has signed in."""
        signed = {signature.role for signature in self.signatures}
        return [role for role in ROLES if role not in signed]

    def examined(self) -> list[Finding]:
        """Whether the content is the one that was signed, the chain is whole, and all four have signed."""
        return [*self._of_content(), *self._of_chain(), *self._of_completeness()]

    def _of_content(self) -> list[Finding]:
        found = self.content.sha256
        if found == self.document_sha256:
            return [Finding(True, f"The content is the one with SHA-256 {found}.")]
        return [
            Finding(
                False,
                f"The content was changed: its SHA-256 is {found}, the document is to have "
                f"{self.document_sha256}.",
            )
        ]

    def _of_chain(self) -> list[Finding]:
        found: list[Finding] = []
        previous, seen = self.document_sha256, set[str]()
        for number, signature in enumerate(self.signatures, 1):
            who = f"Signature {number}, {signature.role} for {signature.signed_for}"
            wrong: list[str] = []
            if signature.expected_sha256 != signature.sha256:
                wrong.append("it was changed after it was given")
            if signature.previous != previous:
                wrong.append("it does not follow on the one before it: one was changed, added or removed")
            if signature.document_sha256 != self.content.sha256:
                wrong.append("it is for other content")
            if signature.signed_for != self.content.name_of(signature.role):
                wrong.append(f"the document names {self.content.name_of(signature.role)}")
            if signature.role in seen:
                wrong.append("this role has signed before")
            previous = signature.sha256
            seen.add(signature.role)
            found.append(
                Finding(False, f"{who}, does not hold: {'; '.join(wrong)}.")
                if wrong
                else Finding(True, f"{who}, by {signature.by} on {moment(signature.at)}, holds.")
            )
        return found

    def _of_completeness(self) -> list[Finding]:
        found = [
            Finding(
                False,
                f"The signature of {role}, {ROLE_NAMES[role]}, {self.content.name_of(role)}, is missing.",
            )
            for role in self.missing
        ] or [Finding(True, "All four have signed.")]
        if self.void_because is not None:
            found.append(Finding(False, f"The commitment is void: {self.void_because}"))
        return found

"""Documents that are signed in the platform: their content, the chain of signatures on it, whether they hold.

The content's SHA-256 is that of its canonical JSON (UTF-8, keys sorted, no blanks). It is what is signed,
and not the bytes of a PDF, which change with every signature and with every version of the library that
writes them. Each signature holds the hash of the one before it, the first that of the content.
"""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final, Generic, Literal, NamedTuple, Self, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict

from shared.contracts.matching import SigningRole
from shared.words import moment

ROLE_NAMES: Final[dict[SigningRole, str]] = {
    "HO": "host organisation",
    "HOP": "partnership of the host",
    "VO": "visiting organisation",
    "VOP": "partnership of the visitor",
}


class Written(BaseModel):
    """What stands in a document."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def canonical(written: BaseModel, *, without: frozenset[str] = frozenset()) -> bytes:
    """The one way to write it as JSON."""
    return orjson.dumps(written.model_dump(mode="json", exclude=set(without)), option=orjson.OPT_SORT_KEYS)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Signable(Written):
    """The content of a document that is to be signed."""

    KIND: ClassVar[str]
    """What such a document is called in a sentence: commitment, agreement."""
    ROLES: ClassVar[tuple[SigningRole, ...]]
    """Whose signatures it needs."""
    ALL: ClassVar[str]
    """All of these, as a sentence begins: `All four`."""

    @property
    def sha256(self) -> str:
        """What is signed, in hexadecimal."""
        return _sha256(canonical(self))

    @abstractmethod
    def name_of(self, role: SigningRole) -> str:
        """For whom that role signs: the organisation or partnership."""


C = TypeVar("C", bound=Signable)


class Signature(Written):
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
    def after(cls, signatures: Sequence[Signature], content: Signable, **fields: Any) -> Self:
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


class Signed(Written, Generic[C]):
    """Content and signatures together: what the PDF carries as an attachment, and can be verified by."""

    content: C
    document_sha256: str
    signatures: list[Signature] = []
    void_because: str | None = None

    @classmethod
    def of(cls, content: C, signatures: Sequence[Signature], void_because: str | None = None) -> Self:
        """The document as it stands."""
        return cls(
            content=content,
            document_sha256=content.sha256,
            signatures=list(signatures),
            void_because=void_because,
        )

    @property
    def missing(self) -> list[SigningRole]:
        """The roles nobody has signed in."""
        signed = {signature.role for signature in self.signatures}
        return [role for role in self.content.ROLES if role not in signed]

    def examined(self) -> list[Finding]:
        """Whether the content is the one that was signed, the chain is whole, and no signature is missing."""
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
            if signature.role not in self.content.ROLES:
                wrong.append(f"it is not one of {', '.join(self.content.ROLES)}, who sign this document")
            elif signature.signed_for != self.content.name_of(signature.role):
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
        ] or [Finding(True, f"{self.content.ALL} have signed.")]
        if self.void_because is not None:
            found.append(Finding(False, f"The {self.content.KIND} is void: {self.void_because}"))
        return found

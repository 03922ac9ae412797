"""A person's finding that two registrations are of one organisation, which has one visit of the scheme."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from services.registration.domain.duplicate import Finding
from shared.aggregate import Aggregate
from shared.errors import RuleBroken


class MergeUndone(RuleBroken):
    """The merge does not stand any more."""

    code = "merge-undone"


class Merge(Aggregate):
    """Two registrations found to be of one organisation; each stays what it is, the visit is shared."""

    COLLECTION: ClassVar[str] = "merges"

    registrations: list[str]
    """Both, in the order of their ids."""
    duplicate_id: str
    finding: Finding
    undone: Finding | None = None

    @property
    def key(self) -> str:
        """What both share in the once-only register even where neither has an identifier."""
        return f"merge:{self.id}"

    def forget(self) -> None:
        """One of the two was erased: words that may speak of it go, the finding stays."""
        if self.finding.reason or (self.undone and self.undone.reason):
            self.finding = self.finding.model_copy(update={"reason": ""})
            self.undone = self.undone and self.undone.model_copy(update={"reason": ""})
            self._touch()

    def undo(self, finding: Finding) -> None:
        """They are of two organisations after all; raises `MergeUndone` when that was said before."""
        if self.undone is not None:
            raise MergeUndone(f"Merge {self.id} was undone already, on {self.undone.at:%d %B %Y}.")
        self.undone = finding
        self._touch()


def groups_of(registrations: Iterable[str], merges: Iterable[Merge]) -> list[tuple[set[str], list[Merge]]]:
    """Registrations of one organisation, with the standing merges that say so; each alone where none does."""
    groups: list[tuple[set[str], list[Merge]]] = [({id}, []) for id in registrations]
    for merge in merges:
        if merge.undone is None:
            joined = [group for group in groups if not group[0].isdisjoint(merge.registrations)]
            groups = [group for group in groups if group not in joined]
            members = set().union(*(members for members, _ in joined))
            groups.append((members, [merge, *(merge for _, merges in joined for merge in merges)]))
    return groups


def borrowed_by(
    id: str, merges: Sequence[Merge], keys_of: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Keys of the once-only register that a registration has of the others of its group, by merge.

    Of all merges of the group, not its own alone: who is the same as the same is the same.
    `keys_of`: the keys under which each member's own visit is registered.
    """
    own = {key for key in keys_of[id] if not key.startswith("registration:")}
    return {
        merge.id: [
            merge.key,
            *(key for member in merge.registrations for key in keys_of[member] if key not in own),
        ]
        for merge in sorted(merges, key=lambda merge: merge.id)
    }

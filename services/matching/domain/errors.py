"""The rules a request of matching can break, each with its code."""

from __future__ import annotations

from shared.errors import CxcError, RuleBroken


class PartnersDoNotFit(RuleBroken):
    """A hard constraint of the scheme keeps these two apart."""

    code = "partners-do-not-fit"
    title = "These two cannot be matched"


class NotInPool(RuleBroken):
    """The registration is not accepted at present."""

    code = "not-in-pool"
    title = "The registration is not in the pool"


class TooManyOpenProposals(RuleBroken):
    """The visitor has as many open proposals as the scheme lets one have."""

    code = "too-many-open-proposals"
    title = "Too many open proposals"


class AlreadyMatched(RuleBroken):
    """These two have a match that has not ended."""

    code = "already-matched"
    title = "These two have an open match"


class StayOutOfBounds(RuleBroken):
    """The stay is shorter or longer than the scheme allows."""

    code = "stay-out-of-bounds"
    title = "The stay is too short or too long"


class InvitationUsed(RuleBroken):
    """An invitation's link was followed to its end before."""

    code = "invitation-used"
    title = "The invitation is used"


class TooManyInvitations(RuleBroken):
    """The registration has as many invitations out as one may have."""

    code = "too-many-invitations"
    title = "Too many invitations"


class InvitationOver(CxcError):
    """The invitation was withdrawn, or its last day has passed."""

    code = "invitation-over"
    status = 410
    title = "The invitation is over"


class SameStay(RuleBroken):
    """A counter-proposal names the days that are proposed already."""

    code = "same-stay"
    title = "The days are the same"


class HostFull(RuleBroken):
    """The host has no free place in these days."""

    code = "host-full"
    title = "The host has no free place"


class VisitAlreadyClaimed(RuleBroken):
    """The visitor's one visit of the scheme belongs to another match."""

    code = "visit-already-claimed"
    title = "The visit right is used"


class MatchStateForbids(RuleBroken):
    """The match is in a state in which this cannot be done."""

    code = "match-state-forbids"
    title = "The state of the match forbids this"


class AlreadyApproved(RuleBroken):
    """The partnership has approved the match before."""

    code = "already-approved"
    title = "Approved already"


class CommitmentChanged(RuleBroken):
    """The commitment is not what the caller saw any more."""

    code = "commitment-changed"
    title = "The commitment was changed"


class CommitmentVoid(RuleBroken):
    """The exchange has ended, and its commitment with it."""

    code = "commitment-void"
    title = "The commitment is void"


class CommitmentKept(RuleBroken):
    """All four have signed and the stay is over: the commitment is a record."""

    code = "commitment-kept"
    title = "The commitment can no longer be changed"


class CommitmentNotReady(RuleBroken):
    """The commitment does not say yet what there is to sign."""

    code = "commitment-not-ready"
    title = "The commitment is not ready to be signed"


class AlreadySigned(RuleBroken):
    """Whoever the caller signs for has signed this content."""

    code = "already-signed"
    title = "Signed already"


class GatheringNotSound(RuleBroken):
    """What a group event is to say does not go together."""

    code = "group-event-not-sound"
    title = "The group event cannot be like this"


class GatheringStateForbids(RuleBroken):
    """The group event is in a state in which this cannot be done."""

    code = "group-event-state-forbids"
    title = "The state of the group event forbids this"


class SignUpOver(RuleBroken):
    """Nobody can sign up for the group event any more."""

    code = "sign-up-over"
    title = "Signing up is over"


class AlreadySignedUp(RuleBroken):
    """The organisation is on the list of the group event, or its host."""

    code = "already-signed-up"
    title = "Signed up already"


class NotSignedUp(RuleBroken):
    """The organisation is not on the list of the group event."""

    code = "not-signed-up"
    title = "Not signed up"


class TooManyMessages(RuleBroken):
    """The registration has written as many messages as one may within a day."""

    code = "too-many-messages"
    title = "Too many messages"


class TooManySearches(RuleBroken):
    """There are as many saved searches as one may have."""

    code = "too-many-searches"
    title = "Too many saved searches"

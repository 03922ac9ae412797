"""The Commitment to Quality of a match, from its draft to four signatures, and what makes them void."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from services.matching.domain.commitment import Commitment
from services.matching.domain.errors import (
    AlreadySigned,
    CommitmentChanged,
    CommitmentKept,
    CommitmentNotReady,
    CommitmentVoid,
)
from services.matching.domain.match import Match
from services.matching.use_cases.cancel_match import cancel_match
from services.matching.use_cases.edit_commitment import edit_commitment
from services.matching.use_cases.sign_commitment import sign_commitment
from services.matching.use_cases.tell_what_is_held import tell_what_is_held
from shared.contracts.common import ERASED, Party
from shared.contracts.envelope import CloudEvent
from shared.contracts.matching import (
    CommitmentCompleted,
    CommitmentDrawnUp,
    CommitmentEvent,
    CommitmentSigned,
    CommitmentVoided,
)
from shared.contracts.registration import RegistrationErased, RegistrationWithdrawn
from shared.errors import Forbidden, NotFound
from shared.partnerships import Partnerships
from shared.security import Caller, CallerRole
from tests.builders import a_host_party, a_party, an_envelope
from tests.unit.matching.builders import (
    Service,
    a_host_profile,
    a_moment,
    a_partnership,
    a_profile,
    accepted,
    gone,
    participant_of,
    pre_agreed,
    staff_of,
)

VISITOR = a_party("v", partnership="vop")
HOST = a_host_party("h", partnership="hop")
VO, HO, VOP, HOP = participant_of("v"), participant_of("h"), staff_of("vop"), staff_of("hop")
SUPPORT_OFFICE = Caller("helper", CallerRole.SUPPORT_OFFICE)
ALL_FOUR = [VO, HOP, HO, VOP]


@pytest.fixture
def service() -> Service:
    partnerships = [a_partnership(id, auto_approve=True) for id in ("vop", "hop", "third")]
    return Service(Partnerships(partnerships))


def visitor_accepted(sequence: int = 2, party: Party = VISITOR, **changes: Any) -> CloudEvent:
    return accepted(party, a_profile(pre_agreed=[pre_agreed("h")], **changes), sequence)


def host_accepted(sequence: int = 2, party: Party = HOST, **changes: Any) -> CloudEvent:
    return accepted(party, a_host_profile(pre_agreed=[pre_agreed("v")], **changes), sequence)


def erased(party: Party, sequence: int) -> CloudEvent:
    event = RegistrationErased(party=party.erased(), on_behalf_of="organisation")
    return an_envelope(event, service="registration", subject=party.registration_id, sequence=sequence)


async def approved(service: Service, **changes: Any) -> str:
    """Partners who found each other before, and whose partnerships approve at once; the match's id."""
    await service.consume(visitor_accepted(**changes), host_accepted())
    [match] = await service.transactions.read(lambda uow: uow.query(Match, {}))
    return match.id


async def the_commitment(service: Service) -> Commitment:
    [commitment] = await service.transactions.read(lambda uow: uow.query(Commitment, {}))
    return commitment


async def sign(service: Service, *signers: Caller, sha256: str | None = None) -> Commitment:
    commitment = await the_commitment(service)
    seen = sha256 or commitment.content.sha256
    for signer in signers:
        await service.transactions.run(
            partial(sign_commitment, match_id=commitment.match_id, by=signer, seen_sha256=seen)
        )
    return await the_commitment(service)


async def edit(service: Service, by: Caller, version: int | None = None, **changes: Any) -> Commitment:
    commitment = await the_commitment(service)
    content = commitment.content
    written: dict[str, Any] = {
        "goals": content.goals,
        "agenda": content.agenda,
        "expected_results": content.expected_results,
        **changes,
    }
    seen = commitment.version if version is None else version
    return await service.transactions.run(
        lambda uow: edit_commitment(uow, commitment.match_id, by=by, seen_version=seen, **written)
    )


def told(service: Service) -> list[CommitmentEvent]:
    return [event for event in service.published() if isinstance(event, CommitmentEvent)]


# ── the draft ────────────────────────────────────────────────────────────────────────────────


async def test_it_is_drawn_up_with_the_last_approval_from_what_both_registrations_say(
    service: Service,
) -> None:
    match_id = await approved(service, motivation="We want to spin hemp at scale.")
    commitment = await the_commitment(service)
    content = commitment.content
    assert (commitment.match_id, commitment.state) == (match_id, "open")
    assert commitment.missing == ["HO", "HOP", "VO", "VOP"]
    assert (content.visitor.organisation, content.host.partnership) == (VISITOR.organisation, "hop")
    assert "adopting technology and learning from another cluster" in content.goals
    assert "learns about hemp fibre and spinning from" in content.goals
    assert content.goals.endswith("We want to spin hemp at scale.")
    assert [item.title for item in content.agenda] == [
        "Welcome, and both organisations introduce themselves",
        "On site: hemp fibre",
        "On site: spinning",
        "The visitor presents: market access",
        "What was learnt, and the next steps",
    ]
    assert all(content.first_day <= item.day <= content.last_day for item in content.agenda)
    assert [event.TYPE for event in told(service)] == [CommitmentDrawnUp.TYPE]


async def test_a_draft_of_the_longest_texts_is_no_longer_than_what_can_be_sent_back(service: Service) -> None:
    await approved(service, motivation="x" * 4000, needs=[f"topic {n}" for n in range(30)])
    assert len((await the_commitment(service)).content.goals) == 4000
    await edit(service, VO)


# ── editing ──────────────────────────────────────────────────────────────────────────────────


async def test_each_of_the_four_may_edit_it_and_nobody_else(service: Service) -> None:
    await approved(service)
    for number, writer in enumerate(ALL_FOUR):
        assert (await edit(service, writer, goals=f"Goal {number}.")).content.goals == f"Goal {number}."
    with pytest.raises(Forbidden, match="support office"):
        await edit(service, SUPPORT_OFFICE, goals="Mine.")
    for stranger in (participant_of("x"), staff_of("third")):
        with pytest.raises(NotFound):
            await edit(service, stranger, goals="Mine.")


async def test_who_read_another_version_is_told_so(service: Service) -> None:
    await approved(service)
    seen = (await the_commitment(service)).version
    await sign(service, VO)
    with pytest.raises(CommitmentChanged, match=f"version {seen}, and the commitment is at version"):
        await edit(service, HO, version=seen, goals="Other goals.")


async def test_an_agenda_stays_within_the_stay_and_is_put_in_order(service: Service) -> None:
    await approved(service)
    agenda = (await the_commitment(service)).content.agenda
    changed = await edit(service, HO, agenda=[*reversed(agenda)])
    assert [item.day for item in changed.content.agenda] == sorted(item.day for item in agenda)
    late = agenda[0].model_copy(update={"day": agenda[-1].day.replace(day=17)})
    with pytest.raises(CommitmentNotReady, match="is on 2023-02-17, and the stay is from 2023-02-14"):
        await edit(service, HO, agenda=[*agenda, late])


async def test_a_change_voids_the_signatures_and_says_whose(service: Service) -> None:
    await approved(service)
    await sign(service, VO, HOP)
    changed = await edit(service, HO, goals="Other goals.")
    assert (changed.signatures, changed.state) == ([], "open")
    voided = told(service)[-1]
    assert isinstance(voided, CommitmentVoided)
    assert (voided.voided, voided.final, voided.was_complete) == (["VO", "HOP"], False, False)
    assert voided.reason == f"{HOST.organisation} changed the content."
    assert voided.missing == ["HO", "HOP", "VO", "VOP"]


async def test_the_same_content_again_changes_nothing(service: Service) -> None:
    await approved(service)
    before = await sign(service, VO)
    after = await edit(service, VOP)
    assert (after.version, after.signatures) == (before.version, before.signatures)


async def test_an_edit_nobody_had_signed_before_voids_nothing(service: Service) -> None:
    await approved(service)
    await edit(service, VO, goals="Other goals.")
    assert [type(event) for event in told(service)] == [CommitmentDrawnUp]


# ── signing ──────────────────────────────────────────────────────────────────────────────────


async def test_all_four_sign_in_any_order_and_the_last_one_completes_it(service: Service) -> None:
    await approved(service)
    commitment = await sign(service, *ALL_FOUR)
    assert commitment.state == "complete"
    assert [signature.role for signature in commitment.signatures] == ["VO", "HOP", "HO", "VOP"]
    assert all(finding.holds for finding in commitment.document.examined())
    events = told(service)[1:]
    assert [type(event) for event in events] == [CommitmentSigned] * 4 + [CommitmentCompleted]
    assert [event.missing for event in events] == [["HO", "HOP", "VOP"], ["HO", "VOP"], ["VOP"], [], []]
    completed = events[-1]
    assert isinstance(completed, CommitmentCompleted)
    assert completed.document_sha256 == commitment.content.sha256
    assert [one.role for one in completed.signatures] == ["VO", "HOP", "HO", "VOP"]


async def test_a_partnership_that_manages_both_sides_signs_for_both_at_once(service: Service) -> None:
    await service.consume(visitor_accepted(), host_accepted(party=a_host_party("h", partnership="vop")))
    commitment = await sign(service, VOP)
    assert [signature.role for signature in commitment.signatures] == ["HOP", "VOP"]
    assert {signature.by for signature in commitment.signatures} == {"officer"}
    with pytest.raises(AlreadySigned, match="signed for vop already"):
        await sign(service, VOP)


async def test_only_what_was_seen_is_signed(service: Service) -> None:
    await approved(service)
    seen = (await the_commitment(service)).content.sha256
    await edit(service, HO, goals="Other goals.")
    with pytest.raises(CommitmentChanged, match="another one by now"):
        await sign(service, VO, sha256=seen)


async def test_nobody_signs_twice_or_for_others(service: Service) -> None:
    await approved(service)
    await sign(service, VO)
    with pytest.raises(AlreadySigned):
        await sign(service, VO)
    with pytest.raises(Forbidden, match="partnerships write and sign"):
        await sign(service, SUPPORT_OFFICE)
    with pytest.raises(NotFound):
        await sign(service, staff_of("third"))


@pytest.mark.parametrize("lacking", [{"goals": " "}, {"agenda": []}])
async def test_what_says_nothing_yet_is_not_signed(service: Service, lacking: Any) -> None:
    await approved(service)
    await edit(service, VO, **lacking)
    with pytest.raises(CommitmentNotReady, match="before"):
        await sign(service, VO)


# ── what happens around it ───────────────────────────────────────────────────────────────────


async def test_a_partnership_that_has_the_case_no_longer_does_not_sign_and_the_new_one_does(
    service: Service,
) -> None:
    await approved(service)
    await sign(service, VOP, HO)
    handed_over = VISITOR.model_copy(update={"partnership": "third"})
    await service.consume(visitor_accepted(sequence=5, party=handed_over))
    voided = told(service)[-1]
    assert isinstance(voided, CommitmentVoided)
    assert (voided.voided, voided.visitor.partnership) == (["VOP", "HO"], "third")
    with pytest.raises(Forbidden, match="has neither side of this exchange, or no longer"):
        await sign(service, VOP)
    commitment = await sign(service, staff_of("third"))
    assert [signature.signed_for for signature in commitment.signatures] == ["third"]


async def test_an_organisation_whose_registration_has_another_owner_does_not_sign(service: Service) -> None:
    await approved(service)
    await service.consume(visitor_accepted(5, VISITOR.model_copy(update={"owner": "successor"})))
    with pytest.raises(Forbidden, match="not, or no longer, one of the two"):
        await sign(service, VO)
    assert (await sign(service, participant_of("successor"))).signatures


async def test_a_registration_accepted_anew_with_another_name_voids_the_signatures(service: Service) -> None:
    await approved(service)
    await sign(service, *ALL_FOUR)
    renamed = HOST.model_copy(update={"organisation": "Navigli Fibre Centre (sample)"})
    await service.consume(host_accepted(5, renamed))
    commitment = await the_commitment(service)
    assert (commitment.state, commitment.content.host.organisation) == ("open", renamed.organisation)
    voided = told(service)[-1]
    assert isinstance(voided, CommitmentVoided)
    assert voided.was_complete
    assert "changed and accepted anew" in voided.reason


async def test_another_address_changes_who_is_told_and_not_what_was_signed(service: Service) -> None:
    await approved(service)
    await sign(service, VO)
    moved = HOST.model_copy(update={"email": "new@navigli-textile.example"})
    await service.consume(host_accepted(5, moved))
    commitment = await sign(service, HO)
    assert len(commitment.signatures) == 2
    assert told(service)[-1].host.email == "new@navigli-textile.example"


async def test_a_cancelled_match_takes_its_commitment_along(service: Service) -> None:
    match_id = await approved(service)
    await sign(service, VO)
    await service.transactions.run(
        lambda uow: cancel_match(uow, match_id, by=VOP, reason="The fair was moved.")
    )
    commitment = await the_commitment(service)
    assert (commitment.state, commitment.missing) == ("void", [])
    voided = told(service)[-1]
    assert isinstance(voided, CommitmentVoided)
    assert (voided.final, voided.voided, voided.reason) == (True, ["VO"], "The fair was moved.")
    for attempt in (sign(service, HO), edit(service, HO, goals="Other goals.")):
        with pytest.raises(CommitmentVoid, match=r"The fair was moved\."):
            await attempt


async def test_a_visitor_that_leaves_takes_the_commitment_along(service: Service) -> None:
    await approved(service)
    await service.consume(gone(RegistrationWithdrawn, VISITOR))
    assert (await the_commitment(service)).state == "void"
    assert service.dead_letters() == []


async def test_what_was_signed_for_a_stay_that_is_over_stays_as_it_is(service: Service) -> None:
    await approved(service)
    before = await sign(service, *ALL_FOUR)
    service.clock_at = a_moment(16).replace(month=3)
    with pytest.raises(CommitmentKept):
        await edit(service, VO, goals="Other goals.")
    await service.consume(host_accepted(5, HOST.model_copy(update={"organisation": "Another name"})))
    after = await the_commitment(service)
    assert (after.version, after.content) == (before.version, before.content)


# ── erasure ──────────────────────────────────────────────────────────────────────────────────


async def test_a_draft_is_erased_and_can_no_longer_be_signed(service: Service) -> None:
    await approved(service, motivation="We want to spin hemp at scale.")
    await sign(service, VO)
    service.clock_at = a_moment(16).replace(month=3)
    await service.consume(gone(RegistrationWithdrawn, VISITOR), erased(VISITOR, 4))
    commitment = await the_commitment(service)
    stored = commitment.model_dump_json()
    assert not [word for word in ("Tagus", "hemp", "Lisbon", "participant") if word in stored]
    assert (commitment.state, commitment.content.host.organisation) == ("void", HOST.organisation)
    assert commitment.content.visitor.organisation == ERASED
    with pytest.raises(CommitmentVoid):
        await sign(service, HO)


async def test_what_all_four_signed_for_a_stay_that_took_place_is_a_contract_and_stays(
    service: Service,
) -> None:
    await approved(service)
    before = await sign(service, *ALL_FOUR)
    service.clock_at = a_moment(16).replace(month=3)
    await service.consume(gone(RegistrationWithdrawn, VISITOR), erased(VISITOR, 4))
    after = await the_commitment(service)
    assert (after.content, after.signatures, after.state) == (before.content, before.signatures, "complete")
    assert (after.visitor.organisation, after.visitor.email) == (ERASED, "")
    assert all(finding.holds for finding in after.document.examined())
    await service.consume(host_accepted(5, HOST.model_copy(update={"organisation": "Another name"})))
    assert (await the_commitment(service)).content == before.content


async def test_of_a_match_called_off_nothing_is_left_whoever_had_signed(service: Service) -> None:
    await approved(service)
    await sign(service, *ALL_FOUR)
    await service.consume(gone(RegistrationWithdrawn, VISITOR), erased(VISITOR, 4))
    commitment = await the_commitment(service)
    assert (commitment.state, commitment.signatures) == ("void", [])
    assert "Tagus" not in commitment.model_dump_json()


async def test_what_is_held_has_the_commitment_without_the_other_side(service: Service) -> None:
    await approved(service)
    await sign(service, VO, HO)
    kinds = await service.transactions.read(lambda uow: tell_what_is_held(uow, "v", by=VO))
    [held] = next(kind.documents for kind in kinds if kind.name == "commitments")
    assert VISITOR.organisation in str(held)
    assert not [word for word in (HOST.organisation, HOST.email, "Milan") if word in str(held)]

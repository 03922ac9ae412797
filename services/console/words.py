"""The scheme's own words as people say them: states, roles, kinds and goals, by how the APIs spell them."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Tone = Literal["quiet", "info", "success", "warning", "danger"]


def _(sentence: str) -> str:
    # Marks what is told to people; it is translated where it is written.
    return sentence


class State(NamedTuple):
    """What people call a state, and how it looks."""

    word: str
    tone: Tone


STATES: Final[dict[str, State]] = {
    # Registrations
    "draft": State(_("draft"), "quiet"),
    "eligible": State(_("eligible"), "info"),
    "ineligible": State(_("not eligible"), "danger"),
    "needs_review": State(_("needs review"), "warning"),
    "accepted": State(_("accepted"), "success"),
    "rejected": State(_("rejected"), "danger"),
    "withdrawn": State(_("withdrawn"), "quiet"),
    "lapsed": State(_("lapsed"), "quiet"),
    # Matches, commitments and invitations
    "suggested": State(_("suggested"), "info"),
    "proposed": State(_("proposed"), "info"),
    "agreed": State(_("agreed"), "info"),
    "approved": State(_("approved"), "success"),
    "declined": State(_("declined"), "quiet"),
    "refused": State(_("refused"), "danger"),
    "cancelled": State(_("cancelled"), "quiet"),
    "expired": State(_("expired"), "quiet"),
    "complete": State(_("complete"), "success"),
    "void": State(_("void"), "quiet"),
    # Group events
    "planned": State(_("planned"), "info"),
    "open": State(_("open"), "info"),
    "full": State(_("full"), "warning"),
    "closed": State(_("closed"), "quiet"),
    "held": State(_("held"), "success"),
    "waiting": State(_("waiting"), "warning"),
    "attended": State(_("attended"), "success"),
    # Lump sums, agreements, reports and evidence
    "reserved": State(_("reserved"), "info"),
    "awaiting_budget": State(_("waits for budget"), "warning"),
    "committed": State(_("committed"), "info"),
    "payable": State(_("can be paid"), "warning"),
    "prepared": State(_("payment prepared"), "info"),
    "released": State(_("sent to the bank"), "info"),
    "paid": State(_("paid"), "success"),
    "recovered": State(_("recovered"), "quiet"),
    "submitted": State(_("handed in"), "info"),
    "returned": State(_("returned"), "warning"),
    "validated": State(_("validated"), "success"),
    "waits_for_visitor": State(_("waits for the visitor"), "warning"),
    "waits_for_partnership": State(_("waits for the partnership"), "warning"),
    "passed": State(_("done"), "success"),
    "signed": State(_("signed"), "success"),
    "superseded": State(_("replaced"), "quiet"),
    "settled": State(_("settled"), "success"),
    # Plans, jobs and messages
    "pending": State(_("pending"), "info"),
    "queued": State(_("queued"), "quiet"),
    "running": State(_("running"), "info"),
    "ready": State(_("ready"), "success"),
    "publishing": State(_("being published"), "info"),
    "published": State(_("published"), "success"),
    "stale": State(_("out of date"), "warning"),
    "failed": State(_("failed"), "danger"),
    "done": State(_("done"), "success"),
    "gathered": State(_("gathered for a digest"), "info"),
    "digested": State(_("sent in a digest"), "success"),
    "sent": State(_("sent"), "success"),
    "delivered": State(_("delivered"), "success"),
    "skipped": State(_("not sent"), "quiet"),
    "scheduled": State(_("scheduled"), "info"),
    "said": State(_("said"), "success"),
    "ended": State(_("ended"), "quiet"),
    "watched": State(_("watched"), "warning"),
    "suppressed": State(_("suppressed"), "danger"),
    "restored": State(_("restored"), "success"),
    "merged": State(_("merged"), "success"),
    "distinct": State(_("not the same"), "quiet"),
    # Outcomes of rules
    "not_applicable": State(_("does not apply"), "quiet"),
    # Services
    "up": State(_("up"), "success"),
    "down": State(_("away"), "danger"),
}
"""Every state of everything, as the APIs spell it."""

ROLES: Final[dict[str, str]] = {
    "visitor": _("visitor"),
    "host": _("host"),
    "participant": _("participant"),
    "staff": _("staff"),
    "support_office": _("support office"),
    "auditor": _("auditor"),
}

KINDS: Final[dict[str, str]] = {
    "cluster": _("cluster"),
    "business_network": _("business network"),
    "sme": _("small or medium-sized company (SME)"),
    "tech_centre": _("technology centre"),
    "research_institute": _("research institute"),
    "innovation_hub": _("innovation hub"),
    "fab_lab": _("fab lab"),
    "creative_hub": _("creative hub"),
    "resource_efficiency_provider": _("resource-efficiency service provider"),
    "incubator": _("incubator"),
    "accelerator": _("accelerator"),
    "training_provider": _("training provider"),
    "large_company": _("large company"),
    "public_authority": _("public authority"),
    "other": _("other"),
}

GOALS: Final[dict[str, str]] = {
    "learn_from_cluster": _("Learn from another cluster"),
    "explore_market": _("Explore a market"),
    "adopt_technology": _("Adopt a technology"),
    "invest_in_collaboration": _("Prepare an investment together"),
}

ECOSYSTEMS: Final[dict[str, str]] = {
    "aerospace_defence": _("Aerospace and defence"),
    "agrofood": _("Agri-food"),
    "construction": _("Construction"),
    "cultural_creative": _("Cultural and creative industries"),
    "digital": _("Digital"),
    "electronics": _("Electronics"),
    "energy_intensive": _("Energy-intensive industries"),
    "energy_renewables": _("Renewable energy"),
    "health": _("Health"),
    "mobility": _("Mobility, transport and automotive"),
    "proximity": _("Proximity and social economy"),
    "retail": _("Retail"),
    "textile": _("Textiles"),
    "tourism": _("Tourism"),
}

SERVICES: Final[dict[str, str]] = {
    "registration": _("registrations"),
    "matching": _("matches"),
    "funding": _("lump sums and payments"),
    "notifications": _("messages"),
    "console": _("the console"),
}
"""What each service is there for."""


def spelled_out(code: str) -> str:
    """`needs_review` as `needs review`: a word that is not on the lists, readable at least."""
    return code.replace("_", " ")

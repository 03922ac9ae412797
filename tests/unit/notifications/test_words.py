"""What messages say: every template with every event, in the inbox, in text and in HTML."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from prometheus_client import REGISTRY

from services.notifications.domain.letter import Letterhead
from services.notifications.domain.notification import DIGEST, Notification
from services.notifications.domain.recipients import serve
from services.notifications.domain.rules import Channel, Link
from services.notifications.domain.wording import Wording
from services.notifications.languages import LANGUAGES
from services.notifications.texts import TEMPLATES
from services.notifications.use_cases.notify import notify
from services.notifications.words import Words
from shared.contracts.envelope import Event
from shared.contracts.matching import MatchApproved, MatchRefused
from shared.contracts.registration import RegistrationInterestAsked
from shared.contracts.vocabulary import Verdict
from tests.builders import an_envelope
from tests.fakes import MemoryDatabase, MemoryStore
from tests.unit.notifications import samples

AT = datetime(2023, 1, 16, 9, 30, tzinfo=UTC)
LETTERHEAD = Letterhead("ClusterXchange <no-reply@cxc.example>", samples.WORDS)


async def notifications_of(event: Event) -> list[Notification]:
    uow = samples.open_unit(MemoryStore(MemoryDatabase()))
    return await notify(uow, an_envelope(event, service="registration", subject="s"), event)


async def mails_of(event: Event) -> dict[str, Notification]:
    made = await notifications_of(event)
    return {mail.address: mail for mail in made if mail.channel is Channel.EMAIL and mail.address}


def parsed(mail: Notification) -> EmailMessage:
    """The mail as the standard library reads it; fails on any defect."""
    raw = LETTERHEAD.write(mail, AT)
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    message = message_from_bytes(raw, policy=policy.SMTP)
    assert not message.defects
    assert not any(part.defects for part in message.walk())
    return message


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


async def test_every_template_can_be_worded_from_the_events_that_use_it() -> None:
    worded: set[str] = set()
    for event in samples.every_event():
        rules = samples.RULES.rules_for(event.TYPE)
        worded |= {rule.template for _, rule in serve(event, rules, samples.DESKS)}
        for notification in await notifications_of(event):
            assert 10 < len(notification.subject) < 150, notification.subject
            assert "\n" not in notification.subject
            for residue in ("{", "}", "None", "Party(", "\n\n\n"):
                assert residue not in notification.subject + notification.text, notification.text
            assert not any(line != line.strip() for line in notification.text.splitlines())
            assert notification.link.startswith(samples.PUBLIC_URL + "/")
            assert not {"{", "}", " "} & set(notification.link)
            if samples.RULES.link_for(event.TYPE).path.endswith("{about}"):
                assert notification.link.endswith("/" + notification.about)
    assert worded == samples.RULES.templates()
    assert worded | samples.DEADLINES.templates() | {DIGEST} == set(samples.WORDS.names())


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_message_can_be_worded_in_every_language(code: str) -> None:
    shipped = Words(samples.DESKS, samples.PUBLIC_URL, strict=True)
    for event in samples.every_event():
        link = samples.RULES.link_for(event.TYPE)
        for recipient, rule in serve(event, samples.RULES.rules_for(event.TYPE), samples.DESKS):
            said = shipped.word(
                rule.template, event, recipient, about="a-1", link=link, why=rule.why, language=code
            )
            assert said.subject
            assert said.text
            for residue in ("{", "}", "%(", "%%", "None", "\n\n\n", "  "):
                assert residue not in "\n".join((said.subject, said.text, said.link_label, said.why)), said


async def test_every_mail_reads_back_as_it_was_written() -> None:
    for event in samples.every_event():
        for mail in (await mails_of(event)).values():
            message = parsed(mail)
            assert message["Subject"] == mail.subject
            assert message["To"] == mail.address
            assert message["From"] == "ClusterXchange <no-reply@cxc.example>"
            assert message["Auto-Submitted"] == "auto-generated"
            text = part(message, "plain")
            assert text.startswith(mail.text)
            assert mail.link in text
            html = part(message, "html")
            assert html.count("<a ") == 1
            assert f'href="{mail.link}"' in html


async def test_mails_of_one_match_form_one_thread_and_each_has_an_id_of_its_own() -> None:
    approved = parsed((await mails_of(samples.a_match(MatchApproved)))[samples.VISITOR.email])
    reserved = parsed((await mails_of(samples.a_reserved_grant()))[samples.VISITOR.email])
    assert approved["References"] == reserved["References"] == "<case-m-1@cxc.example>"
    assert approved["Message-ID"] != reserved["Message-ID"]


@pytest.mark.parametrize(
    ("subject", "read"),
    [
        ("Tagus\r\nBcc: a@elsewhere.example", "Tagus Bcc: a@elsewhere.example"),
        ("Tagus\x00 \x1b[1mFibre\x7f", "Tagus [1mFibre"),
        ("=?utf-8?q?Approved?= asks you", "=?utf-8?q?Approved?= asks you"),
        ("Tagus " * 500, ("Tagus " * 500).strip()),
    ],
)
async def test_a_subject_is_one_line_that_says_what_it_says_whatever_an_organisation_is_called(
    subject: str, read: str
) -> None:
    mails = await mails_of(samples.a_match(MatchApproved))
    mail = mails[samples.VISITOR.email].model_copy(update={"subject": subject})
    message = parsed(mail)
    assert (message["Subject"], message["Bcc"]) == (read, None)
    written = LETTERHEAD.write(mail, AT).partition(b"\r\n\r\n")[0]
    assert written.replace(b"\r\n", b"").decode("ascii").isprintable()


async def test_a_mail_written_again_has_the_same_message_id() -> None:
    mail = (await mails_of(samples.an_acceptance()))[samples.VISITOR.email]
    assert parsed(mail)["Message-ID"] == parsed(mail)["Message-ID"] == f"<{mail.id}@cxc.example>"


async def test_an_amount_and_its_reason_are_said_in_words() -> None:
    mail = (await mails_of(samples.a_reserved_grant()))[samples.VISITOR.email]
    assert mail.subject == "EUR 450.00 are reserved for your visit to Navigli Textile Tech Centre (sample)"
    assert "14 to 16 February 2023" in mail.text
    assert "How it was calculated: One plain sentence says it all." in mail.text


@pytest.mark.parametrize("code", LANGUAGES)
async def test_names_that_look_like_placeholders_stand_as_they_are(code: str) -> None:
    name = "100 %% of {{ 7 * 7 }} & %(visitor)s {% raw %}"
    party = samples.VISITOR.model_copy(update={"organisation": name, "language": code})
    [found] = await notifications_of(samples.some_fits(2, party=party))
    assert name in found.subject
    [accepted, *_] = await notifications_of(samples.an_acceptance(party=party))
    assert name in accepted.subject
    assert name in accepted.text


async def test_each_reader_is_written_to_in_its_own_language() -> None:
    german = samples.VISITOR.model_copy(update={"language": "de"})
    mail = (await mails_of(samples.a_reserved_grant(visitor=german)))[german.email]
    assert mail.language == "de"
    assert "450,00 €" in mail.subject
    assert "14.–16. Februar 2023" in mail.text
    html = part(parsed(mail), "html")
    assert '<html lang="de">' in html
    assert "14.–16. Februar 2023" in html
    approved = await mails_of(samples.a_match(MatchApproved, visitor=german))
    assert "14.–16. Februar 2023" in approved[german.email].text
    assert "14 to 16 February 2023" in approved[samples.HOST.email].text


async def test_a_decision_taken_back_says_what_was_told_and_what_holds_now() -> None:
    mail = (await mails_of(samples.a_decision_undone(reason="The wrong list was open.")))[
        samples.VISITOR.email
    ]
    assert "We told you that the registration of Tagus Fibre Works (sample) was accepted." in mail.text
    assert "waits for a decision again" in mail.text
    assert "The reason: The wrong list was open." in mail.text
    mail = (await mails_of(samples.a_decision_undone("rejected")))[samples.VISITOR.email]
    assert "We told you that the registration of Tagus Fibre Works (sample) was not accepted." in mail.text
    assert "The reason" not in mail.text


async def test_a_question_says_by_when_and_a_reminder_is_one() -> None:
    mail = (await mails_of(samples.a_question(answer_by=date(2023, 2, 1))))[samples.VISITOR.email]
    assert "Which spinning line is it about?" in mail.text
    assert "send it again, by 1 February 2023." in mail.text
    mail = (await mails_of(samples.a_question()))[samples.VISITOR.email]
    assert "send it again. It is then" in mail.text
    asked = RegistrationInterestAsked(party=samples.VISITOR, answer_by=date(2023, 8, 1), reminder=True)
    assert (await mails_of(asked))[samples.VISITOR.email].subject.startswith("Reminder: are you still")


async def test_fits_are_a_list_in_html_and_in_text() -> None:
    [entry] = await notifications_of(samples.some_fits(2))
    mail = entry.model_copy(update={"address": samples.VISITOR.email})
    line = (
        "Navigli Textile Tech Centre (sample), Milan (Italy), 88 of 100 points, 6 February to 31 March 2023: "
        "It offers the hemp fibre you look for."
    )
    assert mail.text.count(f"- {line}\n") == 2
    assert part(parsed(mail), "html").count(f"<li>{line}</li>") == 2


async def test_what_people_wrote_is_escaped_and_breaks_no_header() -> None:
    name = "Ærø <Tekstil> & Søn\r\nBcc: everyone@elsewhere.example " + "x" * 200
    visitor = samples.VISITOR.model_copy(update={"organisation": name})
    refused = samples.a_match(
        MatchRefused,
        visitor=visitor,
        refused_by="hempclub",
        reason="<script>alert(1)</script> {{ 7 * 7 }}\n.\nEnd",
    )
    mail = (await mails_of(refused))[samples.HOST.email]
    message = parsed(mail)
    assert message["Bcc"] is None
    assert message["Subject"] == mail.subject
    assert "Ærø <Tekstil> & Søn Bcc:" in mail.subject
    html = part(message, "html")
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "{{ 7 * 7 }}\n.\nEnd" in part(message, "plain")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "nobody",
        "two@a.example,three@b.example",
        "a@b.example>\r\nDATA",
        "Jürgen@b.example",
        "a b@c.example",
    ],
)
async def test_an_address_that_could_upset_the_mail_server_is_not_written_to(address: str) -> None:
    mail = (await mails_of(samples.an_acceptance()))[samples.VISITOR.email].model_copy(
        update={"address": address}
    )
    with pytest.raises(ValueError, match="it "):
        LETTERHEAD.write(mail, AT)


async def test_a_recipient_sees_who_their_partner_is() -> None:
    mails = await mails_of(samples.a_match(MatchApproved))
    assert samples.HOST.email in mails[samples.VISITOR.email].text
    assert samples.VISITOR.email in mails[samples.HOST.email].text


async def test_staff_get_the_rule_and_its_source() -> None:
    mails = await mails_of(samples.a_screening(Verdict.NEEDS_REVIEW))
    assert "(sample rule book, 2)" in mails["staff@hempclub.example"].text


def told_by(words: Words, template: str) -> Wording:
    event = samples.an_acceptance()
    [(recipient, _), *_] = serve(event, samples.RULES.rules_for(event.TYPE), samples.DESKS)
    return words.word(template, event, recipient, about="r-1", link=Link(path="/{about}", label="See"))


def test_what_a_text_misses_fails_the_tests_and_leaves_the_reader_a_gap(tmp_path: Path) -> None:
    (tmp_path / "layout.html.j2").write_text("")
    for name, missing in (("unknown", "wether"), ("nothing", "party.partnership.name"), ("empty", "profile")):
        (tmp_path / f"{name}.txt.j2").write_text(
            "{% block subject %}Hello{% endblock %}"
            "{% block body %}{{ party }}, {{ " + missing + " }}{% endblock %}"
        )
    strict = Words({}, "", tmp_path, strict=True)
    with pytest.raises(UndefinedError, match="wether"):
        told_by(strict, "unknown")
    with pytest.raises(UndefinedError, match="name"):
        told_by(strict, "nothing")
    with pytest.raises(TypeError, match="Profile"):
        told_by(strict, "empty")
    for name in ("unknown", "nothing", "empty"):
        labels, before = {"template": name}, "cxc_texts_with_gaps_total"
        assert told_by(Words({}, "", tmp_path), name).text == "Tagus Fibre Works (sample), …"
        assert REGISTRY.get_sample_value(before, labels) == 1


def test_the_mail_says_its_language_to_screen_readers_and_names_the_partnership_and_no_outside_thing() -> (
    None
):
    footer = samples.WORDS.footer("Perché sì.", language="it", wishes="https://cxc.example/w")
    html = samples.WORDS.html(
        subject="Approvato",
        text="Buone notizie.\n\n- uno\n- due",
        link="https://cxc.example/matches/m-1",
        link_label="Vedi",
        footer=footer,
        language="it",
        partnership="hempclub",
    )
    assert '<html lang="it">' in html
    assert "ClusterXchange · HempClub" in html
    assert "<li>uno</li>" in html
    assert set(re.findall(r'(?:href|src)="([^"]*)"', html)) == {
        "https://cxc.example/matches/m-1",
        "https://cxc.example/w",
    }
    assert not re.search(r"<(img|link|script|iframe)|url\(|@import", html)


def test_links_of_the_platform_can_be_followed_and_those_that_people_wrote_stand_as_text() -> None:
    html = samples.WORDS.html(
        subject="Digest",
        text="# Lisbon to Milan\n\nSee the match: https://cxc.example/matches/m-1\nMore: https://elsewhere.example/",
        link="https://cxc.example/inbox",
        link_label="Inbox",
        footer=[],
    )
    assert ">Lisbon to Milan</h2>" in html
    assert '<a href="https://cxc.example/matches/m-1"' in html
    assert "More: https://elsewhere.example/" in html
    assert 'href="https://elsewhere.example/"' not in html


def contrast(one: str, other: str) -> float:
    """Of two colours, by WCAG 2.2."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_words_stand_out_from_their_ground_in_light_and_in_dark() -> None:
    layout = (TEMPLATES / "layout.html.j2").read_text(encoding="utf-8")
    colour = r"(?<![-\w]){}:\s*(#[0-9a-f]{{6}})"
    dark, light = layout.partition("(prefers-color-scheme: dark)")[2].partition("@media (max-width")[::2]
    for part, sheet in ((light, "#ffffff"), (dark, "#222826")):
        assert f"background:{sheet}" in part.replace(" ", "")
        on_button = re.search(r"\.button \{[^}]*\}" if part is dark else r'class="button"[^>]*', part)
        assert on_button is not None
        [ground], [words] = (re.findall(colour.format(of), on_button[0]) for of in ("background", "color"))
        assert contrast(ground, words) >= 4.5
        for other in set(re.findall(colour.format("color"), part.replace(on_button[0], ""))):
            assert contrast(other, sheet) >= 4.5, f"{other} on {sheet}"

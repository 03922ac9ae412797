"""What comes back by mail, read as real mail systems write it; and whatever else may lie in that mailbox."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.domain.marks import Marks
from services.notifications.domain.replies import Bounce
from services.notifications.domain.report import Undelivered, Unsubscribes, Unwanted, read_report

ID = "0185e476-0d20-8480-a93d-2e9b094b89e0"
DOMAIN = "cxc.example"
BOUNCES = "bounces@cxc.example"
HARD, SOFT = Bounce.HARD, Bounce.SOFT

POSTFIX = f"""\
Return-Path: <>
From: MAILER-DAEMON@mx.cxc.example (Mail Delivery System)
To: no-reply@cxc.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
 boundary="4Q2x"

--4Q2x
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--4Q2x
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.cxc.example
X-Postfix-Queue-ID: 4Q2x
Arrival-Date: Tue, 24 Jan 2023 16:47:00 +0100 (CET)

Final-Recipient: rfc822; office@navigli-textile.example
Original-Recipient: rfc822;office@navigli-textile.example
Action: {{action}}
Status: {{status}}
Remote-MTA: dns; mx.navigli-textile.example
Diagnostic-Code: {{diagnostic}}

--4Q2x
Content-Description: Undelivered Message
Content-Type: message/rfc822

From: ClusterXchange <no-reply@cxc.example>
To: office@navigli-textile.example
Subject: The match is approved
Message-ID: <{ID}@cxc.example>

The match is approved.
--4Q2x--
"""
USER_UNKNOWN = (
    "smtp; 550 5.1.1 <office@navigli-textile.example>: Recipient\n    address rejected: User unknown"
)


def postfix(action: str = "failed", status: str = "5.1.1", diagnostic: str = USER_UNKNOWN) -> bytes:
    return POSTFIX.format(action=action, status=status, diagnostic=diagnostic).encode()


def read(raw: bytes, bounces: str | None = None) -> object:
    return read_report(raw, domain=DOMAIN, bounces=bounces)


def test_a_report_says_which_mail_was_not_delivered_and_why() -> None:
    said = "550 5.1.1 <office@navigli-textile.example>: Recipient address rejected: User unknown"
    assert read(postfix()) == Undelivered(ID, said, HARD)


@pytest.mark.parametrize(
    ("status", "diagnostic", "bounce"),
    [
        ("5.1.1", "smtp; 550 Not here", HARD),
        ("5.0.0", "smtp; 550 5.1.1 No such mailbox", HARD),
        ("5.0.0", "smtp; 550 no such user", HARD),
        ("5.1.2", "smtp; Host not found", HARD),
        ("5.2.2", "smtp; 552 5.2.2 Over quota", SOFT),
        ("4.4.7", "smtp; 451 4.4.7 Delivery time expired", SOFT),
        ("4.4.1", "X-Postfix; connect to mx.navigli-textile.example: Connection timed out", SOFT),
        ("5.7.1", "smtp; 550 5.7.1 Message refused as spam", None),
        ("5.3.4", "smtp; 552 5.3.4 Message too large", None),
        ("5.0.0", "smtp; 554 Transaction failed", None),
        ("5.0.0", "", None),
    ],
)
def test_what_that_says_of_the_address_follows_from_its_status_and_the_server_s_words(
    status: str, diagnostic: str, bounce: Bounce | None
) -> None:
    report = read(postfix(status=status, diagnostic=diagnostic))
    assert isinstance(report, Undelivered)
    assert report.bounce is bounce


@pytest.mark.parametrize("action", ["delayed", "delivered", "relayed", "expanded", "perhaps", ""])
def test_only_what_has_failed_is_undelivered(action: str) -> None:
    assert read(postfix(action=action)) is None


def test_a_report_with_no_more_than_the_head_of_the_mail_is_enough() -> None:
    headers = postfix().replace(b"Content-Type: message/rfc822", b"Content-Type: text/rfc822-headers")
    assert isinstance(read(headers), Undelivered)


def test_a_report_of_somebody_else_s_mail_says_nothing() -> None:
    assert read(postfix().replace(b"@cxc.example>", b"@elsewhere.example>")) is None
    assert read(postfix().replace(ID.encode(), b"not-one-of-ours")) is None


@pytest.mark.parametrize("header", ["To", "Delivered-To", "X-Original-To"])
def test_the_address_it_comes_back_to_names_the_mail_where_the_report_does_not(header: str) -> None:
    other = "0185e476-0d20-8480-a93d-000000000000"
    raw = f"{header}: bounces+{other}@cxc.example\n".encode() + postfix().replace(
        b"To: no-reply", b"X-To: no-reply", 1
    )
    assert read(raw, BOUNCES) == Undelivered(other, read(postfix()).said, HARD)  # type: ignore[attr-defined]
    assert read(raw.replace(b"bounces+", b"somebody+"), BOUNCES) == read(postfix())


def test_whoever_knows_a_mail_s_id_but_never_had_the_mail_reports_nothing_of_it() -> None:
    marks = Marks("a secret of this installation")
    genuine, forged = (marks.mark(ID).encode(), ID.encode() + b".0123456789")

    def marked(raw: bytes) -> object:
        return read_report(raw, domain=DOMAIN, bounces=BOUNCES, marks=marks)

    assert marked(postfix().replace(ID.encode(), genuine)) == read(postfix())
    assert marked(b"Delivered-To: Bounces+" + genuine.upper() + b"@cxc.example\n" + postfix()) == read(
        postfix()
    )
    for id in (ID.encode(), forged):
        assert marked(postfix().replace(ID.encode(), id)) is None
        assert marked(b"Delivered-To: bounces+" + id + b"@cxc.example\n" + postfix()) is None


@pytest.mark.parametrize(
    "hostile",
    [
        b"Content-Type: message/rfc822\n\n" * 5_000,
        b"".join(b"Content-Type: multipart/x; boundary=%d\n\n--%d\n" % (n, n) for n in range(1_000)),
    ],
)
def test_mails_within_mails_without_end_report_nothing(hostile: bytes) -> None:
    assert read(hostile) is None


def test_only_the_beginning_of_a_mail_is_read() -> None:
    long = b"Content-Type: multipart/report; boundary=b\n\n" + b"--b\n\n" * 40_000
    assert read(long + b"--b\n" + postfix()) is None
    whole = postfix()
    assert read(whole + b"x" * 1_000_000) == read(whole)


def test_a_report_inside_the_mail_that_comes_back_is_not_ours() -> None:
    inner = postfix().decode().replace("\n", "\n")
    raw = (
        "From: a@elsewhere.example\nSubject: Fwd\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="outer"\n\n--outer\nContent-Type: message/rfc822\n\n'
        f"{inner}\n--outer--\n"
    )
    assert read(raw.encode()) is None


ARF = f"""\
From: <feedback@provider.example>
To: <complaints@cxc.example>
Subject: FW: The match is approved
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="part"

--part
Content-Type: text/plain

This is an email abuse report.
--part
Content-Type: message/feedback-report

Feedback-Type: {{feedback}}
User-Agent: SomeGenerator/1.0
Version: 1

--part
Content-Type: message/rfc822

From: ClusterXchange <no-reply@cxc.example>
Message-ID: <{ID}@cxc.example>
Subject: The match is approved

The match is approved.
--part--
"""


@pytest.mark.parametrize(
    ("feedback", "report"),
    [("abuse", Unwanted(ID)), ("fraud", Unwanted(ID)), ("not-spam", None), ("virus", None)],
)
def test_a_complaint_names_the_mail_that_was_unwanted(feedback: str, report: object) -> None:
    assert read(ARF.format(feedback=feedback).encode()) == report


def test_a_mail_that_unsubscribes_brings_its_token() -> None:
    raw = b"From: office@tagus-fibre.example\nSubject: unsubscribe abc-_1.def\n\n"
    assert read(raw) == Unsubscribes("abc-_1.def")
    assert read(b"Subject: Please unsubscribe me\n\n") is None


NOTHING = [
    b"",
    b"Subject: Out of office\nAuto-Submitted: auto-replied\n\nI am back on Monday.",
    b"\x00\xff\xfe not a mail",
    b"Content-Type: multipart/report; boundary=x\n\n--x\nContent-Type: message/delivery-status\n\n",
    b"Content-Type: multipart/report\n\n--\n",
    postfix()[: len(postfix()) // 2],
    postfix().replace(b"message/delivery-status", b"message/delivery-status; charset=\xff"),
]


@pytest.mark.parametrize("raw", NOTHING)
def test_whatever_else_comes_says_nothing_and_breaks_nothing(raw: bytes) -> None:
    read(raw, BOUNCES)


@given(st.integers(0, len(postfix())), st.binary(max_size=12), st.integers(0, 60))
def test_a_report_mangled_on_its_way_breaks_nothing(place: int, inserted: bytes, cut: int) -> None:
    raw = postfix()
    assert isinstance(
        read(raw[:place] + inserted + raw[place + cut :], BOUNCES), Undelivered | Unsubscribes | None
    )

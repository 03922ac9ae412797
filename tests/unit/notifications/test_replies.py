"""What mail servers say when they say no, in the words of real ones, and what it says of the address."""

from __future__ import annotations

import pytest

from services.notifications.domain.replies import Bounce, asks_to_slow_down, bounce_of, without_addresses

HARD, SOFT = Bounce.HARD, Bounce.SOFT

REPLIES: list[tuple[int, str, Bounce | None]] = [
    (550, "5.1.1 <the address>: Recipient address rejected: User unknown in virtual mailbox table", HARD),
    (550, "5.1.1 The email account that you tried to reach does not exist.\nPlease try", HARD),
    (550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", HARD),
    (550, "5.1.2 <the address>: Recipient address rejected: Domain not found", HARD),
    (501, "5.1.3 Bad recipient address syntax", HARD),
    (551, "5.1.6 Recipient no longer on server", HARD),
    (556, "5.1.10 Recipient address has null MX", HARD),
    (556, "Domain does not accept mail", HARD),
    (550, "No such mailbox", HARD),
    (550, "Unknown user", HARD),
    (550, "no such user here", HARD),
    (553, "sorry, this recipient does not exist (#5.7.1)", HARD),
    (552, "5.2.2 The email account that you tried to reach is over quota", SOFT),
    (452, "4.2.2 The email account that you tried to reach is out of storage space", SOFT),
    (550, "5.2.1 The user you are trying to contact is receiving mail at a rate that prevents", SOFT),
    (552, "Mailbox full", SOFT),
    (450, "4.4.1 connect to mx.elsewhere.example: Connection timed out", SOFT),
    (550, "5.4.7 Delivery time expired", SOFT),
    (450, "4.1.1 <the address>: Recipient address rejected: unverified address", SOFT),
    (550, "5.1.8 <no-reply@cxc.example>: Sender address rejected: Domain not found", None),
    (550, "5.1.0 Address rejected", None),
    (550, "5.7.1 Message rejected as spam; the user is unknown to us", None),
    (550, "5.7.26 This mail is unauthenticated", None),
    (554, "5.7.1 Service unavailable; Client host blocked using zen", None),
    (552, "5.3.4 Message size exceeds fixed limit", None),
    (552, "Message size exceeds fixed maximum message size", None),
    (554, "5.6.0 Message contains invalid header", None),
    (550, "Administrative prohibition", None),
    (550, "Requested action not taken: mailbox unavailable", None),
    (554, "Transaction failed", None),
    (451, "4.7.1 Greylisting in action, please come back later", None),
]


@pytest.mark.parametrize(
    ("code", "text", "bounce"), REPLIES, ids=[f"{row[0]} {row[1][:30]}" for row in REPLIES]
)
def test_only_what_speaks_of_the_address_counts_against_it(
    code: int, text: str, bounce: Bounce | None
) -> None:
    assert bounce_of(code, text) is bounce


@pytest.mark.parametrize(
    ("code", "text", "slower"),
    [
        (421, "4.3.2 Service shutting down", True),
        (421, "", True),
        (450, "4.7.1 Error: too many mails from 192.0.2.1", True),
        (451, "4.7.650 The mail server has been temporarily rate limited", True),
        (452, "4.5.3 Too many recipients", True),
        (451, "4.7.1 Greylisting in action, please come back later", False),
        (452, "4.2.2 Mailbox full", False),
        (451, "Local error in processing", False),
        (550, "5.7.1 Too many mails of this kind: go away", False),
    ],
)
def test_a_server_that_has_too_much_is_told_from_one_that_minds_this_mail(
    code: int, text: str, slower: bool
) -> None:
    assert asks_to_slow_down(code, text) is slower


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("550 5.1.1 <office@sme.example>: unknown", "550 5.1.1 <the address>: unknown"),
        ("550 Office@SME.example, alias of post@mx.sme.example.", "550 the address, alias of the address."),
        (
            "550 @ no address here, see https://mail.example/help",
            "550 @ no address here, see https://mail.example/help",
        ),
    ],
)
def test_no_address_is_left_of_what_a_server_says(said: str, kept: str) -> None:
    assert without_addresses(said) == kept

"""Where webhooks may go: public addresses by https, and what the settings allow besides."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from services.notifications.webhooks.addresses import Destinations, NotThere, networks_of

PUBLIC = Destinations()
HOUSE = Destinations(networks_of("10.1.0.0/16, fd00:1::/32, 127.0.0.0/8"), frozenset({443, 8080}), True)

REFUSED = [
    ("loopback", "127.0.0.1"),
    ("loopback beyond the first", "127.8.9.1"),
    ("this host", "0.0.0.0"),
    ("private, class A", "10.0.0.1"),
    ("private, class B", "172.31.255.254"),
    ("private, class C", "192.168.1.1"),
    ("carrier-grade NAT", "100.64.0.1"),
    ("another cloud's metadata, in carrier-grade NAT", "100.100.100.200"),
    ("link-local", "169.254.1.1"),
    ("metadata of most clouds", "169.254.169.254"),
    ("metadata of Oracle's cloud", "192.0.0.192"),
    ("Azure's host, public by its number", "168.63.129.16"),
    ("documentation", "192.0.2.1"),
    ("benchmarks", "198.18.0.1"),
    ("6to4 relays", "192.88.99.1"),
    ("multicast", "224.0.0.251"),
    ("multicast of organisations", "239.255.255.250"),
    ("reserved", "240.0.0.1"),
    ("broadcast", "255.255.255.255"),
    ("loopback, IPv6", "::1"),
    ("unspecified, IPv6", "::"),
    ("IPv4-mapped loopback", "::ffff:127.0.0.1"),
    ("IPv4-mapped metadata", "::ffff:169.254.169.254"),
    ("IPv4-compatible loopback", "::127.0.0.1"),
    ("NAT64 of loopback", "64:ff9b::7f00:1"),
    ("NAT64 of metadata", "64:ff9b::169.254.169.254"),
    ("NAT64 of one's own network", "64:ff9b:1::1"),
    ("6to4 of loopback", "2002:7f00:1::"),
    ("Teredo", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
    ("unique local", "fd12:3456::1"),
    ("metadata of Amazon's cloud, IPv6", "fd00:ec2::254"),
    ("link-local, IPv6", "fe80::1"),
    ("site-local", "fec0::1"),
    ("multicast, IPv6", "ff02::1"),
    ("documentation, IPv6", "2001:db8::1"),
    ("documentation, new", "3fff::1"),
    ("segment routing", "5f00::1"),
    ("discard", "100::1"),
]


@pytest.mark.parametrize("address", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_nothing_is_sent_inside_however_the_address_is_written(address: str) -> None:
    with pytest.raises(NotThere, match="no public address"):
        PUBLIC.check(ip_address(address), 443)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(NotThere):
        PUBLIC.check_url(f"https://{host}/hook")


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_public_addresses_are_sent_to(address: str) -> None:
    PUBLIC.check(ip_address(address), 443)


@pytest.mark.parametrize(
    "host",
    [
        *("2130706433", "0x7f000001", "127.1", "0177.0.0.1", "①②⑦.⓪.⓪.①", "%31%32%37.0.0.1", "a..example"),
        *("crm\u200b.example", "münchen.example", "-.example", "a" * 64 + ".example", "a." * 127 + "example"),
    ],
)
def test_what_is_no_host_s_name_is_refused_when_it_is_given(host: str) -> None:
    with pytest.raises(NotThere, match="no host's name"):
        PUBLIC.check_url(f"https://{host}/hook")


@pytest.mark.parametrize("host", ["CRM.example", "xn--mnchen-3ya.example.", "_hooks.2.a-b.example", "crm"])
def test_a_host_s_name_is_taken(host: str) -> None:
    assert PUBLIC.check_url(f"https://{host}/hook")


def test_what_the_settings_allow_is_sent_to_and_nothing_beside_it() -> None:
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "fd00:1::5", "127.0.0.1"):
        HOUSE.check(ip_address(address), 443)
    for address in ("10.2.0.1", "fd00:2::5", "::1"):
        with pytest.raises(NotThere):
            HOUSE.check(ip_address(address), 443)


def test_without_tls_only_allowed_networks_are_reached() -> None:
    HOUSE.check(ip_address("10.1.2.3"), 8080, plain=True)
    with pytest.raises(NotThere, match="https alone"):
        HOUSE.check(ip_address("93.184.216.34"), 8080, plain=True)


def test_a_port_that_is_not_allowed_is_not_connected_to() -> None:
    with pytest.raises(NotThere, match="port 22 is none of those"):
        PUBLIC.check(ip_address("93.184.216.34"), 22)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://crm.example/hook", "begin with https"),
        ("ftp://crm.example/hook", "begin with https"),
        ("crm.example/hook", "begin with https"),
        ("https:///hook", "names no host"),
        ("https://user:secret@crm.example/", "no user name"),
        ("https://user@crm.example/", "no user name"),
        ("https://@crm.example/", "no user name"),
        ("https://crm.example:22/", "port 22"),
        ("https://crm.example:80/", "port 80"),
        ("https://crm.example:99999/", "no URL"),
        ("https://[::1/", "no URL"),
        ("https://crm.example/#part", "#"),
        ("https://crm.example/a b", "blanks"),
        ("https://crm.example\\@evil.example/", "backslashes"),
        ("https://crm.example/\r\nHost: evil.example", "blanks"),
        ("https://10.0.0.1/", "no public address"),
        ("https://[::ffff:7f00:1]/", "no public address"),
    ],
)
def test_a_url_that_nothing_can_be_sent_to_is_refused_with_the_reason(url: str, why: str) -> None:
    with pytest.raises(NotThere, match=why):
        PUBLIC.check_url(url)


@pytest.mark.parametrize(
    "url",
    ["https://crm.example", "https://crm.example:8443/a?key=b", "HTTPS://CRM.example/", "https://1.1.1.1/"],
)
def test_a_url_of_a_public_server_is_taken_as_it_is(url: str) -> None:
    assert PUBLIC.check_url(url) == url

"""Where a webhook may go: which URLs are taken, and which network addresses are connected to.

What a URL's name stands for is whoever owns the name's to say, and to change from one moment to the
next. So the URL is checked when it is given, and the address at each connection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final
from urllib.parse import SplitResult, urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NOT_PUBLIC: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        # Public by its number, and what machines in Azure ask for their secrets.
        "168.63.129.16/32",
    )
)
"""IANA's registry of special addresses, multicast and what is reserved."""
_UNICAST: Final = IPv6Network("2000::/3")
"""All of IPv6 that is given out to the public; loopback, private and link-local ones are elsewhere."""
_NOT_PUBLIC_6: Final = tuple(
    # Protocols' own with Teredo, documentation, 6to4: the last and Teredo carry IPv4 addresses.
    IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_NAT64: Final = IPv6Network("64:ff9b::/96")


_LABEL: Final = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?!.{{254}})(?:{_LABEL}\.)*(?![0-9]){_LABEL}\.?", re.IGNORECASE)
"""One that ends in a number is an address to some programs, however it is written."""


class NotThere(ValueError):
    """No webhook goes there; the text says why, and what to do."""


@dataclass(frozen=True)
class Destinations:
    """Where this installation sends webhooks: public addresses, https, and what its settings add."""

    networks: tuple[Network, ...] = ()
    """Allowed though they are not public."""
    ports: frozenset[int] = frozenset({443, 8443})
    plain_http: bool = False
    """To `networks`, and nowhere else."""

    def check_url(self, url: str) -> str:
        """The URL as given; raises `NotThere` where nothing goes, whatever its name stands for."""
        parts, port = _split(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and self.plain_http):
            raise NotThere("it has to begin with https://")
        if not parts.hostname:
            raise NotThere("it names no host")
        if parts.username is not None or parts.password is not None:
            raise NotThere("it must hold no user name and no password; the signature says who sends")
        if "#" in url:
            raise NotThere("leave out what follows the #; it would not be sent")
        self._check_port(port)
        try:
            address = ip_address(parts.hostname)
        except ValueError:
            if not _NAME.fullmatch(parts.hostname):
                raise NotThere(
                    f"{parts.hostname[:100]} is no host's name; write one of another script as xn--…"
                ) from None
            return url
        self.check(address, port, plain=parts.scheme == "http")
        return url

    def check(self, address: Address, port: int, *, plain: bool = False) -> None:
        """Raises `NotThere` unless a connection may be opened to that address; `plain`: one without TLS."""
        self._check_port(port)
        target = _meant_by(address)
        if any(target.version == network.version and target in network for network in self.networks):
            return
        if plain:
            raise NotThere(f"{address} is reached by https alone")
        if not _is_public(target):
            raise NotThere(f"{address} is no public address, and none that this installation allows")

    def _check_port(self, port: int) -> None:
        if port not in self.ports:
            allowed = ", ".join(map(str, sorted(self.ports)))
            raise NotThere(f"port {port} is none of those that webhooks go to here ({allowed})")


def networks_of(text: str) -> tuple[Network, ...]:
    """`10.0.0.0/8, fd00::/8` as networks; raises ValueError saying which is none."""
    return tuple(ip_network(one.strip()) for one in text.split(",") if one.strip())


def _split(url: str) -> tuple[SplitResult, int]:
    if any(ord(character) <= 32 or ord(character) == 127 for character in url) or "\\" in url:
        raise NotThere("it holds blanks, control characters or backslashes; encode them")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NotThere(f"it is no URL: {error}") from None
    return parts, port if port is not None else 80 if parts.scheme == "http" else 443


def _meant_by(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that only stands for it, else the address."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC)
    return address in _UNICAST and not any(address in network for network in _NOT_PUBLIC_6)


def host_of(url: str) -> str:
    """The URL's host and port, for people and logs: its path may be a secret."""
    return urlsplit(url).netloc

"""Clients the project has no part in: kcat and kafkajs publish, plain and compressed, and mails come out."""

from __future__ import annotations

import asyncio
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import orjson
import pytest

from ops.embedded import cache
from ops.platform import Platform
from shared.contracts.envelope import new_id
from shared.contracts.types import EventType
from shared.messaging.topics import REGISTRATION_INBOX
from tests.e2e.onlooker import Onlooker
from tests.e2e.outside import Outgoing, OutsideSystem

pytestmark = pytest.mark.e2e

CODECS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
NODE: Final = Path(__file__).with_name("kafkajs")


@pytest.fixture(scope="module")
def kcat() -> str:
    path = shutil.which("kcat")
    if path is None:
        pytest.skip("kcat is not installed (Debian, Ubuntu: apt-get install kcat)")
    return path


@pytest.fixture(scope="module")
def kafkajs() -> Path:
    """The folder with kafkajs and its codecs, installed from npm where it is not yet."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("Node.js with npm is not installed (Debian, Ubuntu: apt-get install nodejs npm)")
    folder = cache() / "kafkajs"
    wanted = (NODE / "package.json").read_bytes()
    installed = folder / "installed.json"
    if not installed.exists() or installed.read_bytes() != wanted:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_bytes(wanted)
        done = run([npm, "install", "--ignore-scripts", "--no-audit", "--no-fund"], folder=folder)
        if done.returncode:
            pytest.skip(f"kafkajs and its codecs cannot be installed from npm: {done.stderr[-400:]}")
        installed.write_bytes(wanted)
    return folder / "node_modules"


def run(
    command: Sequence[str],
    *,
    given: bytes = b"",
    folder: Path | None = None,
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        input=given.decode(),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


async def publish_with(
    command: Sequence[str], given: bytes, environment: dict[str, str] | None = None
) -> None:
    done = await asyncio.to_thread(run, command, given=given, environment=environment)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"


def codecs_in(platform: Platform, topic: str) -> Counter[str]:
    """How many record batches of a topic lie in Kafka's own files, by codec (record batch format 2)."""
    found: Counter[str] = Counter()
    for segment in (platform.state / "kafka" / "data").glob(f"{topic}-*/*.log"):
        for attributes in _attributes(segment.read_bytes()):
            found[CODECS[attributes & 0b111]] += 1
    return found


def _attributes(segment: bytes) -> Iterator[int]:
    at = 0
    # Base offset, length of what follows, leader epoch, format, checksum, attributes; space behind is zero.
    while at + 23 <= len(segment) and (length := struct.unpack_from(">i", segment, at + 8)[0]):
        yield struct.unpack_from(">h", segment, at + 21)[0]
        at += 12 + length


def visitors(sender: OutsideSystem, references: Sequence[str]) -> list[Outgoing]:
    # Long enough that no client finds compressing it not worth while.
    return [
        sender.event(reference, sender.visitor(reference, motivation="To see hemp fibre spun. " * 40))
        for reference in references
    ]


async def test_kcat_publishes_with_every_codec_and_each_registration_becomes_a_mail(
    platform: Platform,
    onlooker: Onlooker,
    outside_system: Callable[[str], OutsideSystem],
    kcat: str,
) -> None:
    sender = outside_system("kcat")
    before = codecs_in(platform, REGISTRATION_INBOX)
    for codec, message in zip(CODECS, visitors(sender, CODECS), strict=True):
        command = [kcat, "-P", "-b", platform.kafka_bootstrap, "-t", REGISTRATION_INBOX, "-z", codec]
        command += ["-k", message.key.decode(), "-H", "content-type=application/cloudevents+json"]
        await publish_with(command, message.value)
    written = codecs_in(platform, REGISTRATION_INBOX) - before
    assert set(written) == set(CODECS), "kcat compressed with each of them"
    await onlooker.mailed(map(sender.address, CODECS))


async def test_kcat_publishes_in_binary_mode_with_the_attributes_as_headers(
    platform: Platform,
    onlooker: Onlooker,
    outside_system: Callable[[str], OutsideSystem],
    kcat: str,
) -> None:
    sender = outside_system("kcat")
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": new_id(),
        "ce_source": sender.source,
        "ce_type": str(EventType.SUBMIT_REGISTRATION),
        "ce_subject": "binary",
        "content-type": "application/json",
    }
    headers = [part for name, value in attributes.items() for part in ("-H", f"{name}={value}")]
    command = [kcat, "-P", "-b", platform.kafka_bootstrap, "-t", REGISTRATION_INBOX, *headers]
    await publish_with(command, orjson.dumps(sender.visitor("binary")))
    await onlooker.mailed([sender.address("binary")])


async def test_kafkajs_publishes_with_every_codec_and_each_registration_becomes_a_mail(
    platform: Platform,
    onlooker: Onlooker,
    outside_system: Callable[[str], OutsideSystem],
    kafkajs: Path,
) -> None:
    sender = outside_system("kafkajs")
    lines = [
        orjson.dumps({"codec": codec, "key": message.key.decode(), "value": message.value.decode()})
        for codec, message in zip(CODECS, visitors(sender, CODECS), strict=True)
    ]
    before = codecs_in(platform, REGISTRATION_INBOX)
    node = shutil.which("node")
    assert node is not None
    await publish_with(
        [node, str(NODE / "publish.js"), platform.kafka_bootstrap, REGISTRATION_INBOX],
        b"\n".join(lines),
        {"NODE_PATH": str(kafkajs)},
    )
    written = codecs_in(platform, REGISTRATION_INBOX) - before
    assert set(written) == set(CODECS), "kafkajs compressed with each of them"
    await onlooker.mailed(map(sender.address, CODECS))

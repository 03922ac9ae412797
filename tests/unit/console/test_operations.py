"""What is shown to who looks after the installation: bytes for people, and what workers measure."""

from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from services.console.domain.bytes_shown import Row, as_json, as_text, rows
from services.console.health import LAG, OLDEST, Process, ServiceHealth, measures
from services.console.settings import ConsoleSettings
from shared.settings import KafkaSettings

METRICS = """# HELP cxc_consumer_lag Messages not yet handled
# TYPE cxc_consumer_lag gauge
cxc_consumer_lag{partition="0",service="funding",topic="cxc.matching.events"} 3.0
cxc_consumer_lag{partition="1",service="funding",topic="cxc.matching.events"} 4.0
cxc_consumer_lag{partition="1",service="matching",topic="cxc.registration.events"} 9.0
# HELP cxc_outbox_oldest_seconds Age of the oldest unpublished row
# TYPE cxc_outbox_oldest_seconds gauge
cxc_outbox_oldest_seconds{service="funding"} 1.5
# HELP other_things Not ours
# TYPE other_things counter
other_things_total 5.0
"""


def test_json_is_shown_field_by_field_and_anything_else_is_none() -> None:
    assert as_json(b'{"city":"S\xc3\xa8te"}') == '{\n  "city": "Sète"\n}'
    for other in (b"", b"{", b"\xff\xfe", b"[" * 100_000):
        assert as_json(other) is None


def test_text_has_nothing_that_a_terminal_or_a_reader_could_be_misled_by() -> None:
    assert as_text(b"one\n\ttwo\x1b[31m \xff \xe2\x80\xae") == "one\n\ttwo\ufffd[31m \ufffd \ufffd"


def test_bytes_are_shown_sixteen_a_row_up_to_a_limit() -> None:
    shown = rows(b"0123456789abcdef\x00\xffz", 18)
    assert shown == [
        Row("000000", "30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66", "0123456789abcdef"),
        Row("000010", "00 ff", ".."),
    ]
    assert rows(b"", 18) == []


def test_a_worker_s_measures_are_those_of_its_service_summed_up() -> None:
    assert measures(METRICS, "funding") == {LAG: 7.0, OLDEST: 1.5}
    assert measures(METRICS, "notifications") == {}


@pytest.mark.parametrize(
    ("api", "worker", "oldest", "well"),
    [(True, True, 0.0, True), (True, True, None, True), (False, True, 0.0, False), (True, False, 0.0, False),
     (True, True, 61.0, False)],
)  # fmt: skip
def test_a_service_is_well_when_its_processes_are_and_it_publishes(
    api: bool, worker: bool, oldest: float | None, well: bool
) -> None:
    of = ServiceHealth("funding", Process("a", api), [Process("w", worker)], behind=0, oldest_s=oldest)
    assert of.well is well


def settings_with(workers: str) -> ConsoleSettings:
    return ConsoleSettings(
        kafka=KafkaSettings(bootstrap="kafka.example:9092"),
        mongo_url=SecretStr("mongodb://mongo.example"),
        issuer="https://issuer.example",
        jwks_url="https://issuer.example/keys",
        workers=workers,
    )


def test_workers_are_named_with_their_service() -> None:
    several = "funding=http://a.example:8100,funding=http://b.example:8100/,console=https://c.example"
    assert settings_with(several).worker_urls == [
        ("funding", "http://a.example:8100"),
        ("funding", "http://b.example:8100"),
        ("console", "https://c.example"),
    ]
    assert settings_with("").worker_urls == []
    for wrong in ("http://a.example", "other=http://a.example", "funding=a.example", "funding=http://a,"):
        with pytest.raises(ValidationError, match="workers"):
            settings_with(wrong)


def test_without_a_key_for_sessions_each_process_makes_its_own() -> None:
    one, other = settings_with("").session_key, settings_with("").session_key
    assert one != other
    assert len(one.get_secret_value()) >= 32

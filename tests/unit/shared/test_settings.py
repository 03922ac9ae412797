"""Settings from the environment, and partnerships from their file."""

from __future__ import annotations

import ssl
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from services.funding.settings import FundingSettings
from services.matching.settings import MatchingSettings
from shared.contracts.vocabulary import Ecosystem
from shared.partnerships import SHIPPED_PARTNERSHIPS, Partnerships, UnknownPartnership
from shared.settings import KafkaSettings

GIVEN = {
    "CXC_KAFKA_BOOTSTRAP": "kafka.example:9092",
    "CXC_MONGO_URL": "mongodb://user:secret@mongo.example",
    "CXC_ISSUER": "https://issuer.example",
    "CXC_JWKS_URL": "https://issuer.example/keys",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """The settings given, and no file named .env."""
    monkeypatch.chdir(tmp_path)
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_settings_come_from_the_environment_and_keep_secrets_to_themselves(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("CXC_LANES", "3")
    settings = FundingSettings.load()
    assert (settings.lanes, settings.database) == (3, "cxc_funding")
    assert settings.kafka.client_options()["bootstrap_servers"] == ["kafka.example:9092"]
    assert "secret" not in repr(settings)


def test_settings_come_from_a_file_too_and_the_environment_wins(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("CXC_ISSUER=https://file.example\nCXC_AUDIENCE=from-the-file\n")
    settings = FundingSettings.load()
    assert (settings.issuer, settings.audience) == ("https://issuer.example", "from-the-file")


@pytest.mark.parametrize("gone", [[name] for name in GIVEN] + [list(GIVEN)])
def test_whatever_is_missing_is_listed_by_its_variable_and_nothing_else(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], gone: list[str]
) -> None:
    for name in gone:
        environment.delenv(name)
    environment.setenv("CXC_LINGER_MS", "-1")
    with pytest.raises(SystemExit) as ended:
        FundingSettings.load()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    listed = [line.strip().split(":")[0] for line in said.splitlines() if line.startswith("  ")]
    assert sorted(listed) == sorted([*gone, "CXC_LINGER_MS"])
    assert "secret" not in said


def test_a_kafka_behind_tls_and_a_password_is_reached_with_both() -> None:
    kafka = KafkaSettings(
        bootstrap="a.example:9093,b.example:9093",
        security_protocol="SASL_SSL",
        sasl_mechanism="SCRAM-SHA-512",
        username="cxc",
        password=SecretStr("hush"),
    )
    options: dict[str, Any] = kafka.client_options()
    assert options["bootstrap_servers"] == ["a.example:9093", "b.example:9093"]
    assert isinstance(options["ssl_context"], ssl.SSLContext)
    assert (options["sasl_plain_username"], options["sasl_plain_password"]) == ("cxc", "hush")
    assert "hush" not in repr(kafka)


def test_the_shipped_partnership_is_hempclub() -> None:
    [hempclub] = Partnerships.load(SHIPPED_PARTNERSHIPS)
    assert (hempclub.id, hempclub.objective, hempclub.done) == ("hempclub", 80, 23)
    assert hempclub.fits([Ecosystem.TEXTILE], "PT")
    assert not hempclub.fits([Ecosystem.DIGITAL], "PT")


A_PARTNERSHIP = """
  - id: {id}
    name: Alpine
    ecosystems: [textile]
    countries: [AT, EL]
    staff: []
    budget: "{budget}"
    objective: 1
"""


def partnerships(tmp_path: Path, *entries: str) -> Partnerships:
    path = tmp_path / "partnerships.yaml"
    path.write_text("partnerships:" + "".join(entries))
    return Partnerships.load(path)


def test_a_partnership_works_in_its_countries_and_an_unknown_one_is_told_the_known(tmp_path: Path) -> None:
    known = partnerships(tmp_path, A_PARTNERSHIP.format(id="alpine", budget="1000.50"))
    alpine = known.require("alpine")
    assert alpine.budget == Decimal("1000.50")
    assert alpine.fits([Ecosystem.TEXTILE], "GR")
    assert not alpine.fits([Ecosystem.TEXTILE], "IT")
    assert known.get("nosuch") is None
    with pytest.raises(UnknownPartnership, match="'nosuch'; there are: alpine"):
        known.require("nosuch")


def test_a_file_that_makes_no_sense_is_refused_where_it_does_not(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the same id"):
        partnerships(tmp_path, *(A_PARTNERSHIP.format(id="alpine", budget="1.00"),) * 2)
    with pytest.raises(ValidationError, match="decimal places"):
        partnerships(tmp_path, A_PARTNERSHIP.format(id="alpine", budget="1.001"))
    with pytest.raises(ValidationError, match="id"):
        partnerships(tmp_path, A_PARTNERSHIP.format(id="Alpine Club", budget="1.00"))
    for other in ("64000 USD", "$64000", "64.000,00", "NaN"):
        with pytest.raises(ValidationError, match=r"is no amount in EUR: write it as 64000\.00"):
            partnerships(tmp_path, A_PARTNERSHIP.format(id="alpine", budget=other))
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        partnerships(tmp_path, A_PARTNERSHIP.format(id="alpine", budget="-1.00"))
    with pytest.raises(ValidationError, match="currency"):
        partnerships(tmp_path, A_PARTNERSHIP.format(id="alpine", budget="1.00") + "    currency: CHF\n")


def test_a_budget_may_say_that_it_is_in_euros(tmp_path: Path) -> None:
    for number, given in enumerate(["64000", "EUR 64000.00", "64000.00 €"]):
        known = partnerships(tmp_path, A_PARTNERSHIP.format(id=f"alpine-{number}", budget=given))
        assert next(iter(known)).budget == Decimal(64000)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (
            {"CXC_PROPOSAL_DAYS": "4"},
            "CXC_PROPOSAL_REMIND_DAYS: Value error, must be less than CXC_PROPOSAL_DAYS",
        ),
        ({"CXC_PROPOSAL_DAYS": "1"}, "CXC_PROPOSAL_DAYS: "),
        ({"CXC_SEAL_KEY": "too short"}, "CXC_SEAL_KEY: "),
    ],
)
def test_settings_of_matching_that_contradict_each_other_are_named(
    environment: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: dict[str, str],
    wrong: str,
) -> None:
    for name, value in given.items():
        environment.setenv(name, value)
    with pytest.raises(SystemExit):
        MatchingSettings.load()
    assert wrong in capsys.readouterr().err


def test_a_seal_key_may_be_left_empty(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CXC_SEAL_KEY", "")
    assert MatchingSettings.load().seal_key is None


def test_bank_keys_are_separated_by_commas_and_long_enough(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for given, many in (("", 0), ("n" * 32, 1), (f"{'n' * 32}, {'o' * 32},", 2)):
        environment.setenv("CXC_BANK_KEYS", given)
        assert len(FundingSettings.load().bank_keys) == many
    environment.setenv("CXC_BANK_KEYS", f"{'n' * 32},too short")
    with pytest.raises(SystemExit):
        FundingSettings.load()
    said = capsys.readouterr().err
    assert "CXC_BANK_KEYS" in said
    assert "too short" not in said

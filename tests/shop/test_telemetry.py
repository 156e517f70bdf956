"""What can be set of traces and log lines, by options and by OpenTelemetry's own variables."""

import argparse

import pytest

from shop.settings import TelemetrySettings
from shop.telemetry import add_options, settings_of


def parsed(*options: str) -> TelemetrySettings:
    command = argparse.ArgumentParser()
    add_options(command, log="off")
    return settings_of(command.parse_args(options))


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER_ARG"):
        monkeypatch.delenv(name, raising=False)


def test_nothing_is_told_unless_asked_for() -> None:
    assert parsed() == TelemetrySettings("", "off", 1.0)


def test_collector_is_that_of_the_environment_unless_an_option_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    assert parsed().otlp == "http://collector:4318"
    assert parsed("--otlp", "https://other").otlp == "https://other"


def test_share_of_the_traces_is_that_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.01")
    assert parsed().ratio == 0.01


@pytest.mark.parametrize("share", ["many", "2", "-0.1", "nan"])
def test_share_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, share: str) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)
    with pytest.raises(ValueError, match=f"OTEL_TRACES_SAMPLER_ARG in the environment: '{share}'"):
        parsed()


def test_collector_needs_an_address_of_http() -> None:
    with pytest.raises(ValueError, match="--otlp: 'grpc://collector:4317'"):
        parsed("--otlp", "grpc://collector:4317")

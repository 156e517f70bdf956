"""The compose file starts what there is, as the commands want it, and keeps no secrets."""

import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from shop.main import parser
from shop.serve_command import PROCESSES, ROOMS, rooms_of, settings_of
from tests.docs.pages import ROOT

COMPOSE = ROOT / "deploy" / "compose.yaml"
OFFICIAL = re.compile(
    r"postgres:\d+|apache/kafka:\d+\.\d+\.\d+|\$\{CONNECT_IMAGE:-debezium/connect:[\w.]+\}|amends-shop"
)
SERVERS = {"postgres", "kafka", "connect"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return loaded


def commands(services: dict[str, Any]) -> dict[str, list[str]]:
    return {name: each["command"] for name, each in services.items() if name not in SERVERS}


def test_every_process_has_its_service(services: dict[str, Any]) -> None:
    assert set(services) - SERVERS - {"prepare"} == set(PROCESSES)
    for room in PROCESSES:
        assert services[room]["command"][:2] == ["serve", room]


def test_commands_and_settings_are_understood(services: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, command in commands(services).items():
        environment: dict[str, str] = services[name]["environment"]
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        asked = parser().parse_args(command)
        if name == "prepare":
            assert (asked.captured, asked.connect) == ("billing", "http://connect:8083")
        else:
            settings = settings_of(asked)
            assert settings.dsn(name).endswith(f"@postgres:5432/{name}")
            assert (settings.host, settings.port, settings.kafka) == ("0.0.0.0", 9000, "kafka:9092")


def test_log_that_is_kept_for_a_capture_is_bounded(services: dict[str, Any]) -> None:
    assert any(each.startswith("max_slot_wal_keep_size=") for each in services["postgres"]["command"])


def test_rooms_find_each_other(services: dict[str, Any]) -> None:
    addresses = rooms_of(services["orders"]["environment"]["SHOP_ROOMS"])
    assert addresses == {room: f"http://{room}:9000" for room in ROOMS}


def test_what_is_captured_has_the_outbox_for_it(services: dict[str, Any]) -> None:
    captured = parser().parse_args(services["prepare"]["command"]).captured.split(",")
    with_events = [name for name, command in commands(services).items() if "events" in command]
    assert with_events == captured


def test_images_are_official_and_nothing_has_a_default_secret(services: dict[str, Any]) -> None:
    for name, each in services.items():
        assert OFFICIAL.fullmatch(each["image"]), (name, each["image"])
    text = COMPOSE.read_text()
    for secret in re.findall(r"\$\{(\w*(?:TOKEN|PASSWORD)\w*)([^}]*)\}", text):
        assert secret[1].startswith(":?"), secret


def test_everything_waits_for_what_it_needs_without_sleeping(services: dict[str, Any]) -> None:
    assert "sleep" not in COMPOSE.read_text()
    for name, each in services.items():
        if name not in {"prepare", "gateway"}:
            assert each["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL"), name
    for name in PROCESSES:
        assert services[name]["depends_on"]["prepare"]["condition"] == "service_completed_successfully"


def test_ports_are_published_on_loopback_only(services: dict[str, Any]) -> None:
    published = [port for each in services.values() for port in each.get("ports", [])]
    ports = (8080, 8090, 8101, 8102, 8104, 8105, 8281, 8283, 8284, 8285)
    assert sorted(published) == [f"127.0.0.1:{port}:{port}" for port in ports]


def test_containers_of_the_shop_have_no_rights_that_they_do_not_need(services: dict[str, Any]) -> None:
    for name in (*PROCESSES, "prepare"):
        assert services[name]["read_only"] is True
        assert services[name]["cap_drop"] == ["ALL"]
    assert re.search(r"^USER \d+$", (ROOT / "deploy" / "Dockerfile").read_text(), re.MULTILINE)

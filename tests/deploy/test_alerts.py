"""The alerts that are delivered: Prometheus understands them, each goes off when it should, none asks in vain."""

import asyncio
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.prometheus import Meter
from amends.signals import Signals

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
ALERTS = (FOLDER / "alerts.yaml").read_text()
PROMTOOL = shutil.which("promtool") or ""
needs_promtool = pytest.mark.skipif(
    not PROMTOOL and os.environ.get("CI") != "true", reason="promtool is not here: Debian's package `prometheus` has it"
)


@needs_promtool
@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "alerts.yaml"), ("check", "config", "prometheus.yaml"), ("test", "rules", "alerts_test.yaml")],
    ids=" ".join,
)
def test_prometheus_agrees(arguments: tuple[str, ...]) -> None:
    command = [PROMTOOL or "promtool", *arguments]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_ask_for_metrics_that_there_are() -> None:
    shown = asyncio.run(Meter([], Signals(), AsyncioRuntime()).render()).decode()
    there = set(re.findall(r"^# TYPE (amends_\w+) ", shown, re.MULTILINE))
    for adapter in (ROOT / "src" / "amends" / "adapters").rglob("*.py"):
        there |= set(re.findall(r'\.gauge\(\s*"(amends_\w+)"', adapter.read_text()))
    asked = {name.removesuffix("_bucket") for name in re.findall(r"\bamends_\w+", ALERTS)}
    assert asked
    assert asked <= there


def test_each_alert_is_tested_and_explained() -> None:
    alerts = re.findall(r"alert: (\w+)", ALERTS)
    tested = re.findall(r"alertname: (\w+)", (FOLDER / "alerts_test.yaml").read_text())
    page = (ROOT / "docs" / "how-to" / "watch-it.md").read_text()
    assert set(alerts) == set(tested)
    assert [each for each in alerts if f"| `{each}` |" not in page] == []
    assert all((ROOT / runbook).exists() for runbook in re.findall(r"runbook: (\S+)", ALERTS))

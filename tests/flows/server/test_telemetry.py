"""Prefect's usage statistics are off, in its client and in its server."""

import os
import subprocess
import sys

import pytest

from system.settings import CHECKOUT

OURS = """
from flows.server.prefect_settings import embed
from system.settings import Settings
embed(Settings())
"""
ASK = """
from prefect._internal.analytics.enabled import is_telemetry_enabled
from prefect.server.services import telemetry
from prefect.server.services.perpetual_services import get_enabled_perpetual_services
services = [service.function for service in get_enabled_perpetual_services()]
print(is_telemetry_enabled(), telemetry.send_telemetry_heartbeat in services)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("configure", "sent"),
    [
        ("", "True True"),
        (OURS, "False False"),
    ],
    ids=["Prefect alone", "charmill"],
)
def test_charmill_switches_usage_statistics_off(configure, sent, tmp_path):
    # Nothing of ours: under CI and similar variables Prefect sends nothing by itself.
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "CHARMILL_ARTIFACTS": str(tmp_path / "artifacts"),
    }
    found = subprocess.run(
        [sys.executable, "-c", configure + ASK],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == sent

"""Prefect's usage statistics are off, in its client and in its server."""

import os
import subprocess
import sys

import pytest

from system.settings import CHECKOUT

OURS = """
from flows.server.prefect_settings import embed, use_other_server
from system.settings import Settings
"""
ASK = """
from prefect._internal.analytics.enabled import is_telemetry_enabled
from prefect.settings import PREFECT_SERVER_ANALYTICS_ENABLED
print(is_telemetry_enabled(), PREFECT_SERVER_ANALYTICS_ENABLED.value())
"""


@pytest.mark.parametrize(
    ("configure", "sent"),
    [
        ("", "True True"),
        (f"{OURS}embed(Settings())", "False False"),
        (f"{OURS}use_other_server(Settings(), 'http://127.0.0.1:1/api')", "False False"),
    ],
    ids=["Prefect alone", "charmill run", "charmill serve"],
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

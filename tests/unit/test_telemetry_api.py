"""Telemetry beside less of OpenTelemetry than there might be: no statement fails for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agentstore.telemetry import statements

ROOT = Path(__file__).resolve().parents[2]


class OldMeter:
    """As the API had it before histograms were told their buckets."""

    def create_histogram(self, name: str, unit: str = "", description: str = "") -> tuple[str, str, str]:
        return name, unit, description


def test_an_api_without_buckets_measures_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "meter", OldMeter)
    measured = statements._duration.__wrapped__()
    assert measured == ("db.client.operation.duration", "s", "Duration of statements")


def test_the_folder_alone_is_no_api() -> None:
    program = (
        "import sys; sys.modules['opentelemetry.trace'] = None\n"
        "from agentstore.telemetry.api import IS_INSTALLED\n"
        "from agentstore.telemetry.statements import Target, statement\n"
        "with statement(Target(), 'SELECT 1', ''): print(IS_INSTALLED)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("False\n", "")

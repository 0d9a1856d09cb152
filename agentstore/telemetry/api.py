"""OpenTelemetry's API, if it is installed."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import TYPE_CHECKING

from agentstore.version import __version__

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

SCOPE = "agentstore"
# Looked for once: a program that installs it while it runs is not worth a look for each statement.
# ``opentelemetry`` alone is a folder that other packages (its protocol's messages) are in, too.
IS_INSTALLED = importlib.util.find_spec("opentelemetry") is not None and all(
    importlib.util.find_spec(f"opentelemetry.{part}") is not None for part in ("trace", "metrics")
)


@cache
def tracer() -> Tracer:
    """Of the provider that is set up, also where that is done later."""
    from opentelemetry import trace

    return trace.get_tracer(SCOPE, __version__)


@cache
def meter() -> Meter:
    """Of the provider that is set up, also where that is done later."""
    from opentelemetry import metrics

    return metrics.get_meter(SCOPE, __version__)

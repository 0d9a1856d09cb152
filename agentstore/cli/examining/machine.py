"""This installation: versions, and the extras that commands need."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.util import find_spec

from agentstore.cli.config import Settings
from agentstore.cli.examining.finding import Finding, fail, ok, warn
from agentstore.cli.importing.whose import whose
from agentstore.version import __version__

_EXTRAS = (
    ("re2", "ingest", "secrets cannot be masked: import needs --no-mask"),
    ("watchfiles", "ingest", "import --watch does not run"),
    ("genai_prices", "cost", "costs know no list prices"),
)


def installation(settings: Settings, *, local: bool) -> Iterator[Finding]:
    """Versions, extras, and whose history is imported."""
    yield ok("agentstore", f"{__version__}, Python {platform.python_version()} on {platform.system()}")
    for module, extra, lack in _EXTRAS:
        if find_spec(module) is None:
            yield warn("extras", f"{module} is not installed: {lack}", f"pip install 'agentstore[{extra}]'")
    if local and find_spec("chdb") is None:
        yield fail("extras", "the engine of a local store is not installed", "pip install 'agentstore[local]'")
    given = whose(settings)
    name = f" ({given.user_name})" if given.user_name and given.user_name != given.user else ""
    text = f"organisation {settings['org']}, user {given.user}{name}, machine {settings['machine']}"
    if given.mask:
        yield ok("configuration", text)
    else:
        yield warn("configuration", f"{text}; secrets are not masked", "agentstore config set mask true")

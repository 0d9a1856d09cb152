"""The error of a statement that reaches outside of the store."""

from __future__ import annotations

from agentstore.local.engine.errors import EngineError

WAY_OUT = "serve with --allow-external, or set AGENTSTORE_LOCAL_ALLOW_EXTERNAL=1 before a local store is started"


def refused(what: str) -> EngineError:
    """For what was found in the statement."""
    return EngineError.make(
        497, "ACCESS_DENIED", f"{what} may reach files, other hosts or programs: refused ({WAY_OUT})"
    )

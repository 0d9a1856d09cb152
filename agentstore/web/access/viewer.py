"""Who looks at the pages."""

from __future__ import annotations

from typing import Any, NamedTuple

_KEY = "agentstore.viewer"


class Viewer(NamedTuple):
    """Whose marks are set, and which organisation is read. ``login`` tells one login from others, and nothing of whose
    it is: no secret. ``may_log_out``: they came with a cookie of ours."""

    org: str
    user: str
    login: str = ""
    may_log_out: bool = False


def set_viewer(scope: Any, viewer: Viewer) -> None:
    """Note on an ASGI scope who asks. Only the gate does this, and before anything that answers."""
    scope[_KEY] = viewer


def viewer_of(scope: Any) -> Viewer:
    """Who asks. A ``LookupError`` where nobody was let in: a handler that may be reached so has no viewer."""
    viewer = scope[_KEY]
    assert isinstance(viewer, Viewer)
    return viewer


def is_let_in(scope: Any) -> bool:
    """Whether there is a viewer: on the page of the login there is none."""
    return _KEY in scope

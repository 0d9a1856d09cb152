"""Decorators of handlers: what every one of them may answer beside its own."""

from __future__ import annotations

from functools import partial

from litestar import delete, get, put
from litestar.openapi.datastructures import ResponseSpec

from agentstore.integrations.problems import MEDIA_TYPE, Problem


def _problem(description: str) -> ResponseSpec:
    return ResponseSpec(Problem, generate_examples=False, description=description, media_type=MEDIA_TYPE)


_ALWAYS = {
    400: _problem("A parameter is refused: `field` names it."),
    401: _problem("Who asks is not let in."),
    503: _problem("The store is busy or cannot be reached: try again."),
    504: _problem("The store did not answer in time."),
}
_MISSING = {404: _problem("There is none.")}
_WRITES = {403: _problem("It does not come from a page of ours and carries no token.")}

reads = partial(get, responses=_ALWAYS)
reads_one = partial(get, responses={**_ALWAYS, **_MISSING})
puts = partial(put, status_code=204, responses={**_ALWAYS, **_MISSING, **_WRITES})
deletes = partial(delete, status_code=204, responses={**_ALWAYS, **_MISSING, **_WRITES})

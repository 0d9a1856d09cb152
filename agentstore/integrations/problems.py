"""Errors of the library as answers of a web backend: a status, and a body of application/problem+json (RFC 9457).

A client is told what it did wrong. What is wrong with the server or its database is for the log: the answer says only
that it is so, and whether to try again, since messages may hold names of hosts and statements.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from agentstore.errors import (
    AgentStoreError,
    AlreadyThereError,
    ConnectionFailedError,
    InvalidArgumentError,
    NotFoundError,
    OperationTimeoutError,
    PoolTimeoutError,
    QueryError,
    SessionPurgedError,
    WriteError,
)

MEDIA_TYPE = "application/problem+json"
# How long a client that was told to come back should wait.
RETRY_AFTER_SECONDS = 2
_MAY_NOT = frozenset({164, 497})  # READONLY, ACCESS_DENIED


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body. ``field`` names the argument that was refused, ``hint`` says what to do."""

    status: int
    title: str
    detail: str = ""
    field: str = ""
    hint: str = ""


class Answer(NamedTuple):
    """A problem as it is sent."""

    status: int
    headers: dict[str, str]
    body: bytes


def problem_of(error: AgentStoreError) -> Problem:
    """What a client is told."""
    match error:
        case InvalidArgumentError():
            return Problem(400, "Refused argument", error.message, error.field, error.hint)
        case NotFoundError():
            return Problem(404, "Not found", error.message)
        case AlreadyThereError():
            return Problem(409, "Already there", error.message)
        case SessionPurgedError():
            return Problem(410, "Purged", error.message)
        case PoolTimeoutError():
            return Problem(503, "Too busy", hint="try again")
        case OperationTimeoutError():
            return Problem(504, "The database did not answer in time", hint="try again")
        case ConnectionFailedError() if error.retriable:
            return Problem(503, "The database cannot be reached", hint="try again")
        case _ if lacks_right(error):
            what = "write" if isinstance(error, WriteError) else "do that"
            said = f"the user that this server is to the database may not {what}"
            return Problem(403, "Not allowed", said, hint="agentstore doctor says what it may, and what it lacks")
        case _ if error.retriable:
            return Problem(503, "The database cannot do that now", hint="try again")
    return Problem(500, "Internal error")


def lacks_right(error: AgentStoreError) -> bool:
    """Whether the database refuses its user, one who may only read for instance, what another one may."""
    cause = error.__cause__ if isinstance(error, WriteError) else error
    return isinstance(cause, QueryError) and cause.code in _MAY_NOT


def answer_to(error: AgentStoreError) -> Answer:
    """The same with its headers."""
    problem = problem_of(error)
    headers = {"content-type": MEDIA_TYPE}
    if problem.status == 503:
        headers["retry-after"] = str(RETRY_AFTER_SECONDS)
    return Answer(problem.status, headers, msgspec.json.encode(problem))

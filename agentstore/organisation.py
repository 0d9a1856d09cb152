"""What can name an organisation. Pure."""

from __future__ import annotations

from typing import Any

from agentstore.errors import InvalidArgumentError


def organisation(org_id: Any) -> str:
    """The ``org_id`` if it is valid text, "" included, else ``InvalidArgumentError``.

    Lone surrogates have no UTF-8. In a message they become U+FFFD; in the name of a tenant that would make two
    different ones the same, and each would read the other's sessions.
    """
    if not isinstance(org_id, str):
        raise InvalidArgumentError(f"org_id: expected str, got {type(org_id).__name__}", field="org_id")
    try:
        org_id.encode()
    except UnicodeEncodeError:
        raise InvalidArgumentError(f"org_id: {org_id!r} is no valid text (lone surrogates)", field="org_id") from None
    return org_id

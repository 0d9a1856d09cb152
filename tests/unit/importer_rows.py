"""What the pieces of an import come to: the last row of each key."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import msgspec

from agentstore.importers import ImportResult, ImportState, iter_claude_code


def union(results: Iterable[ImportResult]) -> dict[str, Any]:
    """The rows as a store has them that took the pieces one after the other, and the accounts of the last."""
    read = list(results)
    rows: dict[Any, Any] = {}
    for result in read:
        rows |= {("session", row.id): row for row in result.sessions}
        rows |= {("message", row.session_id, row.ordinal): row for row in result.messages}
        rows |= {
            ("call", row.session_id, row.message_ordinal, row.tool_use_id, row.call_index): row
            for row in result.tool_calls
        }
        rows |= {("link", row.session_id, row.commit_sha, row.pr_url): row for row in result.git_links}
        rows |= {
            ("touch", row.session_id, row.message_ordinal, row.tool_use_id, row.call_index, row.path): row
            for row in result.file_touches
        }
    last = read[-1]
    return {
        "rows": rows,
        "skipped": last.skipped_records,
        "unknown": last.unknown_records,
        "titles": last.titles,
        "continued_in": last.continued_in,
    }


def kept(state: ImportState | None) -> ImportState:
    """A state as it comes back from a store."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=ImportState)


def grown(data: bytes, ends: Iterable[int], piece_bytes: int, **arguments: Any) -> list[ImportResult]:
    """Import a file each time when it had so many bytes, each time from where the time before stopped."""
    results: list[ImportResult] = []
    state: ImportState | None = None
    for end in ends:
        results += iter_claude_code(io.BytesIO(data[:end]), state=state, piece_bytes=piece_bytes, **arguments)
        state = kept(results[-1].state)
    return results

"""Records with their texts masked, made before they are encoded: nothing of the package sees the others after that."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec

from agentstore.protocols import TextMasker
from agentstore.write.rows import FILE_TOUCHES, GIT_LINKS, MESSAGE_PINS, MESSAGES, SESSIONS, TOOL_CALLS, Table

# All texts but ids, and names that say whose or what a row is: a marker in their place would make two rows one, or
# one two. A path and an address are part of a key, too, but hold what people and programs write into them.
TEXTS = {
    SESSIONS.name: (
        "user_name",
        "project_name",
        "project_path",
        "first_message",
        "source_created_at",
        "display_name",
        "git_branch",
    ),
    MESSAGES.name: ("content", "model", "token_usage"),
    TOOL_CALLS.name: ("tool_name", "input_json", "skill_name", "result_content"),
    GIT_LINKS.name: ("pr_url",),
    FILE_TOUCHES.name: ("path", "moved_from", "moved_to"),
    MESSAGE_PINS.name: ("note",),
}

# So much is masked on the loop, in a millisecond or less; going to a thread for it would take a quarter of that. What
# a text costs beside its length is counted in characters, too.
_AT_ONCE = 64_000
_EACH = 1_000


class Masking:
    """Masks the texts of records. It changes no record: one with a secret is replaced by another one."""

    def __init__(self, masker: TextMasker) -> None:
        self._masker = masker

    async def masked(self, table: Table, records: Sequence[Any]) -> Sequence[Any]:
        """The records of a table with their texts masked; the same ones where nothing is to be masked.

        What is no such record, or no text, stays: the encoding refuses it by name.
        """
        fields = TEXTS.get(table.name, ())
        # Each once: branches, paths and names of tools repeat from row to row.
        texts = {text for record in records for _, text in _texts(table, record, fields)}
        if sum(map(len, texts)) + _EACH * len(texts) <= _AT_ONCE:
            markers = self._changed(texts)
        else:
            # Beside the loop. Where the call is cancelled the thread ends by itself, and nothing is done with it.
            markers = await asyncio.to_thread(self._changed, texts)
        if not markers:
            return records
        return [_replaced(table, record, fields, markers) for record in records]

    def _changed(self, texts: Collection[str]) -> dict[str, str]:
        """Of the texts that have something to mask, what is stored in their place."""
        found = ((text, self._masker.mask_text(text)) for text in texts)
        return {text: masked for text, masked in found if masked is not text and masked != text}


def _texts(table: Table, record: Any, fields: Collection[str]) -> Iterator[tuple[str, str]]:
    if isinstance(record, table.record):
        for field in fields:
            text = getattr(record, field)
            if text and isinstance(text, str):
                yield field, text


def _replaced(table: Table, record: Any, fields: Collection[str], markers: dict[str, str]) -> Any:
    changes = {field: markers[text] for field, text in _texts(table, record, fields) if text in markers}
    return msgspec.structs.replace(record, **changes) if changes else record

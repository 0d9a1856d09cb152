"""What can be read of content blocks, as text."""

from __future__ import annotations

import msgspec

from agentstore.importers.claude_code.lines import Block, Source, lenient, value_of
from agentstore.importers.jsonl import REFUSED

Content = str | list[Block] | None

_decode_source = msgspec.json.Decoder(Source).decode


def blocks_of(content: Content) -> list[Block]:
    """Content as a list of blocks; text becomes one text block."""
    if isinstance(content, str):
        return [Block("text", content)]
    return content or []


def block_text(block: Block) -> str:
    """What can be read of a block of a prompt or a tool result; data such as base64 images becomes a placeholder."""
    kind = block.type
    if kind == "image" or kind == "document":
        return _placeholder(kind, block.source)
    if kind == "tool_reference":
        return f"[Tool reference: {block.tool_name or ''}]"
    return block.text or ""


def _placeholder(kind: str, raw: msgspec.Raw) -> str:
    media = _source(raw).media_type
    return f"[{kind.capitalize()}: {media}]" if media else f"[{kind.capitalize()}]"


def _source(raw: msgspec.Raw) -> Source:
    try:
        return _decode_source(raw)
    except REFUSED:
        value = value_of(raw)
        return lenient(Source, value) if isinstance(value, dict) else Source()


def result_text(content: Content) -> str:
    """Content as text, its blocks on lines of their own."""
    if isinstance(content, str):
        return content
    return "\n".join(filter(None, map(block_text, content or ())))

"""The rest of a long text, on demand: a part at a time, so that no answer is larger than a browser takes well."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath, QueryParameter

from agentstore.errors import InvalidArgumentError, NotFoundError
from agentstore.models import TextPart, ToolCall
from agentstore.models.answered import TextKind
from agentstore.store import AsyncClickHouseStore
from agentstore.web.access.viewer import Viewer
from agentstore.web.handling import Store, Text, Who
from agentstore.web.links import id_in, session_path, with_query
from agentstore.web.marking import LARGEST_ORDINAL
from agentstore.web.rendering import WHOLE, Block, in_thread, input_block, message_parts, plain_html, result_block
from agentstore.web.templating import page

# So much is rendered as what it is (Markdown, a diff, code); a longer text is plain, and comes in parts.
_RENDERED = 200_000
_PART = 200_000
PARTS: dict[str, TextKind] = {"content": "content", "input": "input", "result": "result"}
Ordinal = Annotated[int, QueryParameter(ge=0, le=LARGEST_ORDINAL)]
Number = Annotated[int, QueryParameter(ge=0, le=2**40)]


@get("/sessions/{session_id:str}/text")
async def text(
    request: Request[Any, Any, Any],
    store: Store,
    viewer: Who,
    session_id: FromPath[str],
    at: Ordinal,
    part: Text = "content",
    tool: Text = "",
    call: Number = 0,
    first: Number = 0,
) -> Response[str]:
    """One text of a message or a call: all of it, or where it is very long the part from a character on."""
    id = id_in(session_id)
    if part not in PARTS:
        raise InvalidArgumentError(f"part: expected content, input or result, got {part!r}", field="part")
    found = await store.message_text(
        viewer.org, id, at, tool_use_id=tool, call_index=call, part=PARTS[part], first=first, characters=_PART
    )
    is_whole = first == 0 and found.total <= _RENDERED
    html = await _rendered(store, viewer, id, at, part, tool, call, found) if is_whole else plain_html(found.text)
    values = {"at": at, "part": part, "tool": tool, "call": call or ""}
    following = first + len(found.text)
    next = with_query(f"{session_path(id)}/text", {**values, "first": following}) if following < found.total else ""
    template = "text_part.html" if request.headers.get("x-part") else "text.html"
    return page(
        template, request, id=id, at=at, html=html, found=found, following=following, next=next, is_whole=is_whole
    )


async def _rendered(
    store: AsyncClickHouseStore, viewer: Viewer, id: str, at: int, part: str, tool: str, call: int, found: TextPart
) -> Any:
    if part == "content":
        parts = await in_thread(len(found.text), lambda: message_parts(found.text))
        return [one.html for one in parts]
    # What it is (shell, an edit, a file) is decided by the tool and by what it was given.
    window = await store.session_window(
        viewer.org, id, first_ordinal=at, last_ordinal=at, max_characters=2_000 if part == "result" else 1
    )
    known = next((one for one in window.tool_calls if (one.tool_use_id, one.call_index) == (tool, call)), None)
    if known is None:
        raise NotFoundError(f"no such call in message {at} of session {id!r}")
    block = await in_thread(len(found.text), lambda: _block(known, part, found.text))
    return [block.html] if block else []


def _block(call: ToolCall, part: str, text: str) -> Block | None:
    if part == "input":
        return input_block(msgspec.structs.replace(call, input_json=text), WHOLE)
    return result_block(msgspec.structs.replace(call, result_content=text), WHOLE)

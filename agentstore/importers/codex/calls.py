"""Tool calls and their results as rollouts hold them: JSON in texts, several shapes by tool and version.

Counted on real files (0.34: ``shell``, results ``{"output", "metadata": {"exit_code"}}`` in a text); read in Codex's
source and seen in fixtures: ``exec_command`` (a header with ``Process exited with code N``), ``shell_command``
(``Exit code: N``), custom tools whose input is raw text, results that are lists of parts, objects with ``success``, and
results of MCP tools with ``isError``.

What the provider runs inside of a response (web search, image generation) has neither a call's id nor a result. It is
no call here, but a line in the message; what is searched among tools (``tool_search_call``) has both, and is one.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import msgspec

from agentstore.importers.codex.records import dig, string, strings
from agentstore.importers.codex.speech import text_in
from agentstore.importers.jsonl import REFUSED, Record

CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call", "tool_search_call"})
RESULTS = frozenset(
    {"function_call_output", "custom_tool_call_output", "tool_search_output", "local_shell_call_output"}
)
HOSTED = frozenset({"web_search_call", "image_generation_call"})
_EXIT_CODE = re.compile(r"^(?:Process exited with code|Exit code:) (-?\d{1,10})\s*$", re.MULTILINE)
_HEADER = 2000  # of a result, where its exit code stands
_LONGEST_JSON = 64 * 1024 * 1024
# Ids that count calls of one turn or of one tool: those come again for other calls, unlike the ids of OpenAI's API.
_COUNTED_ID = re.compile(r"[\w.-]{0,80}[_:]\d{1,4}")


class Call(NamedTuple):
    id: str
    name: str
    arguments: Any


class Result(NamedTuple):
    id: str
    text: str
    is_error: bool = False


def call_of(payload: Record) -> Call:
    kind = strings(payload, "type")
    id = strings(payload, "call_id") or (strings(payload, "id") if kind == "local_shell_call" else "")
    if kind == "local_shell_call":
        return Call(id, "local_shell", payload.get("action") or {})
    if kind == "tool_search_call":
        return Call(id, "tool_search", _arguments(payload.get("arguments")))
    name = strings(payload, "name") or string(dig(payload, "function", "name")) or "(no name)"
    if kind == "custom_tool_call":
        return Call(id, name, _arguments(payload.get("input"), text_key="input"))
    return Call(id, _with_namespace(payload, name), _arguments(payload.get("arguments")))


def _with_namespace(payload: Record, name: str) -> str:
    space = strings(payload, "namespace")
    if not space.startswith("mcp__") or name.startswith(space):
        return name
    return f"{space.rstrip('_')}__{name}"


def _arguments(value: Any, text_key: str = "arguments") -> Any:
    """Arguments are an object in a text; what is no object is kept under one key."""
    decoded = _decoded(value) if isinstance(value, str) else value
    if isinstance(decoded, dict):
        return decoded
    return {text_key: value} if value is not None else {}


def may_come_again(id: str) -> bool:
    """Whether an id says so little that another call may have it, too."""
    return _COUNTED_ID.fullmatch(id) is not None


def result_of(payload: Record) -> Result:
    id, output = strings(payload, "call_id") or strings(payload, "id"), payload.get("output")
    if strings(payload, "type") == "tool_search_output":
        return Result(id, ", ".join(_tool_names(payload.get("tools"), 3)))
    if isinstance(output, dict):
        return _of_object(id, output, text_in(output) or text_in(output.get("content")) or strings(output, "output"))
    if isinstance(output, str):
        inner = _decoded(output)
        if isinstance(inner, dict):
            return _of_object(id, inner, _inner_text(inner, output))
        return Result(id, output, is_failure(exit_code_in(output)))
    text = text_in(output)
    return Result(id, text, is_failure(exit_code_in(text)))


def _inner_text(inner: Record, output: str) -> str:
    if isinstance(inner.get("output"), str) and "metadata" in inner:
        return string(inner["output"])
    if isinstance(inner.get("content"), list) and ("isError" in inner or "is_error" in inner):
        return text_in(inner["content"]) or output
    return output


def _of_object(id: str, value: Record, text: str) -> Result:
    code = dig(value, "metadata", "exit_code")
    failed = value.get("success") is False or value.get("isError") is True or value.get("is_error") is True
    return Result(id, text, failed or is_failure(code if type(code) is int else exit_code_in(text)))


def is_failure(code: Any) -> bool:
    return type(code) is int and code != 0


def exit_code_in(text: str) -> int | None:
    """What the header of a result says; what the command printed, below it, may look the same."""
    end = text.find("\nOutput:\n", 0, _HEADER)
    found = _EXIT_CODE.search(text, 0, end if end >= 0 else _HEADER)
    return int(found.group(1)) if found else None


def failed_call(payload: Record) -> str:
    """The id of the call that an ``…_end`` event says has failed; "" for every other event."""
    kind = strings(payload, "type")
    failed = (
        (kind == "exec_command_end" and is_failure(payload.get("exit_code")))
        or (kind in ("patch_apply_end", "dynamic_tool_call_response") and payload.get("success") is False)
        or (kind == "mcp_tool_call_end" and _mcp_failed(payload.get("result")))
    )
    return strings(payload, "call_id") if failed else ""


def _mcp_failed(result: Any) -> bool:
    return isinstance(result, dict) and ("Err" in result or dig(result, "Ok", "isError") is True)


def started_agent(text: str) -> str:
    """The thread that the result of ``spawn_agent`` names; "" where it names none."""
    return strings(_decoded(text[:_HEADER]), "agent_id", "thread_id", "new_thread_id")


def described_hosted(payload: Record) -> str:
    """What the provider did inside of the response, as a line of the message."""
    if strings(payload, "type") == "image_generation_call":
        return f"[Image generation: {strings(payload, 'revised_prompt')}]"
    action = payload.get("action")
    queries = dig(action, "queries")
    said = strings(action, "query", "url", "pattern") or strings(payload, "query")
    if not said and isinstance(queries, list):
        said = ", ".join(query for query in queries if isinstance(query, str))
    return f"[WebSearch: {said}]" if said else "[WebSearch]"


def starts_agents(name: str) -> bool:
    return name.rpartition("__")[2].rpartition(".")[2] in ("spawn_agent", "spawn_agents")


def _tool_names(tools: Any, depth: int) -> list[str]:
    names: list[str] = []
    for tool in tools if isinstance(tools, list) and depth else []:
        if name := strings(tool, "name"):
            names.append(name)
        names += _tool_names(dig(tool, "tools"), depth - 1)
    return names


def _decoded(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return msgspec.json.decode(text[:_LONGEST_JSON])
    except (*REFUSED, UnicodeEncodeError):
        return None

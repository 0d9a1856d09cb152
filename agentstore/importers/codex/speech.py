"""Who speaks in a message of role "user", and what it says.

Codex injects much into the conversation under the role of the user: instructions, the environment, skills, what other
agents report. Where a file has ``user_message`` events (or ``item_completed`` of a ``UserMessage``), they are what a
person typed, and nothing else is; the prefixes below decide in files without (the bare format), and until the first
event has come. They are read in Codex's source and in the files of several versions.
"""

from __future__ import annotations

import re
from typing import Any

from agentstore.importers.codex.records import strings

_TAGS = """
    INSTRUCTIONS user_instructions environment_context environments_context turn_aborted skill skills
    subagent_notification
    codex_internal_context recommended_plugins permissions collaboration_mode model_switch personality_spec hook_prompt
    apps_instructions plugins_instructions skills_instructions realtime_conversation goal_context user_action
    user_shell_command environments_instructions network_rule_saved token_budget context_window agent_message
    inter_agent_communication system_reminder multi_agent_mode image_generation_instructions memory memories
    EXTERNAL_SESSION_IMPORTED
"""
_INJECTED = re.compile(
    r"\s*(?:# AGENTS\.md instructions|AGENTS\.md instructions for|Another language model started to solve this problem"
    r"|Warning: (?:apply_patch was requested|Your account was flagged|The maximum number of)"
    rf"|<(?:{'|'.join(_TAGS.split())})[ >\s])"
)
# What an editor puts before a prompt; the prompt itself follows.
_FROM_EDITOR = re.compile(r"\s*# Context from my IDE setup:.{0,200000}?\n## My request for Codex:[ \t]*\n", re.DOTALL)
_IMAGE_TAG = re.compile(r"\s*(?:<image(?: [^<>\n]{0,300})?>|</image>)\s*")
# What of a response the model alone sees, or is shown as something else: the event of the message does not have it.
_NOT_SHOWN = ("oai-mem-citation", "proposed_plan")
_ENVIRONMENT = re.compile(r"\s*<environment_context>")
_DIRECTORY = re.compile(r"<cwd>([^<\n]{1,1000})</cwd>|^Current working directory: ([^\n]{1,1000})$", re.MULTILINE)
IMAGE = "[Image]"


def is_injected(text: str) -> bool:
    """Whether a message of role "user" was put there by Codex, by how it begins."""
    return _INJECTED.match(text) is not None


def directory_in(text: str) -> str:
    """The directory that an ``<environment_context>`` tells; "" for every other text."""
    found = _DIRECTORY.search(text, 0, 2000) if _ENVIRONMENT.match(text) else None
    return (found.group(1) or found.group(2)).strip() if found else ""


def request_of(text: str) -> str:
    """What was asked, without what an editor put before it."""
    found = _FROM_EDITOR.match(text)
    return text[found.end() :] if found else text


def shown(text: str) -> str:
    """What an event says of a response with this text."""
    left = text
    for tag in _NOT_SHOWN:
        start = left.find(f"<{tag}>")
        end = left.find(f"</{tag}>", start) if start >= 0 else -1
        if end >= 0:
            left = left[:start] + left[end + len(tag) + 3 :]
    return left.strip() or text


def contains_other(one: str, other: str) -> bool:
    """Whether one of two texts has all of the other, spaces aside; neither is empty."""
    one, other = "".join(one.split()), "".join(other.split())
    return bool(one and other) and (one in other or other in one)


def text_in(content: Any) -> str:
    """The text of a message's content: a text, a part or a list of parts; images as a mark."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else [content]
    return "\n".join(filter(None, map(_part, parts)))


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return ""
    text = strings(part, "text", "output_text", "input_text")
    if text:
        return "" if _IMAGE_TAG.fullmatch(text) else text
    kind = strings(part, "type").lower()
    return IMAGE if "image" in kind and any(part.get(key) for key in ("image_url", "url", "path", "file_id")) else ""

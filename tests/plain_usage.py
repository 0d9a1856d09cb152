"""What responses cost, read out of agents' files with nothing but ``json``: to compare with what a store has."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

Found = Counter[tuple[str, str]]  # (what is counted, model) → how much


def claude_code(path: Path) -> Found:
    """Of the lines of a response, known by its id, the one with the most output; of equal ones the last."""
    best: dict[str, dict[str, Any]] = {}
    for line in _records(path):
        # A subagent's messages may stand in its parent's file.
        data = line.get("data")
        record = data["message"] if isinstance(data, dict) and data.get("type") == "agent_progress" else line
        message = record.get("message")
        if record.get("type") != "assistant" or not isinstance(message, dict):
            continue
        if "usage" not in message or message.get("model") == "<synthetic>":
            continue
        known = best.setdefault(message.get("id") or record["uuid"], message)
        if message["usage"]["output_tokens"] >= known["usage"]["output_tokens"]:
            best[message.get("id") or record["uuid"]] = message
    found: Found = Counter()
    for message in best.values():
        usage, model = message["usage"], message["model"]
        found["cache_write_1h", model] += (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens", 0)
        found["reasoning", model] += (usage.get("output_tokens_details") or {}).get("thinking_tokens", 0)
        found["searches", model] += (usage.get("server_tool_use") or {}).get("web_search_requests", 0)
        if usage["service_tier"].isalnum():
            found[f"tier {usage['service_tier']}", model] += 1
        found["output", model] += usage["output_tokens"]
    return found


def codex(path: Path) -> Found:
    """Each change of the total is a response; repeated events are none."""
    found: Found = Counter()
    model, total, tier = "", None, ""
    for record in _records(path):
        payload = record.get("payload") or {}
        if record.get("type") == "turn_context":
            model = payload.get("model") or model
        if payload.get("type") == "thread_settings_applied":
            tier = payload["thread_settings"].get("service_tier") or ""
        if payload.get("type") != "token_count" or not (info := payload.get("info")):
            continue
        if info.get("total_token_usage", {}) != total and "last_token_usage" in info:
            total, last = info.get("total_token_usage"), info["last_token_usage"]
            found["reasoning", model] += last.get("reasoning_output_tokens", 0)
            found["output", model] += last["output_tokens"]
            if tier and any(last.values()):
                found[f"tier {tier}", model] += 1
    return found


def gemini(path: Path) -> Found:
    text = path.read_text()
    records = [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else [json.loads(text)]
    messages = [one for record in records for one in record.get("messages", [record])]
    found: Found = Counter()
    for message in {one["id"]: one for one in messages if "id" in one}.values():
        if spent := message.get("tokens"):
            found["reasoning", message.get("model", "")] += spent.get("thoughts", 0)
            found["output", message.get("model", "")] += spent["output"] + spent.get("thoughts", 0)
    return found


def opencode(path: Path) -> Found:
    """Of an export: reasoning is in its output."""
    found: Found = Counter()
    for message in json.loads(path.read_text())["messages"]:
        info = message["info"]
        if info["role"] == "assistant":
            found["reasoning", info["modelID"]] += info["tokens"]["reasoning"]
            found["output", info["modelID"]] += info["tokens"]["output"]
            found["cost", info["modelID"]] += round(info["cost"] * 10**9)
    return found


def nothing(path: Path) -> Found:
    """Agents that tell none of it."""
    return Counter()


READERS: dict[str, Callable[[Path], Found]] = {
    "claude-code": claude_code,
    "codex": codex,
    "gemini-cli": gemini,
    "opencode": opencode,
    "copilot-cli": nothing,
    "cursor": nothing,
    "swe-agent": nothing,
}


def _records(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_bytes().splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue  # torn
        if isinstance(record, dict):
            yield record

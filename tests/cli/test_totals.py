"""What the commands count, beside a plain sum over what ``export`` wrote: of other people's transcripts."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agentstore import AsyncClickHouseStore
from agentstore.ingest import ingest
from tests.cli.conftest import fresh_cli
from tests.cli.running import ROOT, Cli

TRANSCRIPTS = ROOT.parent / "shared" / "transcripts"
# Each as somebody's own, and nothing in them is there twice.
USERS = {
    "claude-code/charming-with-claude": "ada",
    "claude-code/entireio-cli": "ada",
    "claude-code/moredip-session-share": "jonas",
    "claude-code/obra-episodic-memory": "jonas",
    "codex": "mei",
    "gemini-cli/entireio-cli": "ada",
}
TOKENS = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
# Dollars for a million tokens: input, read from a cache, written to it for five minutes and for an hour, output.
PRICES = {
    "claude-opus-4-5-20251101": (5, 0.5, 6.25, 10, 25),
    "claude-haiku-4-5-20251001": (1, 0.1, 1.25, 2, 5),
}

pytestmark = pytest.mark.skipif(not TRANSCRIPTS.is_dir(), reason=f"no {TRANSCRIPTS} here")


class Exported:
    """All records of an export, and what of it counts."""

    def __init__(self, text: str) -> None:
        self.records: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for line in text.splitlines():
            record = json.loads(line)
            self.records[record.pop("type")].append(record)
        self.roots = {one["id"]: one for one in self.records["session"] if one["relationship_type"] != "subagent"}
        self.responses = list(self._responses())

    def _responses(self) -> Iterator[dict[str, Any]]:
        """Each API response once: of several rows of one that with the most output."""
        largest: dict[Any, dict[str, Any]] = {}
        for one in self.records["message"]:
            if one["model"] or one["output_tokens"]:
                key = one["source_id"] or (one["session_id"], one["ordinal"])
                known = largest.get(key)
                size = (one["output_tokens"], one["context_tokens"])
                if known is None or size > (known["output_tokens"], known["context_tokens"]):
                    largest[key] = one
        yield from largest.values()

    def started(self) -> Iterator[dt.datetime]:
        for one in self.roots.values():
            if one["started_at"]:
                yield dt.datetime.fromisoformat(one["started_at"]).astimezone(ZoneInfo("Europe/Berlin"))


@pytest.fixture(scope="module")
def real_cli() -> Iterator[Cli]:
    async def fill(dsn: str) -> None:
        async with AsyncClickHouseStore(dsn) as store:
            await store.ensure_schema()
            for place, user in USERS.items():
                async for _ in ingest(store, "local", places=TRANSCRIPTS / place, user=user, machine="m"):
                    pass

    for cli in fresh_cli():
        asyncio.run(fill(cli.dsn))
        yield cli


@pytest.fixture(scope="module")
def exported(real_cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    path: Path = tmp_path_factory.mktemp("export") / "all.jsonl"
    assert real_cli("export", "--output", str(path)).code == 0
    found = Exported(path.read_text())
    assert not any(one["copied_message_count"] for one in found.roots.values())
    return found


def rows(cli: Cli, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in cli(*arguments, "--json").lines]


def test_sessions_by_day_hour_user_and_project(real_cli: Cli, exported: Exported) -> None:
    days = {one["date"]: one["session_count"] for one in rows(real_cli, "days") if one["session_count"]}
    assert days == Counter(when.date().isoformat() for when in exported.started())
    heat = {(one["day_of_week"], one["hour"]): one["session_count"] for one in rows(real_cli, "heatmap")}
    assert heat == Counter((when.isoweekday(), when.hour) for when in exported.started())
    for command, key, field in (("users", "user_id", "user_id"), ("projects", "project_name", "project_name")):
        found = {one[key]: (one["session_count"], one["message_count"]) for one in rows(real_cli, command)}
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for one in exported.roots.values():
            sums[one[field]][0] += 1
            sums[one[field]][1] += sum(message["session_id"] == one["id"] for message in exported.records["message"])
        assert found == {key: tuple(amounts) for key, amounts in sums.items()}


def test_tokens_and_money_by_model(real_cli: Cli, exported: Exported) -> None:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    dollars: dict[str, float] = defaultdict(float)
    for one in exported.responses:
        usage = json.loads(one["token_usage"] or "{}")
        hour = (usage.get("cache_creation") or {}).get("ephemeral_1h_input_tokens", 0)
        amounts = [one[name] for name in TOKENS]
        sums[one["model"]] = [had + more for had, more in zip(sums[one["model"]], amounts, strict=True)]
        if price := PRICES.get(one["model"]):
            kinds = amounts[0], amounts[1], amounts[2] - hour, hour, amounts[3]
            dollars[one["model"]] += sum(map(float.__mul__, map(float, kinds), map(float, price))) / 1e6
    models = {one["model"]: [one[name] for name in TOKENS] for one in rows(real_cli, "models")}
    assert models == {model: amounts for model, amounts in sums.items() if amounts[-1]}
    [report] = rows(real_cli, "cost")
    costs = {one["key"]: one["cost_nanodollars"] / 1e9 for one in report["rows"]}
    assert {model: costs[model] for model in PRICES} == pytest.approx({model: dollars[model] for model in PRICES})
    for key in ("user", "project", "agent", "day", "session", "agent-model"):
        reports = rows(real_cli, "cost", "--by", key, "-n", "1000")
        found = [one["report"] if key == "agent-model" else one for one in reports]
        cost = sum(one["cost_nanodollars"] for part in found for one in part["rows"])
        # Each row is rounded by itself.
        assert cost == pytest.approx(report["total"]["cost_nanodollars"], abs=200)


def test_tools_commits_and_files(real_cli: Cli, exported: Exported) -> None:
    calls = exported.records["tool_call"]
    counts = Counter((one["tool_name"], one["tool_category"]) for one in calls)
    failed = Counter((one["tool_name"], one["tool_category"]) for one in calls if one["is_error"])
    for one in rows(real_cli, "tools"):
        key = one["tool_name"], one["category"]
        assert (one["usage_count"], one["error_count"]) == (counts[key], failed[key])
    links = rows(real_cli, "commits", "-n", "0")
    assert Counter((one["session_id"], one["commit_sha"], one["pr_url"]) for one in links) == Counter(
        (one["session_id"], one["commit_sha"], one["pr_url"]) for one in exported.records["git_link"]
    )
    paths = Counter(one["path"] for one in exported.records["file_touch"])
    [(path, count)] = paths.most_common(1)
    assert len(rows(real_cli, "files", "--anywhere", path, "-n", "0")) == count
    below = sum(count for path, count in paths.items() if path.startswith("src/"))
    assert len(rows(real_cli, "files", "--anywhere", "src/", "-n", "0")) == below

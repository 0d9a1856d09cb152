"""The main job in one go: start a local store, import agents' transcripts, print what a store can tell about them.

    make demo                              # the sample that comes with the package
    make demo FROM=~/.claude/projects      # your own
    make demo FROM=DIR FIND='some text'    # and what to search for

Or, with ``pip install 'agentstore[local,cli]'``: ``python examples/demo.py --from DIR --find TEXT --tz Europe/Berlin``.
Running it again imports the same files again and changes nothing: rows are known by their keys. Each directory is an
organisation of its own, so what was imported from one never shows up in another's numbers.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import sys
import time
from collections import Counter
from importlib.resources import files
from pathlib import Path

from demo_views import (
    console,
    show_days,
    show_end,
    show_heatmap,
    show_hits,
    show_import,
    show_models,
    show_session,
    show_sessions,
    show_tools,
    show_users,
)
from msgspec.structs import replace

from agentstore import AgentStoreError, AsyncClickHouseStore, SearchQuery, Session, SessionFilter
from agentstore.importers import ImportProblem, ImportResult, find_history, import_tree
from agentstore.ingest import ImportWriter

CHECKOUT = Path(__file__).resolve().parent.parent
SAMPLE = Path(str(files("agentstore") / "samples"))
SAMPLE_NEEDLE = "tide"
# In which Claude Code, Codex and Gemini CLI keep their history.
PLACES = ("projects", "sessions", "tmp")
LISTED_SESSIONS = 10
LISTED_MESSAGES = 12
LISTED_HITS = 5


class DemoError(Exception):
    """Something the person who runs the demo can put right."""


# --- import ----------------------------------------------------------------------------------------------------


async def import_transcripts(
    store: AsyncClickHouseStore, org: str, root: Path
) -> tuple[Counter[str], list[ImportProblem]]:
    """Bring every agent's transcripts below ``root`` into the store; what there was, and what could not be read."""
    counts: Counter[str] = Counter()
    problems: list[ImportProblem] = []
    writer = ImportWriter(store, org)
    for result in import_tree(root):
        await writer.write(with_owner(result, owner_of(Path(result.file), root)))
        if result.piece == 0:  # of a big file, later ones tell of the same sessions
            counts["transcripts"] += 1
            counts["sessions"] += len(result.sessions)
            counts["by subagents"] += sum(session.relationship_type == "subagent" for session in result.sessions)
        counts["messages"] += len(result.messages)
        counts["tool calls"] += len(result.tool_calls)
        counts["commits and pull requests"] += len(result.git_links)
        counts["records kept out"] += sum(result.skipped_records.values())
        counts["records of unknown type"] += sum(result.unknown_records.values())
        counts["problems"] += len(result.problems)
        problems += result.problems
    return counts, problems


def owner_of(file: Path, root: Path) -> str:
    """Whose transcript it is: the folder above that of an agent tells; without one it is yours."""
    folders = file.relative_to(root).parts if root.is_dir() else ()
    for place in PLACES:
        if place in folders[1:]:
            return folders[folders.index(place, 1) - 1]
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that nobody gave a name
        return "you"


def with_owner(result: ImportResult, user: str) -> ImportResult:
    """The same rows, made by ``user``."""
    return replace(
        result,
        sessions=[replace(session, user_id=user, user_name=user) for session in result.sessions],
        git_links=[replace(link, user_id=user) for link in result.git_links],
    )


def count_others(root: Path) -> int:
    """Files below ``root`` that are no agent's transcripts and stay where they are."""
    if not root.is_dir():
        return 0
    return sum(path.is_file() for path in root.rglob("*")) - sum(1 for _ in find_history(root))


# --- look ------------------------------------------------------------------------------------------------------


async def show(store: AsyncClickHouseStore, org: str, needle: str, tz: str) -> None:
    """Read everything back and print it."""
    page = await store.list_sessions(org, SessionFilter(limit=LISTED_SESSIONS))
    show_sessions(page)
    if not page.sessions:
        return
    session = max(page.sessions, key=lambda found: (found.message_count, found.id))
    messages = await store.get_session_messages(org, session.id, limit=LISTED_MESSAGES)
    show_session(session, messages, await store.get_session_tool_calls(org, session.id))
    needle = needle or telling_word(session)
    show_hits(needle, await store.search(org, SearchQuery(query=needle, limit=LISTED_HITS)))
    show_users(await store.usage_by_user(org, tz=tz))
    show_heatmap(await store.activity_heatmap(org, tz=tz), tz)
    show_tools(await store.tool_usage_distribution(org, tz=tz))
    show_days(await store.daily_activity(org, tz=tz), tz)
    show_models(await store.token_usage_by_model(org, tz=tz))


def telling_word(session: Session) -> str:
    """Something worth searching for when nobody said what: the longest word the session began with."""
    words = "".join(char if char.isalpha() else " " for char in session.first_message).split()
    return max(words, key=len, default="the")


async def run(source: str, needle: str, tz: str, target: str) -> None:
    """Import from ``source`` (the sample where it is "") into the store ``target``, and show it."""
    root = find_root(source)
    others = count_others(root)
    async with AsyncClickHouseStore(target) as store:
        await store.ensure_schema()
        org = str(root) if source else "sample"
        started = time.perf_counter()
        with console.status("importing …"):
            counts, problems = await import_transcripts(store, org, root)
        if not counts["transcripts"]:
            raise DemoError(f"no Claude Code transcripts in {root} ({others:,} other files)")
        show_import(root, counts, problems, others if source else 0, time.perf_counter() - started)
        await show(store, org, needle or ("" if source else SAMPLE_NEEDLE), tz)
        show_end(store.options.where)


def find_root(source: str) -> Path:
    """The directory to import from, absolute; a ``DemoError`` where there is none."""
    try:
        root = Path(source).expanduser().resolve() if source else SAMPLE
        exists = root.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise DemoError(f"cannot import from {source}: {error}") from None
    if not exists:
        raise DemoError(f"no such file or directory: {source}")
    return root


def default_store() -> str:
    """What the environment names, else a local store beside the checkout."""
    return os.environ.get("AGENTSTORE_DSN") or f"local:{CHECKOUT / '.agentstore-demo'}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Import Claude Code transcripts into a local store and look at them.")
    parser.add_argument("--from", dest="source", default="", metavar="DIR", help="default: the sample of the package")
    parser.add_argument("--find", default="", metavar="TEXT", help="what to search for")
    parser.add_argument("--tz", default="UTC", help="time zone of days and hours, like Europe/Berlin")
    parser.add_argument(
        "--store", default=default_store(), metavar="TARGET", help="default: AGENTSTORE_DSN, else local"
    )
    arguments = parser.parse_args()
    try:
        asyncio.run(run(arguments.source, arguments.find, arguments.tz, arguments.store))
    except (DemoError, AgentStoreError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""A small repository, and the session that wrote a file of it."""

from __future__ import annotations

import json
from pathlib import Path

from agentstore import AsyncClickHouseStore, FileTouch, GitLink, Message, Session, ToolCall
from agentstore.importers.projects import project_of
from tests.blame.replaying import git
from tests.builders import at

PATH = "src/tide.py"
WRITTEN = ["def height(moment):", "    return harmonics.sum_of_all(moment)"]
ADDED = "    # times are of Greenwich, always"
PERSONS = "SOMEBODY_WROTE_THIS = True"
PROMPT = "compute the height of the tide"
SECOND = "say which times these are"


def made(top: Path, path: str = PATH) -> str:
    """A repository in which two lines are committed, one is not, and one is a person's. Gives the commit."""
    file = top / path
    file.parent.mkdir(parents=True)
    git(top, "init", "-q", "-b", "main")
    file.write_text("".join(f"{line}\n" for line in WRITTEN))
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "The height", seconds=int(at(3).timestamp()))
    file.write_text("".join(f"{line}\n" for line in [WRITTEN[0], ADDED, WRITTEN[1], PERSONS]))
    return git(top, "rev-parse", "HEAD").strip()


async def stored(dsn: str, org: str, top: Path, sha: str, *, id: str = "tides", prompt: str = PROMPT) -> None:
    """The session whose calls wrote the file."""
    session = Session(
        id=id, user_id="ada", agent_type="claude-code", started_at=at(1), ended_at=at(5), message_count=4,
        user_message_count=2, first_message=prompt, project_id=project_of(str(top)).id, project_path=str(top),
        project_name="tideclock",
    )  # fmt: skip
    texts = [prompt, "I write it.", SECOND, "I add a comment."]
    messages = [
        Message(ordinal=number, session_id=id, role=("user", "assistant")[number % 2], content=text,
                timestamp=at(1 + number), source_id=f"m{number}")
        for number, text in enumerate(texts)
    ]  # fmt: skip
    write = {"file_path": str(top / PATH), "content": "".join(f"{line}\n" for line in WRITTEN)}
    edit = {"file_path": str(top / PATH), "old_string": WRITTEN[0], "new_string": f"{WRITTEN[0]}\n{ADDED}"}
    calls = [
        ToolCall(message_ordinal=1, session_id=id, tool_use_id="w", tool_name="Write", input_json=json.dumps(write),
                 result_content="File created successfully"),
        ToolCall(message_ordinal=3, session_id=id, tool_use_id="e", tool_name="Edit", input_json=json.dumps(edit)),
    ]  # fmt: skip
    async with AsyncClickHouseStore(dsn) as store:
        await store.ensure_schema()
        await store.write_session(org, session, messages, calls)
        await store.write_git_links(org, [GitLink(id, "commit", "high", commit_sha=sha, message_ordinal=1)])
        await store.write_file_touches(
            org,
            [
                FileTouch(id, PATH, "write", message_ordinal=1, tool_use_id="w", touched_at=at(2)),
                FileTouch(id, PATH, "edit", message_ordinal=3, tool_use_id="e", touched_at=at(4)),
            ],
        )

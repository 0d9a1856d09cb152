"""What one of Cursor's files says that has to be known when others are read."""

from __future__ import annotations

import pathlib
import re

import msgspec

from agentstore.importers.cursor import state_db, store_db
from agentstore.importers.cursor.blocks import blocks_of, text_in
from agentstore.importers.cursor.paths import META, SUBAGENTS, meta_in, root_of
from agentstore.importers.cursor.prompts import read_prompt
from agentstore.importers.cursor.sources import STATE, STORE, kind_of
from agentstore.importers.cursor.state_db import Where
from agentstore.importers.editors import WORKSPACE, cwd_of_workspace
from agentstore.importers.facts import Noted
from agentstore.importers.file_blocks import name_of, names_in, read_start
from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import read_records
from agentstore.importers.sqlite_files import open_database, with_log
from agentstore.importers.tools import text_of

VERSION = 1
_FIRST_PROMPT = 262_144
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Said(msgspec.Struct, array_like=True):
    """Of a transcript or the CLI's database: ``id`` (of a database), what the CLI says of it, and what a subagent was
    asked. Of an editor's database: the conversations in it, and what it says of these and of others; ``heads`` with the
    hash of a workspace. ``prompts`` are counted where several files have a conversation.
    """

    id: str = ""
    cwd: str = ""
    title: str = ""
    asked: str = ""
    folder: str = ""  # the directory of the workspace
    claims: list[str] = []
    heads: list[tuple[str, str, Where]] = []
    listed: list[tuple[str, Where]] = []
    parents: list[tuple[str, str]] = []
    prompts: dict[str, int] | None = None


def look_into(path: pathlib.Path, look: Intake, chat: pathlib.Path | None) -> Noted[Said]:
    """``chat`` is the CLI's folder of a transcript's session. ``OSError`` where the file cannot be read."""
    kind = kind_of(path)
    if kind == STATE:
        return _in_state(path, look)
    meta = meta_in(folder, look) if (folder := path.parent if kind == STORE else chat) else {}
    said = Said(cwd=text_of(meta, "cwd")[:4096], title=text_of(meta, "title")[:300])
    if kind == STORE:
        named = name_of(pathlib.Path(path.parent.name))
        # The folder is called as the session, but for copies that somebody made.
        said.id = named if _UUID.fullmatch(named) else store_db.agent_id(path, look.mask) or named
    elif path.parent.name == SUBAGENTS:
        said.asked = look.text(_first_prompt(path))
    return Noted(said)


def _in_state(path: pathlib.Path, look: Intake) -> Noted[Said]:
    said = Said(folder=cwd_of_workspace(path.parent, look))
    with open_database(path, lambda _reason: None, look.mask) as database:
        kept = (id for id, _ in state_db.kept_composers(database, lambda _reason: None))
        said.claims = list(dict.fromkeys([*state_db.composer_ids(database), *kept]))
        said.heads = list(state_db.heads(database))
        said.listed = list(state_db.where_in_workspace(path, database, look))
        said.parents = list(state_db.parents(database))
        is_whole = database.is_whole
    return Noted(said, is_whole=is_whole)


def files_beside(path: pathlib.Path) -> list[pathlib.Path]:
    """What belongs to a file alone: what the CLI says of its session, a database's log, the folder of a workspace."""
    kind = kind_of(path)
    if kind == STATE:
        return [*with_log(path), path.parent / WORKSPACE]
    if kind == STORE:
        return [*with_log(path), path.parent / META]
    root = root_of(path)
    chats = root / "chats" if root else None
    return [chats / name / path.stem / META for name in names_in(chats)] if chats else []


def _first_prompt(path: pathlib.Path) -> str:
    """What a subagent was asked to do."""
    for _, line in read_records(read_start(path, _FIRST_PROMPT), lambda _line, _reason: None):
        message = line.get("message")
        content = message.get("content") if isinstance(message, dict) else message
        return read_prompt(text_in(blocks_of(content))).text.strip() if line.get("role") == "user" else ""
    return ""

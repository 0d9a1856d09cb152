"""Claude Code's transcripts: the bytes of one file become one session, its messages, tool calls and git links.

What becomes a message, in the order of the file, ordinals from 0:

* one response of the model (all lines with the same ``message.id``, adjacent or not) is one message of role
  "assistant"; its usage is the snapshot with the most output; ``source_id`` is the message id, else the line's uuid
* a line of type ``user`` is a message of role "user" or "system" (the table is in ``prompts``); lines that only carry
  tool results are none, their results belong to the calls; injected lines (``isMeta``) are kept out, but for what
  other agents and sessions say
* a prompt that was queued while the model worked is one at the moment when it was taken out of the queue
  (``queue``); ``attachment/queued_command``, where there is such a record, is read like a ``user`` line
* local commands and recaps (``system/local_command``, ``system/away_summary``) are messages of role "system"
* everything else is kept out and counted by type; the messages of a subagent that ``progress`` carries become a session
  of their own where the subagent has no file (``agent_files``)

Lines of an old inline sidechain stay in the session that holds them; the prompts there, written by the agent, have
role "system". ``has_thinking`` means that a thinking block exists, even one whose text was withheld. Lengths are code
points. ``call_index`` is a call's position among the calls of its message.

A file may have been written again into itself (a resume by a newer version). That doubles nothing: responses are known
by message id, calls by tool id, prompts by time and content. When a file grows, the rows it had keep their ordinals;
they change only where a response goes on, or where a result or the name of a subagent comes later. What is remembered
is bounded: after 32 later messages a response is closed (``window``), of calls without a result the newest
200 wait (``calls``).
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping
from typing import BinaryIO

from agentstore.importers.claude_code.facts import Owner
from agentstore.importers.claude_code.identity import Identity
from agentstore.importers.claude_code.outputs import ReadOutput
from agentstore.importers.claude_code.reader import Around, Reader
from agentstore.importers.claude_code.scan import last_session_id
from agentstore.importers.importer import PIECE_BYTES, Options
from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import stretches, stretches_of
from agentstore.importers.pieces import pieces_of
from agentstore.importers.projects import Repositories
from agentstore.importers.results import ImportResult
from agentstore.importers.states import ImportState, Trace


def import_claude_code(
    data: bytes,
    *,
    file: str = "",
    user_id: str = "",
    user_name: str = "",
    machine: str = "",
    titles: Mapping[str, str] | None = None,
    agent_files: Collection[str] | None = None,
    read_output: ReadOutput | None = None,
    meta: bytes = b"",
    identity: Identity | None = None,
    repositories: Repositories | None = None,
    continues: str = "",
) -> ImportResult:
    """Read one transcript file. Never raises for anything the file contains; equal bytes give equal results.

    ``file`` is its path: it tells who the session is (``identity``), where the records do not, and which agent
    wrote it (``kin``). ``titles`` are titles found in other files (``ImportResult.titles``). A file in which
    nobody speaks has no session.

    ``agent_files`` are the ids of subagents that have a file of their own. The messages of others, where the transcript
    has them, become sessions beside this one. Without it none do: who knows one file only cannot tell, and both would
    count twice. ``read_output`` gets the name of a file in the session's folder ``tool-results`` and gives its text, or
    None. ``meta`` are the bytes of the ``agent-….meta.json`` beside a subagent's file.

    ``identity`` and ``repositories`` are what all files of a tree say (``import_claude_code_tree``): who the session is
    where several claim to be it, and which repository its directory is. Without them only the file itself tells.
    ``continues`` is the session whose file says that it goes on in this one (``ImportResult.continued_in``).
    """
    last = last_session_id(io.BytesIO(data), file) if identity is None else ""
    around = Around(titles or {}, agent_files, read_output, meta, identity, repositories, last, continues)
    reader = Reader(file, Owner(user_id, user_name, machine), around)
    (whole,) = pieces_of(reader, Trace(), stretches_of(data), len(data) + 1, Intake(file, Options()))
    return whole


def iter_claude_code(
    stream: BinaryIO,
    *,
    file: str = "",
    user_id: str = "",
    user_name: str = "",
    machine: str = "",
    titles: Mapping[str, str] | None = None,
    agent_files: Collection[str] | None = None,
    read_output: ReadOutput | None = None,
    meta: bytes = b"",
    identity: Identity | None = None,
    repositories: Repositories | None = None,
    continues: str = "",
    state: ImportState | None = None,
    piece_bytes: int = PIECE_BYTES,
    intake: Intake | None = None,
) -> Iterator[ImportResult]:
    """Read one transcript in pieces of about so many bytes, at least one, in bounded memory.

    The last row of each key in all pieces is the row that ``import_claude_code`` gives for the whole file. With the
    ``state`` of an earlier piece reading continues behind it, also after the file has grown; ``StaleStateError``, at
    once, if what was read before has changed. (The stream has to be seekable then.) A last line without an end is read,
    but no state passes it: its rows come again when it is complete. A line over 64 MiB is skipped, and a problem. Lines
    are masked and kept by ``intake``, where there is one.
    """
    last = ""
    if state is not None:
        state.open(stream)
    elif identity is None:
        last = last_session_id(stream, file)
    around = Around(titles or {}, agent_files, read_output, meta, identity, repositories, last, continues)
    reader = Reader(file, Owner(user_id, user_name, machine), around, state)
    return pieces_of(reader, Trace(stream, state), stretches(stream), piece_bytes, intake or Intake(file, Options()))

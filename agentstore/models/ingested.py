"""Records of what was read where: files of agents' history, and what was in them."""

from __future__ import annotations

from agentstore.models.record import Record


class SourceFile(Record, frozen=True):
    """A file of an agent's history as it was last read; its key is (machine, path, source_id).

    ``source_id`` is made from the agent, the file's name and its first line: the same file has it under another path or
    compressed. ``importer`` and ``importer_version``: what read it. ``root``: the place in which it was found.
    ``stat`` is what the file system said of it, and of files beside it, when it was read, as text; "" where that proves
    nothing. ``context``: a digest of what other files say about it. ``size``: bytes that were read, uncompressed.
    ``outcome``: "read", or why not ("purged", "deleted", "replaced" by another file there …). ``session_ids``: the
    sessions that are stored from it. ``original_id``: under which its records are kept, "" where they are not.
    ``state`` and ``facts`` are packed: where reading goes on (``ImportState``), and what it says about other files.
    """

    path: str
    org_id: str = ""
    machine: str = ""
    source_id: str = ""
    importer: str = ""
    importer_version: int = 0
    root: str = ""
    user_id: str = ""
    user_name: str = ""
    stat: str = ""
    context: str = ""
    size: int = 0
    outcome: str = "read"
    session_ids: tuple[str, ...] = ()
    original_id: str = ""
    state: bytes = b""
    facts: bytes = b""


class OriginalPart(Record, frozen=True):
    """Records of a file as they were, but for secrets: its bytes ``start`` to ``end``; its key is (original_id, file,
    start).

    ``file`` is "" for the file that ``original_id`` is about, else the name of one that lies beside it. ``session_id``
    is the session that the file holds, "" while it has none. ``data`` may be shorter or longer than ``end - start``:
    secrets are replaced by markers.
    """

    original_id: str
    file: str = ""
    start: int = 0
    end: int = 0
    org_id: str = ""
    session_id: str = ""
    data: bytes = b""

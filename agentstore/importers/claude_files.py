"""Claude Code's transcript files on disk: finding them, and importing a whole tree of them."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Iterator

from agentstore.importers.claude_code import import_claude_code
from agentstore.importers.claude_lines import Line, lenient
from agentstore.importers.jsonl import read_records
from agentstore.importers.results import ImportProblem, ImportResult

# Files that share the folders and the suffix, and are no transcripts.
_NO_TRANSCRIPTS = frozenset({"history.jsonl", "journal.jsonl"})
_HEAD_BYTES = 65536
# What only Claude Code writes into the first records of a file; other agents' files may lie in the same tree.
_MARKERS = re.compile(
    rb'"(?:parentUuid|leafUuid|customTitle|aiTitle|permissionMode|lastPrompt)"\s*:'
    rb'|"type"\s*:\s*"(?:queue-operation|file-history-snapshot)"'
    rb'|"type"\s*:\s*"(?:user|assistant)"[^\n]{0,2000}"sessionId"[^\n]{0,2000}"message"\s*:\s*\{'
)
# What only Claude Code calls its files. Such a file is a transcript even where its content was destroyed.
_NAME = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|agent-.+")
_SUMMARY = re.compile(rb'"type"\s*:\s*"summary"')


def find_claude_code(root: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yield all Claude Code transcripts below ``root`` (or ``root`` itself, if it is a file), each once, in a fixed
    order: folder by folder, and a session's subagents before the session, so that what is visible is complete.

    Symbolic links to folders are not followed. A file that cannot be read is yielded: its import says why.
    """
    top = pathlib.Path(root)
    if top.is_file():
        yield top
        return
    names = (
        pathlib.Path(folder, name)
        for folder, _, files in os.walk(top)
        for name in files
        if name.endswith(".jsonl") and name not in _NO_TRANSCRIPTS
    )
    # Sorted, for os.walk comes in the order of the file system: two imports of one tree would differ.
    yield from filter(_is_transcript, sorted(names, key=_order))


def import_claude_code_tree(
    root: str | os.PathLike[str], *, user_id: str = "", user_name: str = "", machine: str = ""
) -> Iterator[ImportResult]:
    """Import every transcript below ``root``, one result per file in the order of ``find_claude_code``.

    One file is in memory at a time. Files are read twice: the first time for the titles they give to each other. A file
    that cannot be read is a result with one problem (line 0); nothing raises but a missing ``root``.
    """
    if not pathlib.Path(root).exists():
        raise FileNotFoundError(f"no such file or directory: {os.fspath(root)}")
    # All titles first: the file that has a conversation's title may come after the conversation.
    files = list(find_claude_code(root))
    titles: dict[str, str] = {}
    for path in files:
        titles |= _titles(path)
    for path in files:
        # Names that are no UTF-8 have surrogates in Python, which no row can hold.
        name = os.fsencode(path.as_posix()).decode("utf-8", errors="replace")
        try:
            data = path.read_bytes()
        except OSError as error:
            yield ImportResult(file=name, problems=[ImportProblem(name, 0, f"cannot be read: {error.strerror}")])
            continue
        yield import_claude_code(data, file=name, user_id=user_id, user_name=user_name, machine=machine, titles=titles)


def _titles(path: pathlib.Path) -> dict[str, str]:
    """The summaries of a file by the record that each one names. Only lines that may be a summary are parsed."""
    try:
        data = path.read_bytes()
    except OSError:
        return {}  # the import of this file reports it
    starts = {data.rfind(b"\n", 0, found.start()) + 1 for found in _SUMMARY.finditer(data)}
    lines = b"".join(data[start : (data.find(b"\n", start) + 1) or len(data)] for start in sorted(starts))
    records = [record for _, record in read_records(lines, lambda _line, _reason: None)]
    summaries = [lenient(Line, record) for record in records if record.get("type") == "summary"]
    return {line.leafUuid: line.summary for line in summaries if line.leafUuid and line.summary}


def _order(path: pathlib.Path) -> tuple[str, str, bool, str]:
    """Folder, session, whether it is the session itself, path. False sorts first, so subagents come before it."""
    folders = path.parts[:-1]
    if "subagents" in folders:
        above = folders.index("subagents") - 1
        return "/".join(folders[:above]), folders[above], False, path.as_posix()
    own = "" if path.name.startswith("agent-") else path.stem
    return "/".join(folders), own, True, path.as_posix()


def _is_transcript(path: pathlib.Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return True
    if _MARKERS.search(head):
        return True
    # Other agents use the same names, but for files that hold JSON.
    return _NAME.fullmatch(path.stem) is not None and not head.lstrip().startswith(b"{")

"""Claude Code's transcript files on disk: finding them, and importing a whole tree of them."""

from __future__ import annotations

import functools
import os
import pathlib
import re
import stat
from collections.abc import Iterator, Sequence

from agentstore.importers.claude_code.identity import order_of, place_of
from agentstore.importers.claude_code.kin import CLAUDE_CODE, HEAD, agent_of
from agentstore.importers.claude_code.transcript import iter_claude_code
from agentstore.importers.claude_code.tree import Tree
from agentstore.importers.file_blocks import name_of, read_start
from agentstore.importers.importer import NO_FACTS, PIECE_BYTES, FileFacts, Options
from agentstore.importers.intake import Intake
from agentstore.importers.results import ImportProblem, ImportResult, by_session
from agentstore.importers.states import ImportState

# Files that share the folders and the suffix, and are no transcripts.
_NO_TRANSCRIPTS = frozenset({"history.jsonl", "journal.jsonl"})
_MOST_META = 65536
_MOST_OUTPUT = 64 * 1024 * 1024
# What only Claude Code writes into the first records of a file; other agents' files may lie in the same tree.
_MARKERS = re.compile(
    rb'"(?:parentUuid|leafUuid|customTitle|aiTitle|permissionMode|lastPrompt)"\s*:'
    rb'|"type"\s*:\s*"(?:queue-operation|file-history-snapshot)"'
    rb'|"type"\s*:\s*"(?:user|assistant)"[^\n]{0,2000}"sessionId"[^\n]{0,2000}"message"\s*:\s*\{'
)
# What only Claude Code calls its files. Such a file is a transcript even where its content was destroyed.
_NAME = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|agent-.+")
_HELD = "file/held by another"


def find_claude_code(root: str | os.PathLike[str], *, others: bool = False) -> Iterator[pathlib.Path]:
    """Yield all Claude Code transcripts below ``root`` (or ``root`` itself, if it is a file), each once, in a fixed
    order: folder by folder, and a session's subagents before the session, so that what is visible is complete.

    Symbolic links to folders are not followed; pipes and devices are not opened. A file that cannot be read is yielded:
    its import says why. ``others``: also files of other agents that have the same shape (``kin``).
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
    for path in sorted(names, key=lambda path: order_of(path.as_posix())):
        if _is_transcript(path, others=others):
            yield path


def import_claude_code_tree(
    root: str | os.PathLike[str],
    *,
    user_id: str = "",
    user_name: str = "",
    machine: str = "",
    others: bool = False,
    local_git: bool = False,
    piece_bytes: int = PIECE_BYTES,
) -> Iterator[ImportResult]:
    """Import every transcript below ``root``, one result per file in the order of ``find_claude_code``; of a file of
    more than ``piece_bytes`` several, one after the other (``ImportResult.piece``). No result has rows of two sessions:
    subagents that have no file, and are embedded in that of their session, come before it as ``file#agent-<id>``.

    A piece of one file is in memory at a time. Files are read twice: the first time for what they say about each other
    (``tree``). Of files that hold one session the one that has all of it is imported; the others' results say
    only that they were held. A file that cannot be read is a result with one problem (line 0); nothing raises but a
    missing ``root``.

    ``others``: also files of Qwen Code, iFlow and the like, under an ``agent_type`` of their own. ``local_git``: the
    transcripts were made on this machine, so that the remote of a session's directory may be read from its
    ``.git/config`` (``git_directory``); without it only what the records say tells which repository a project is.
    """
    if not pathlib.Path(root).exists():
        raise FileNotFoundError(f"no such file or directory: {os.fspath(root)}")
    options = Options(
        user_id=user_id, user_name=user_name, machine=machine, local_git=local_git, piece_bytes=piece_bytes
    )
    history = ClaudeHistory(list(find_claude_code(root, others=others)), options)
    for path in history.files:
        try:
            yield from history.read(path)
        except OSError as error:
            name = name_of(path)
            yield ImportResult(file=name, problems=[ImportProblem(name, 0, f"cannot be read: {error.strerror}")])


class ClaudeHistory:
    """Files that are read together: who they are, their titles and their projects depend on each other (``tree``)."""

    def __init__(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> None:
        self.files = sorted(files, key=lambda path: order_of(path.as_posix()))
        self._options = options
        self._tree = Tree(self.files, name_of, options, known, grown)

    def facts(self, path: pathlib.Path) -> bytes:
        return self._tree.facts(path)

    def context(self, path: pathlib.Path) -> bytes:
        return self._tree.context(path)

    def read(self, path: pathlib.Path, state: ImportState | None = None) -> Iterator[ImportResult]:
        """As ``iter_claude_code``, with what the other files say."""
        name, tree, told, options = name_of(path), self._tree, self._tree.told(path), self._options
        if told.is_held:
            yield ImportResult(file=name, skipped_records={_HELD: 1})
            return
        intake = Intake(name, options)
        with path.open("rb") as stream:
            pieces = iter_claude_code(
                stream,
                file=name,
                user_id=options.user_id,
                user_name=options.user_name,
                machine=options.machine,
                titles=tree.titles,
                agent_files=told.agent_files,
                read_output=functools.partial(_saved_output, path, intake),
                meta=_meta_beside(path, intake),
                identity=told.identity,
                repositories=tree.repositories,
                continues=tree.continues(path),
                state=state,
                piece_bytes=options.piece_bytes,
                intake=intake,
            )
            yield from by_session(pieces)


def files_beside(path: pathlib.Path) -> list[pathlib.Path]:
    """The file that says what a subagent was asked to do.

    Long results, which have files of their own too, are not among them: they are written before the line that names
    them, and never again. Were they looked at, each one would have its whole session read anew.
    """
    return [path.with_name(f"{path.stem}.meta.json")] if path.name.startswith("agent-") else []


def _meta_beside(path: pathlib.Path, intake: Intake) -> bytes:
    """The text of that file; b"" where there is none that can be read."""
    return next((_read_beside(one, _MOST_META, intake) or b"" for one in files_beside(path)), b"")


def _saved_output(path: pathlib.Path, intake: Intake, name: str) -> str | None:
    """A result that was too long for the transcript: it is in the folder of the session, also for its subagents."""
    place = place_of(name_of(path))
    folder = pathlib.Path(*path.parts[: len(place.folders) + 1]) if place.session_folder else path.with_suffix("")
    data = _read_beside(folder / "tool-results" / name, _MOST_OUTPUT, intake)
    return data.decode("utf-8", errors="replace") if data is not None else None


def _read_beside(path: pathlib.Path, most: int, intake: Intake) -> bytes | None:
    """A file that belongs to a transcript. No link: who made the transcripts may not choose what else is read."""
    try:
        if path.is_symlink() or path.parent.is_symlink():
            return None
        return intake.whole(read_start(path, most), path)
    except (OSError, ValueError):
        return None


def _is_transcript(path: pathlib.Path, *, others: bool) -> bool:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        head = read_start(path, HEAD)
    except OSError:
        return True
    return (others or agent_of(path.as_posix(), head) == CLAUDE_CODE) and is_transcript(path, head)


def is_transcript(path: pathlib.Path, head: bytes) -> bool:
    """Whether a file has this shape, by its name and its first bytes."""
    if path.suffix != ".jsonl" or path.name in _NO_TRANSCRIPTS:
        return False
    if _MARKERS.search(head):
        return True
    # Other agents use the same names, but for files that hold JSON.
    return _NAME.fullmatch(path.stem) is not None and not head.lstrip().startswith(b"{")

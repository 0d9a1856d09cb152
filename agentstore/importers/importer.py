"""What an importer of one agent's history is: where the agent keeps it, which files are it, and how they are read."""

from __future__ import annotations

import pathlib
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from agentstore.importers.results import ImportResult
from agentstore.importers.states import ImportState

System = Literal["linux", "macos", "windows"]
HEAD = 65536  # bytes of a file that ``detect`` is given
PIECE_BYTES = 16 * 1024 * 1024


class Home(msgspec.Struct, frozen=True):
    """Whose history is looked for, and on what kind of system: where agents keep it depends on nothing else.

    ``environ`` are the environment's variables, since some agents have one that names another place.
    """

    path: pathlib.PurePath
    system: System
    environ: Mapping[str, str] = {}


class Options(msgspec.Struct, frozen=True):
    """What a transcript does not tell, and how much of it is read at a time.

    ``local_git``: the transcripts were made on this machine, so that the remote of a session's directory may be read
    from its ``.git/config``; without it only what the records say tells which repository a project is.

    ``mask`` takes secrets out of bytes before they are parsed: whole lines of a file, a whole document, or a text of a
    database, and gives back bytes of the same shape (``masking.Masker().mask``). States, and ids that have no secret
    in them, stay what they are. ``keep_original``: results have the masked bytes that they were made of (``Original``).
    """

    user_id: str = ""
    user_name: str = ""
    machine: str = ""
    local_git: bool = False
    piece_bytes: int = PIECE_BYTES
    mask: Callable[[bytes], bytes] | None = None
    keep_original: bool = False


FileFacts = Mapping[pathlib.Path, bytes]
"""What was found in each file that others need to know, packed; who keeps it need not understand it."""
NO_FACTS: FileFacts = types.MappingProxyType({})


class History(Protocol):
    """Files of one agent that are read together, since they may tell about each other."""

    @property
    def files(self) -> Sequence[pathlib.Path]:
        """The files in the order in which they are best read: what a session in a list needs comes before it."""
        ...

    def read(self, path: pathlib.Path, state: ImportState | None = None) -> Iterator[ImportResult]:
        """The results of one of the files, in order; no result has rows of two sessions.

        Never raises for what a file contains. ``OSError`` where it cannot be read, and ``StaleStateError``, at once,
        where it is not the file any more that ``state`` was given for.
        """
        ...

    def facts(self, path: pathlib.Path) -> bytes:
        """What this file says about others and about who it is, to be kept with its size and times and given to a later
        ``survey``; b"" where there is nothing to keep. It follows from the file's bytes and the options alone."""
        ...

    def context(self, path: pathlib.Path) -> bytes:
        """A digest of all that other files (and git on this machine) say which changes what ``read(path)`` gives; b""
        where nothing from outside matters. Equal contexts and equal bytes (its own, and those of what is ``beside`` but
        not ``around`` it) give equal results."""
        ...


class Importer(Protocol):
    """One agent's importer. It has no state: it may be used by threads at the same time."""

    name: str
    """The ``agent_type`` of its sessions (agents that write files of the same shape may have others)."""

    version: int
    """Of what it makes of a file's bytes. It is raised where a better importer should read everything again: what was
    imported by a lower version counts as changed, facts and states of it are not used."""

    def places(self, home: Home) -> list[pathlib.PurePath]:
        """The folders and files where this agent keeps its history, whether they exist or not."""
        ...

    def detect(self, path: pathlib.Path, head: bytes) -> bool:
        """Whether a file, by its path and its first ``HEAD`` bytes, is history of this agent that ``read`` takes."""
        ...

    def beside(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        """Other files and folders, which may be missing, whose size and times have to be looked at together with those
        of ``path`` to know that nothing changed: what ``read`` and ``survey`` open beside it. No file is opened."""
        ...

    def around(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        """Those of them that many files share, an index of titles say. A change of one calls for a survey, and
        ``context`` tells whether it matters to ``path``: which need not be read because of the change alone."""
        ...

    def survey(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> History:
        """Look at all files of this agent, as far as is needed to read each of them rightly. A file that cannot be read
        is left to ``read``, which says why.

        ``known`` are the facts of files that have not changed since (nor has what is ``beside`` but not ``around``
        them): these are not opened, unless others make more of
        them necessary (two files that claim to be one session). ``grown`` are facts of files that have changed: they
        are continued where the file only got longer. Facts of another version are made again.
        """
        ...

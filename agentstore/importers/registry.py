"""All importers, and what is the same for all: whose a file is, and reading everything below a folder."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterable, Iterator, Sequence

from agentstore.importers.agentsview.importer import AgentsView
from agentstore.importers.antigravity.importer import Antigravity
from agentstore.importers.claude_code.importer import ClaudeCode
from agentstore.importers.codex.importer import Codex
from agentstore.importers.copilot.importer import Copilot
from agentstore.importers.copilot.vscode import VSCodeCopilot
from agentstore.importers.cursor.importer import Cursor
from agentstore.importers.file_blocks import is_regular, name_of, read_start
from agentstore.importers.gemini.importer import Gemini
from agentstore.importers.importer import HEAD, Home, Importer, Options, System
from agentstore.importers.opencode.importer import OpenCode
from agentstore.importers.pi.importer import Pi
from agentstore.importers.results import ImportProblem, ImportResult
from agentstore.importers.swe_agent.importer import SweAgent

Roots = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

# Asked in this order whose a file is: those that know theirs for sure come first.
IMPORTERS: tuple[Importer, ...] = (
    Copilot(),
    VSCodeCopilot(),
    Cursor(),
    ClaudeCode(),
    Codex(),
    Gemini(),
    Antigravity(),
    OpenCode(),
    Pi(),
    SweAgent(),
    AgentsView(),
)  # fmt: skip


def importer_named(name: str) -> Importer:
    """The importer of this name; ``LookupError`` names those there are."""
    for importer in IMPORTERS:
        if importer.name == name:
            return importer
    known = ", ".join(importer.name for importer in IMPORTERS)
    raise LookupError(f"no importer is called {name!r}; there are: {known}")


def this_home() -> Home:
    """Of the user who runs this program."""
    system: System = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")  # type: ignore[assignment]
    return Home(pathlib.Path.home(), system, os.environ)


def known_places(home: Home | None = None, importers: Sequence[Importer] = IMPORTERS) -> list[pathlib.Path]:
    """The folders and files where agents keep their history, those that exist; none lies in another one of them."""
    told = {pathlib.Path(place) for importer in importers for place in importer.places(home or this_home())}
    # Not Path.exists(), which raises where it may not look.
    there = sorted(place for place in told if os.path.exists(place))
    return [place for place in there if not any(place.is_relative_to(other) for other in there if other != place)]


def importer_of(path: str | os.PathLike[str], importers: Sequence[Importer] = IMPORTERS) -> Importer | None:
    """Whose history a file is; None where it is nobody's. ``OSError`` where it cannot be read."""
    file = pathlib.Path(path)
    head = read_start(file, HEAD)
    return next((importer for importer in importers if importer.detect(file, head)), None)


def find_history(
    root: Roots, importers: Sequence[Importer] = IMPORTERS
) -> Iterator[tuple[Importer | None, pathlib.Path]]:
    """Yield every file of history below ``root``, a folder or a file or several of them, and whose it is, each once and
    in the order of their paths; None: it, or all that is in this folder, could not be read.

    Symbolic links to folders are not followed; pipes and devices are not opened.
    """
    unreadable: list[pathlib.Path] = []
    for path in sorted({path for top in _tops(root) for path in _files(top, unreadable)}):
        try:
            importer = importer_of(path, importers) if is_regular(path) else None
        except OSError:
            yield None, path
            continue
        if importer is not None:
            yield importer, path
    yield from ((None, folder) for folder in sorted(unreadable))


def import_tree(
    root: Roots, options: Options | None = None, importers: Sequence[Importer] = IMPORTERS
) -> Iterator[ImportResult]:
    """Import all history below ``root``, a folder or a file or several of them (``known_places()``), agent by agent; of
    each file one result or several. What files say about each other counts wherever they lie.

    Nothing raises but a missing ``root`` (``FileNotFoundError``): a file that cannot be read is a result with one
    problem.
    """
    tops = _tops(root)
    for top in tops:
        if not top.exists():
            raise FileNotFoundError(f"no such file or directory: {top}")
    found: dict[Importer, list[pathlib.Path]] = {importer: [] for importer in importers}
    for importer, path in find_history(tops, importers):
        if importer is None:
            yield _unreadable(path, "it could not be opened")
        else:
            found[importer].append(path)
    for importer, files in found.items():
        history = importer.survey(files, options or Options())
        for path in history.files:
            try:
                yield from history.read(path)
            except OSError as error:
                yield _unreadable(path, error.strerror or str(error))


def _tops(root: Roots) -> list[pathlib.Path]:
    return [pathlib.Path(root)] if isinstance(root, str | os.PathLike) else [pathlib.Path(one) for one in root]


def _files(top: pathlib.Path, unreadable: list[pathlib.Path]) -> Iterator[pathlib.Path]:
    # Whoever takes them sorts them: os.walk comes in the order of the file system, and two imports would differ.
    if top.is_file():
        yield top
        return
    for folder, _, files in os.walk(top, onerror=lambda error: unreadable.append(pathlib.Path(error.filename))):
        for name in files:
            yield pathlib.Path(folder, name)


def _unreadable(path: pathlib.Path, reason: str) -> ImportResult:
    name = name_of(path)
    return ImportResult(file=name, problems=[ImportProblem(name, 0, f"cannot be read: {reason}")])

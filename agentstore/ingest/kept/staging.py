"""Several files that are written together: all are on the disk before the first of them has its name. It blocks."""

from __future__ import annotations

import contextlib
import os
import pathlib
import secrets
from collections.abc import Iterable, Iterator

from agentstore.errors import AlreadyThereError
from agentstore.models import OriginalPart


class Staging:
    """Files under temporary names beside their own; ``paths`` are all that will be there."""

    def __init__(self, *, overwrite: bool) -> None:
        self._overwrite = overwrite
        self._staged: dict[pathlib.Path, pathlib.Path] = {}
        self._conflicts: list[pathlib.Path] = []
        self.paths: list[pathlib.Path] = []

    def add(self, target: pathlib.Path, parts: Iterable[OriginalPart], *, is_shared: bool = False) -> None:
        """Write a file under a temporary name, unless it is there as it is to be. The first of one path counts.
        ``is_shared``: one that is there is left, whatever is in it."""
        if target in self.paths or (is_shared and os.path.lexists(target)):
            return
        self.paths.append(target)
        parts = list(parts)
        if os.path.lexists(target):
            if _is_same(target, parts):
                return
            if not self._overwrite or not target.is_file() or target.is_symlink():
                self._conflicts.append(target)
                return
        _make_folders(target.parent)
        temporary = target.with_name(f".{secrets.token_hex(8)}.tmp")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            self._staged[target] = temporary
            for part in parts:
                stream.write(part.data)
            stream.flush()
            os.fsync(stream.fileno())

    def put(self) -> None:
        """Give all files their names; ``AlreadyThereError`` before that, where one is another's."""
        if self._conflicts:
            raise _already_there(self._conflicts)
        for target, temporary in list(self._staged.items()):
            if self._overwrite:
                temporary.replace(target)
            else:
                _put_new(temporary, target)
            del self._staged[target]
        for folder in {path.parent for path in self.paths}:
            _settle(folder)

    def clear(self) -> None:
        """Take away what has no name yet."""
        for temporary in self._staged.values():
            with contextlib.suppress(OSError):
                temporary.unlink()


def _put_new(temporary: pathlib.Path, target: pathlib.Path) -> None:
    """Not over a file that somebody has written since it was looked for."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise _already_there([target]) from None
    except OSError:  # a file system without links
        temporary.replace(target)
        return
    temporary.unlink()


def _already_there(paths: list[pathlib.Path]) -> AlreadyThereError:
    names = [os.fspath(path) for path in paths]
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return AlreadyThereError(f"{names[0]}{more}: there already, with other bytes", paths=names, hint="overwrite=True")


def _is_same(path: pathlib.Path, parts: Iterable[OriginalPart]) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return all(stream.read(len(part.data)) == part.data for part in parts) and not stream.read(1)
    except OSError:
        return False


def _make_folders(folder: pathlib.Path) -> None:
    """Those that are missing, for nobody else to look into."""
    for one in reversed(list(_missing(folder))):
        one.mkdir(mode=0o700, exist_ok=True)


def _missing(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    while not folder.exists() and folder != folder.parent:
        yield folder
        folder = folder.parent


def _settle(folder: pathlib.Path) -> None:
    """The names are on the disk, too; not every system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

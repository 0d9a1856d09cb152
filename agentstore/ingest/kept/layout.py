"""Where files of other machines, under whatever names, are written below a folder of this one.

A path says who a session is: the importers read names of files and of the folders above them. So it is kept as it was,
from the root of its file system on, but for what would lead out of the folder, or fits no file system.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import pathlib
import re
import unicodedata
from collections.abc import Mapping
from typing import NamedTuple

_SEPARATORS = re.compile(r"[/\\]+")
_DRIVE = re.compile(r"[A-Za-z]:")
_REFUSED_BY_WINDOWS = re.compile(r'[\x00-\x1f<>:"|?*]|[ .]+\Z')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE | re.DOTALL)
# Most file systems take 255 bytes a name and 4,096 a path; a part of these is for the folder itself.
_MOST_NAME, _MOST_PATH = 240, 3000
_SUFFIX = 24

Parts = tuple[str, ...]


class Target(NamedTuple):
    """Where a file goes, and those beside it, by their names."""

    path: pathlib.Path
    beside: dict[str, pathlib.Path]


def parts_of(name: str) -> Parts:
    """The names of a path, each one that any file system takes: none leads up, none is a drive. At least one."""
    names = [name for name in _SEPARATORS.split(name) if name not in ("", ".")]
    if names and _DRIVE.fullmatch(names[0]):
        names[0] = names[0][0]
    clean = [_clean(name) for name in names] or ["_"]
    size = sum(len(os.fsencode(name)) + 1 for name in clean)
    dropped: list[str] = []
    while size > _MOST_PATH and len(clean) > 1:
        size -= len(os.fsencode(clean[0])) + 1
        dropped.append(clean.pop(0))
    return (*([_digest("/".join(dropped))] if dropped else []), *clean)


def parts_beside(own: Parts, file: str) -> Parts | None:
    """A file that lies beside the one with these parts; None where its path leads out of everything, or to no file."""
    folder = list(own[:-1])
    names = [name for name in _SEPARATORS.split(file) if name not in ("", ".")]
    if not names or names[-1] == "..":
        return None
    for name in names:
        if name != "..":
            folder.append(_clean(name))
        elif folder:
            folder.pop()
        else:
            return None
    return tuple(folder)


def _clean(name: str) -> str:
    name = "__" if name == ".." else name.replace("\0", "\ufffd")
    name = name.encode("utf-8", errors="replace").decode()
    if os.name == "nt":
        name = _REFUSED_BY_WINDOWS.sub("_", name)
        name = f"_{name}" if _RESERVED.fullmatch(name) else name
    if len(name.encode()) <= _MOST_NAME:
        return name
    suffix = "".join(pathlib.PurePath(name).suffixes)
    suffix = suffix if len(suffix.encode()) <= _SUFFIX else ""
    return name.encode()[: _MOST_NAME - 64].decode(errors="ignore") + f"~{_digest(name)}{suffix}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


class Layout:
    """Gives each file a place of its own below ``folder``. Nothing is written.

    Where one would overwrite another, or the file beside another with other bytes, it gets the same path below another
    folder. Also on file systems that do not tell cases apart.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        self._claims: list[_Claims] = []

    def place(self, name: str, beside: Mapping[str, bytes]) -> Target:
        """``beside``: digests of the files beside it, by their paths from its folder."""
        own = parts_of(name)
        alone = _Claims()
        alone.take({_key(own): b""})
        others: dict[str, Parts] = {}
        for file, digest in beside.items():
            parts = parts_beside(own, file)
            # Of two files beside it that cannot both be, the first one is.
            if parts and alone.has_room(one := {_key(parts): digest}):
                alone.take(one)
                others[file] = parts
        number = next(number for number in itertools.count() if self._claims_of(number).has_room(alone.files))
        self._claims_of(number).take(alone.files)
        top = self._folder / str(number)
        return Target(top.joinpath(*own), {file: top.joinpath(*parts) for file, parts in others.items()})

    def _claims_of(self, number: int) -> _Claims:
        if number == len(self._claims):
            self._claims.append(_Claims())
        return self._claims[number]


class _Claims:
    """The files that are in one folder, with digests of those that may be shared, and the folders they lie in."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._folders: set[str] = set()

    def has_room(self, wanted: Mapping[str, bytes]) -> bool:
        for key, digest in wanted.items():
            if key in self._folders or any(above in self.files for above in _above(key)):
                return False
            if key in self.files and (not digest or self.files[key] != digest):
                return False
        return True

    def take(self, wanted: Mapping[str, bytes]) -> None:
        self.files.update(wanted)
        self._folders.update(above for key in wanted for above in _above(key))


def _key(parts: Parts) -> str:
    return unicodedata.normalize("NFC", "/".join(parts).casefold())


def _above(key: str) -> list[str]:
    """The folders in which a file lies."""
    names = key.split("/")
    return ["/".join(names[:end]) for end in range(1, len(names))]

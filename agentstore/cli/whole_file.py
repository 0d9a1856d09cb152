"""A file that is there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import pathlib
import tempfile
from collections.abc import Iterator
from typing import TextIO

from agentstore.cli.failing import CommandError


@contextlib.contextmanager
def whole_file(named: str) -> Iterator[TextIO]:
    """Write a file, in place of one that is there; others cannot read it.

    Where what is inside fails or is interrupted, what was there before is there still.
    """
    path = pathlib.Path(os.path.realpath(os.path.expanduser(named)))
    if path.exists() and not path.is_file():
        raise CommandError(f"{named} is no file", hint="without --output it goes to the standard output")
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
    except OSError as error:
        raise CommandError(f"{named} cannot be written: {error.strerror}", hint="another --output") from None
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as stream:
            yield stream
            stream.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise

"""The only importer of chdb, the ClickHouse engine as a library. It is loaded by the first call, not before.

Loading takes a while and half a gigabyte of address space.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from agentstore.local.engine.errors import FAILURES, EngineError, chdb_text


def load() -> str:
    """Load the engine, and return the path of its shared library. Raises EngineError."""
    with _explained():
        import chdb._chdb  # loading it opens an engine in memory

    return os.path.realpath(chdb._chdb.__file__)


def connect(target: str) -> Any:
    """A session of the engine at a path, which the first one opens. Raises EngineError."""
    with _explained():
        import chdb

        return chdb.connect(target)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Around what starts an engine: EngineError with the reason, without the engine's stack."""
    try:
        yield
    except FAILURES as error:
        _check_temporary_directory()
        raise EngineError.parse(chdb_text(error)) from None


def _check_temporary_directory() -> None:
    """The engine makes a directory there when it starts, and does not say so when it cannot."""
    variables = ("TMPDIR", "TMP", "TEMP", "TEMPDIR")
    variable = next((name for name in variables if os.environ.get(name)), "")
    path = os.environ.get(variable, "") or "/tmp"
    try:
        with tempfile.TemporaryDirectory(dir=path):
            pass
    except OSError as error:
        text = f"The directory for temporary files, {path}{variable and f' ({variable})'}, cannot be written: "
        raise EngineError.make(76, "CANNOT_OPEN_FILE", text + (error.strerror or "")) from None

"""The originals that are kept of files: history read again from them, and files written back (``restoring``)."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Iterable, Sequence
from typing import TYPE_CHECKING

from agentstore.errors import InvalidArgumentError
from agentstore.importers.importer import Importer, Options
from agentstore.importers.registry import IMPORTERS
from agentstore.ingest.arguments import PIECE_BYTES, Secrets, masker_of
from agentstore.ingest.events import IngestEvent, IngestSummary
from agentstore.ingest.kept.choosing import Choice
from agentstore.ingest.kept.reimporting import Reimport
from agentstore.ingest.streaming import told
from agentstore.protocols import ReadWriteStore

if TYPE_CHECKING:
    from agentstore.masking import Masker


async def reimport(
    store: ReadWriteStore,
    org_id: str,
    *,
    agents: Iterable[str] | None = None,
    session_ids: Iterable[str] | None = None,
    machine: str | None = None,
    mask: Masker | bool = True,
    importers: Sequence[Importer] = IMPORTERS,
) -> AsyncGenerator[IngestEvent | IngestSummary, None]:
    """Read history again from the originals that the store keeps, also of files that are long gone, with the importers
    of this version; yield what happens, as ``ingest`` does. ``path`` in it is where the file was.

    ``agents`` (names of importers), ``session_ids`` and ``machine``: only these; None: all, of all machines and users.
    Files that are still on a machine's disk need none of this: ``ingest`` reads them again there when an importer's
    version is raised. They are read here all the same where they are asked for.
    ``mask``: as in ``ingest``. Originals are masked already, and stay as they are kept; a rule that is new takes its
    secrets out of the rows.

    What is stored stays where it knows more: what databases, lists of titles and git on a file's own machine told
    (``keeping``). Deleted sessions stay deleted, purged ones purged ("skipped"). So does a session that went on on
    another machine, or that another program's copy has more of ("known"). A file of which a part is missing (its import
    is under way, ``keep_raw`` was off for a while) is "failed", and nothing of it is touched; of databases no original
    is kept ("no original").

    The row of a file (``SourceFile``) then has the version of the importer. If that changed, nothing else in it holds:
    ``state`` has digests and offsets of the raw file, and what was remembered by the other version. So ``state``,
    ``stat`` and ``context`` are dropped, and the next ingest reads the raw file if it is still there; ``facts`` are
    those of the original, which others are told when it is not. If it did not change, the row stays as it is.

    An ingest of the same files may go on meanwhile: rows that it writes while a file is read here stay. Where it has
    noted a file since this began, the file's row is dropped in the same way, so that the next ingest reads it again.

    All files of one agent, user and machine are written to a temporary folder (``TMPDIR``) while they are read: it
    needs as much room as they had. In memory is what is kept of one file.
    """
    masker = masker_of(mask)
    choice = Choice(_named(agents, "agents"), _named(session_ids, "session_ids"), machine)
    options = Options(piece_bytes=PIECE_BYTES, mask=masker.mask if masker is not None else None)
    secrets = Secrets(masker)
    async with contextlib.aclosing(told(Reimport(store, org_id, choice, importers, options), secrets)) as events:
        async for event in events:
            yield event


def _named(names: Iterable[str] | None, field: str) -> frozenset[str] | None:
    if isinstance(names, str):
        raise InvalidArgumentError(f"{field}: expected several names, got {names!r}", field=field)
    return None if names is None else frozenset(names)

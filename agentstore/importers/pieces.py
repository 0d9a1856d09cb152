"""Reading a file of lines in pieces, each with the state from which the next import of the file continues."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from agentstore.importers.intake import Intake
from agentstore.importers.jsonl import Stretch
from agentstore.importers.results import ImportResult
from agentstore.importers.states import ImportState, Trace


class LinesReader(Protocol):
    """Takes the lines of one file in order. ``lines`` counts them."""

    @property
    def lines(self) -> int: ...

    def take(self, data: bytes, *, complete: bool = True) -> None:
        """Whole lines; or the last one, whose end is missing (``complete``)."""
        ...

    def skip_line(self) -> None:
        """A line that is too long was left out."""
        ...

    def memory(self) -> bytes:
        """All that is remembered of the lines so far, packed; later lines do not change it."""
        ...

    def piece(self, state: ImportState) -> ImportResult:
        """The rows that are new or have changed since the piece before."""
        ...


def pieces_of(
    reader: LinesReader, trace: Trace, parts: Iterator[Stretch], piece_bytes: int, intake: Intake
) -> Iterator[ImportResult]:
    """The pieces of a file of about so many bytes each, at least one.

    ``trace`` sees the bytes as they are, and ``reader`` what ``intake`` makes of them.
    """
    size, is_first, is_skipping = 0, True, False
    intake.begin_at(trace.offset)
    for stretch in parts:
        size += len(stretch.data)
        if stretch.kind == "tail":
            # The state before it, and all at once: a last line may not be complete.
            state = trace.state(reader.lines, reader.memory())
            reader.take(intake.tail(stretch.data), complete=False)
            yield intake.filled(reader.piece(state))
            return
        is_skipping = stretch.kind == "too long"
        trace.see(stretch.data, ends_line=not is_skipping)
        if stretch.kind == "lines":
            reader.take(intake.lines(stretch.data))
        elif stretch.kind == "end of too long":
            reader.skip_line()
            intake.leave_out(trace.offset)
        if size >= piece_bytes and not is_skipping:
            yield intake.filled(reader.piece(trace.state(reader.lines, reader.memory())))
            size, is_first = 0, False
    if size or is_first:
        state = trace.state(reader.lines, reader.memory())
        if is_skipping:
            reader.skip_line()
            intake.leave_out_tail(trace.offset)
        yield intake.filled(reader.piece(state))

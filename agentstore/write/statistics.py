"""What a batcher counts. At rest, accepted rows = written + rejected + failed + waiting."""

from __future__ import annotations

import msgspec


class TableStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The writer's figures for one table since the store was opened.

    ``rejected_rows`` were definitely refused or never sent, ``failed_rows`` are those whose outcome stayed unknown.
    ``waiting_rows`` and ``waiting_bytes`` include the batch in flight. ``flush_reasons`` counts batches by what made
    them complete: "rows", "bytes", "linger", "flush", "close". ``unobserved_failures`` counts failed receipts that
    nobody awaited.
    """

    table: str
    accepted_rows: int = 0
    rows_written: int = 0
    batches_written: int = 0
    waiting_rows: int = 0
    waiting_bytes: int = 0
    retries: int = 0
    rejected_rows: int = 0
    failed_rows: int = 0
    current_batch_rows: int = 0
    largest_batch_rows: int = 0
    unobserved_failures: int = 0
    flush_reasons: dict[str, int] = {}


class Counters:
    """The figures that only grow."""

    __slots__ = (
        "accepted_rows",
        "batches_written",
        "failed_rows",
        "largest_batch_rows",
        "rejected_rows",
        "retries",
        "rows_written",
        "unobserved_failures",
    )

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)

    accepted_rows: int
    batches_written: int
    failed_rows: int
    largest_batch_rows: int
    rejected_rows: int
    retries: int
    rows_written: int
    unobserved_failures: int

    def sent(self, row_count: int) -> None:
        """A batch was committed. Its rows are counted one caller at a time, as each of them is told."""
        self.batches_written += 1
        self.largest_batch_rows = max(self.largest_batch_rows, row_count)

    def lost(self, row_count: int, *, certain: bool) -> None:
        """Rows were refused or never sent (certain), or their outcome stays unknown."""
        if certain:
            self.rejected_rows += row_count
        else:
            self.failed_rows += row_count

    def snapshot(
        self,
        table: str,
        *,
        waiting_rows: int,
        waiting_bytes: int,
        current_batch_rows: int,
        flush_reasons: dict[str, int],
    ) -> TableStatistics:
        """The figures now."""
        return TableStatistics(
            table=table,
            waiting_rows=waiting_rows,
            waiting_bytes=waiting_bytes,
            current_batch_rows=current_batch_rows,
            flush_reasons=flush_reasons,
            **{name: getattr(self, name) for name in self.__slots__},
        )

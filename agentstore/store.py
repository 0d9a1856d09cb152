"""``AsyncClickHouseStore``: its reads are in ``read/``, its writes in ``write/writes.py``; here is its life."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from agentstore.connection.detached import warn_of_detached_parts
from agentstore.connection.lanes import Lanes
from agentstore.connection.ping import ping
from agentstore.connection.pool import Pool
from agentstore.connection.turns import Lane
from agentstore.errors import ConfigError, InvalidArgumentError, SchemaError, StoreClosedError
from agentstore.home import Home
from agentstore.models import ModelPrice
from agentstore.prices.own import own_rows
from agentstore.protocols import TextMasker
from agentstore.read.price_book import PriceBook
from agentstore.read.reads import Reads
from agentstore.schema import migrate
from agentstore.schema.database import check_local_store, create_database_if_missing, drop_and_create_database
from agentstore.schema.fitness import explained, is_missing
from agentstore.settings import ConnectOptions, resolve_target
from agentstore.telemetry.figures import Figures, forget, watch
from agentstore.write.accumulator import Limits
from agentstore.write.masked import Masking
from agentstore.write.mending import Mender
from agentstore.write.statistics import TableStatistics
from agentstore.write.writer import Writer
from agentstore.write.writes import Writes

if TYPE_CHECKING:
    from agentstore.frames.reads import ArrowReads


class AsyncClickHouseStore(Reads, Writes):
    """The history of coding agents in one ClickHouse database.

    Every write returns only after the server has committed all its rows; where it raises, the error says what is not
    known to be stored, and writing the same again is always safe. Every read is scoped by ``org_id`` and sees the
    newest version of each row. All errors are of ``agentstore.errors``; no driver exception escapes.

    ``target`` is ``clickhouse://user:password@host:9000/database`` (or several hosts, ``host1:9000,host2:9000``),
    ``clickhouses://…``, ``local:PATH`` (a ClickHouse without a server to install) or ``ConnectOptions``; None means the
    environment variable ``AGENTSTORE_DSN``, else the user's local store. ``overrides`` are fields of
    ``ConnectOptions``. Constructing does no I/O. Use it as ``async with``, or with ``open()`` and ``aclose()``, also
    from different tasks of one event loop. From another loop, another thread or a forked child everything but
    ``statistics()`` raises ``WrongLoopError``, before it does anything.

    ``mask`` (``True``: ``agentstore.masking.Masker()``, which needs ``agentstore[ingest]``; or an object with
    ``mask_text(str) -> str``) masks every text of every record before it is sent: titles, contents, inputs, results,
    token_usage, paths, branches, URLs, notes, names of people, projects, models and tools. Never masked are ids (of
    sessions, messages, calls, users, projects, commits) and what says whose or of which kind a row is (``machine``,
    ``agent_type``, ``copied_by``, ``role``, ``tool_category``): rows are told apart by them. ``content_length`` and
    ``result_content_length`` stay as given. It is no part of a DSN, and off where it is not given.

    ``prices`` are one's own prices for ``cost_by``; they win over list prices, in this store and nowhere else.

    A write cancelled before anything of it was accepted stores nothing; cancelled later, all of it is carried on as if
    it had been submitted. A cancelled read leaves nothing behind.
    """

    def __init__(
        self,
        target: str | ConnectOptions | None = None,
        *,
        mask: TextMasker | bool | None = None,
        prices: Iterable[ModelPrice] = (),
        **overrides: Any,
    ) -> None:
        self.options = resolve_target(target, overrides)
        self.mask = _masker(mask)
        self._price_book = PriceBook(own_rows(prices))
        self._lanes: Lanes | None = None
        self._writer: Writer | None = None
        self._home: Home | None = None
        self._figures: Figures | None = None
        self._final_statistics: dict[str, TableStatistics] = {}
        self._state = "new"

    def __repr__(self) -> str:
        return f"<AsyncClickHouseStore {self.options.where} database={self.options.database!r} {self._state}>"

    # --- life ---------------------------------------------------------------------------------------------------

    @classmethod
    async def connect(
        cls,
        target: str | ConnectOptions | None = None,
        *,
        mask: TextMasker | bool | None = None,
        prices: Iterable[ModelPrice] = (),
        **overrides: Any,
    ) -> Self:
        """A store that is open. Close it with ``aclose()``."""
        store = cls(target, mask=mask, prices=prices, **overrides)
        await store.open()
        return store

    async def open(self, *, create: bool = True) -> Self:
        """Connect, and create the database where it does not exist and the user may. Once in a store's life.

        With ``create=False`` no database is made, and no directory of a local store: where there is none, this or the
        first read is a ``SchemaError``.
        """
        self._check_home()
        if self._state != "new":
            raise StoreClosedError(f"the store cannot be opened: it is {self._state}")
        self._state, self._home = "opening", Home()
        lanes = Lanes(self.options, explain=partial(explained, database=self.options.database))
        try:
            if create:
                await create_database_if_missing(lanes.dialer)
            else:
                await check_local_store(self.options)
            writer = Writer(
                lanes.writes,
                lanes.writes,
                lanes.background,
                _limits(self.options),
                deadline_seconds=self.options.write_timeout_seconds,
            )
            writer.calls.masking = Masking(self.mask) if self.mask is not None else None
            await writer.versions.learn()
            await warn_of_detached_parts(lanes.writes)
            self._check_still_opening()
        except BaseException:
            self._state = "new" if self._state == "opening" else self._state
            await lanes.aclose()
            raise
        self._lanes, self._writer = lanes, writer
        self._figures = Figures(writer.statistics, lambda: lanes.figures)
        watch(self._figures)
        lanes.writes.on_connected = writer.versions.reconnected
        for task in self._writer.start():
            # asyncio.run cancels what still runs at its end: without aclose() nobody else would close the sockets.
            task.add_done_callback(lambda ended: lanes.abort() if ended.cancelled() else None)
        self._state = "open"
        return self

    async def aclose(self) -> None:
        """Stop intake, send what was accepted, then close all connections; no task or socket stays behind.

        What is not stored after ``close_timeout_seconds``, or when this is cancelled, fails with ``WriteError``.
        Closing twice is harmless. An open store is closed in its own loop: in another, or after that has ended, this
        raises ``WrongLoopError``.
        """
        self._check_home()
        lanes, writer, self._lanes, self._writer = self._lanes, self._writer, None, None
        self._state = "closed"
        try:
            if writer is not None:
                try:
                    await writer.aclose(self.options.close_timeout_seconds)
                finally:
                    self._final_statistics = writer.statistics()
                    if self._figures is not None:
                        forget(self._figures)
            if lanes is not None:
                await lanes.aclose()
        except BaseException:  # cancelled: the sockets must not stay behind
            if lanes is not None:
                lanes.abort()
            raise

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def ping(self, *, timeout_seconds: float = 5.0) -> float:
        """Ask the server for an answer; the seconds it took. For health checks: it waits behind no read or write.

        Raises what a read would raise where the server cannot be reached or refuses, and ``OperationTimeoutError``
        after ``timeout_seconds``.
        """
        return await ping(self._open_lanes.health, timeout_seconds)

    async def ensure_schema(self) -> list[int]:
        """Bring the database to the current schema; the versions applied now. Harmless twice, or in two processes.

        A database that was dropped since the store was opened is created again, empty.
        """
        lanes = self._open_lanes
        try:
            applied = await migrate.ensure_schema(lanes.reads, cluster=self.options.cluster)
        except SchemaError as error:
            if not is_missing(error.__cause__):
                raise
            await create_database_if_missing(lanes.dialer)
            applied = await migrate.ensure_schema(lanes.reads, cluster=self.options.cluster)
        if applied and applied[0] > 1:
            # What others had begun to insert before there was a view, and what was stored after that was copied.
            await Mender(lanes.background).mend()
        return applied

    async def reset_database(self, name: str) -> None:
        """Drop the database with everything in it, and create it and its schema anew.

        ``name`` is the database's own name: whoever writes it knows what is dropped. Any other is an
        ``InvalidArgumentError``, and nothing is dropped.
        """
        lanes = self._open_lanes
        if name != self.options.database:
            raise InvalidArgumentError(
                f"name: expected the name of the database that is to be dropped, got {name!r}", field="name"
            )
        await drop_and_create_database(lanes.dialer)
        await migrate.ensure_schema(lanes.reads, cluster=self.options.cluster)

    def statistics(self) -> dict[str, TableStatistics]:
        """The writer's figures for each table, by its name: a snapshot, or the last figures of a closed store."""
        if self._writer is not None:  # in whatever loop or thread: figures are only read
            return self._writer.statistics()
        return self._final_statistics or self._open_writer.statistics()

    @property
    def arrow(self) -> ArrowReads:
        """The same reads, answered with Arrow tables and batches. ``pip install 'agentstore[frames]'``."""
        from agentstore.frames import ArrowReads  # here: pyarrow takes longer to load than all the rest

        return ArrowReads(self)

    # --- inside -------------------------------------------------------------------------------------------------

    def _check_still_opening(self) -> None:
        if self._state != "opening":
            raise StoreClosedError("the store was closed while it was being opened")

    @property
    def _open_lanes(self) -> Lanes:
        if self._lanes is None:
            raise self._not_open()
        self._check_home()
        return self._lanes

    @property
    def _open_pool(self) -> Pool:
        return self._open_lanes.reads

    @property
    def _heavy(self) -> Lane:
        return self._open_lanes.heavy

    @property
    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise self._not_open()
        self._check_home()
        return self._writer

    def _not_open(self) -> StoreClosedError:
        return StoreClosedError(f"the store is not open: it is {self._state}", hint="async with, or await open()")

    def _check_home(self) -> None:
        """Refuse another loop, thread or process while there is something open that it could touch."""
        if self._home is not None and self._state in ("opening", "open"):
            self._home.check()


def _masker(mask: TextMasker | bool | None) -> TextMasker | None:
    """What masks the texts of writes, if anything does."""
    if mask is None or mask is False:
        return None
    if mask is True:
        # Here, since it needs a library that a store without it does not.
        from agentstore.masking import Masker

        return Masker()
    if isinstance(mask, type) or not callable(getattr(mask, "mask_text", None)):
        shown = mask.__name__ if isinstance(mask, type) else type(mask).__name__
        raise ConfigError(f"mask: expected True, False or an object with mask_text(str) -> str, got {shown}")
    return mask


def _limits(options: ConnectOptions) -> Limits:
    return Limits(
        batch_rows=options.batch_rows,
        batch_bytes=options.batch_bytes,
        linger_seconds=options.linger_milliseconds / 1000,
        waiting_rows=options.waiting_rows,
        waiting_bytes=options.waiting_bytes,
    )

"""``AsyncClickHouseStore``: the one place that wires the rooms together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from functools import partial
from types import TracebackType
from typing import Any, Self

from agentstore.connection.detached import warn_of_detached_parts
from agentstore.connection.lanes import Lanes
from agentstore.connection.ping import ping
from agentstore.connection.pool import Pool
from agentstore.connection.turns import Lane
from agentstore.errors import InvalidArgumentError, SchemaError, StoreClosedError
from agentstore.home import Home
from agentstore.models import (
    DailyActivity,
    DateLike,
    GitLink,
    GitLinkResult,
    HeatmapCell,
    Message,
    MessagePin,
    ModelTokenUsage,
    ProjectInfo,
    SearchPage,
    SearchQuery,
    Session,
    SessionDelete,
    SessionFilter,
    SessionPage,
    SessionStar,
    ToolCall,
    ToolUsageStat,
    UserInfo,
    UserUsage,
)
from agentstore.read import analytics, git_links, iterate, marks, sessions
from agentstore.read.search import pages as search
from agentstore.read.search.looking import Looker
from agentstore.schema import migrate
from agentstore.schema.database import create_database_if_missing, drop_and_create_database
from agentstore.schema.fitness import explained, is_missing
from agentstore.settings import ConnectOptions, resolve_target
from agentstore.write.accumulator import Limits
from agentstore.write.normalize import checked_ids, listed
from agentstore.write.purge import Purge
from agentstore.write.receipt import Receipt
from agentstore.write.rows import GIT_LINKS, MESSAGE_PINS, SESSION_DELETES, SESSION_STARS, Table
from agentstore.write.statistics import TableStatistics
from agentstore.write.writer import Writer


class AsyncClickHouseStore:
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

    A write cancelled before anything of it was accepted stores nothing; cancelled later, all of it is carried on as if
    it had been submitted. A cancelled read leaves nothing behind.
    """

    def __init__(self, target: str | ConnectOptions | None = None, **overrides: Any) -> None:
        self.options = resolve_target(target, overrides)
        self._lanes: Lanes | None = None
        self._writer: Writer | None = None
        self._home: Home | None = None
        self._looker: Looker | None = None
        self._final_statistics: dict[str, TableStatistics] = {}
        self._state = "new"

    def __repr__(self) -> str:
        return f"<AsyncClickHouseStore {self.options.where} database={self.options.database!r} {self._state}>"

    # --- life ---------------------------------------------------------------------------------------------------

    @classmethod
    async def connect(cls, target: str | ConnectOptions | None = None, **overrides: Any) -> Self:
        """A store that is open. Close it with ``aclose()``."""
        store = cls(target, **overrides)
        await store.open()
        return store

    async def open(self) -> Self:
        """Connect, and create the database where it does not exist and the user may. Once in a store's life."""
        self._check_home()
        if self._state != "new":
            raise StoreClosedError(f"the store cannot be opened: it is {self._state}")
        self._state, self._home = "opening", Home()
        lanes = Lanes(self.options, explain=partial(explained, database=self.options.database))
        try:
            await create_database_if_missing(lanes.dialer)
            writer = Writer(
                lanes.writes,
                lanes.writes,
                lanes.background,
                _limits(self.options),
                deadline_seconds=self.options.write_timeout_seconds,
            )
            await writer.versions.learn()
            await warn_of_detached_parts(lanes.writes)
            self._check_still_opening()
        except BaseException:
            self._state = "new" if self._state == "opening" else self._state
            await lanes.aclose()
            raise
        self._lanes, self._writer = lanes, writer
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
            return await migrate.ensure_schema(lanes.reads, cluster=self.options.cluster)
        except SchemaError as error:
            if not is_missing(error.__cause__):
                raise
        await create_database_if_missing(lanes.dialer)
        return await migrate.ensure_schema(lanes.reads, cluster=self.options.cluster)

    async def reset_database(self) -> None:
        """Drop the database with everything in it, and create it and its schema anew."""
        lanes = self._open_lanes
        await drop_and_create_database(lanes.dialer)
        await migrate.ensure_schema(lanes.reads, cluster=self.options.cluster)

    # --- writes -------------------------------------------------------------------------------------------------

    async def write_session(
        self,
        org_id: str,
        session: Session,
        messages: Iterable[Message] = (),
        tool_calls: Iterable[ToolCall] = (),
        *,
        replace: bool = False,
    ) -> None:
        """Insert or replace a session, and upsert its messages by ordinal and its tool calls by their key.

        Rows not mentioned stay, unless ``replace``, which also removes the session's messages and tool calls that this
        call does not mention. An empty ``session_id`` means this session; another session's is refused. The session row
        is committed last, so a session seen in a list is complete. Lists show what has a ``user_message_count``: where
        it is 0 and messages of role "user" come with it, the logger ``agentstore`` warns, once for each store.
        """
        writer = self._open_writer
        await writer.write(lambda: writer.calls.session(org_id, session, messages, tool_calls, replace=replace))

    async def write_batch(
        self,
        org_id: str,
        sessions: Iterable[Session],
        messages: Iterable[Message] = (),
        tool_calls: Iterable[ToolCall] = (),
    ) -> None:
        """The same over many sessions, one insert per table; messages and tool calls may come without sessions."""
        writer = self._open_writer
        await writer.write(lambda: writer.calls.batch(org_id, sessions, messages, tool_calls))

    async def write_git_links(self, org_id: str, links: Iterable[GitLink]) -> None:
        """Upsert git links by (session_id, commit_sha, pr_url)."""
        await self._write(org_id, GIT_LINKS, links, "links")

    async def write_session_stars(self, org_id: str, stars: Iterable[SessionStar]) -> None:
        """Upsert stars by (session_id, user_id)."""
        await self._write(org_id, SESSION_STARS, stars, "stars")

    async def write_message_pins(self, org_id: str, pins: Iterable[MessagePin]) -> None:
        """Upsert pins by (session_id, message_ordinal, user_id)."""
        await self._write(org_id, MESSAGE_PINS, pins, "pins")

    async def write_session_deletes(self, org_id: str, deletes: Iterable[SessionDelete]) -> None:
        """Mark sessions as deleted: hidden from lists, search and analytics until the mark is removed."""
        await self._write(org_id, SESSION_DELETES, deletes, "deletes")

    async def remove_session_stars(self, org_id: str, stars: Iterable[SessionStar]) -> None:
        """Remove stars by their keys; one that is not there is no error."""
        await self._write(org_id, SESSION_STARS, stars, "stars", remove=True)

    async def remove_message_pins(self, org_id: str, pins: Iterable[MessagePin]) -> None:
        """Remove pins by their keys; one that is not there is no error."""
        await self._write(org_id, MESSAGE_PINS, pins, "pins", remove=True)

    async def remove_session_deletes(self, org_id: str, deletes: Iterable[SessionDelete]) -> None:
        """Remove deletion marks: the sessions are listed again."""
        await self._write(org_id, SESSION_DELETES, deletes, "deletes", remove=True)

    def submit_session(
        self,
        org_id: str,
        session: Session,
        messages: Iterable[Message] = (),
        tool_calls: Iterable[ToolCall] = (),
        *,
        replace: bool = False,
    ) -> Receipt:
        """``write_session`` without waiting: returns at once; await the receipt to know the outcome.

        The ``submit_`` variants are accepted in the order of the calls, and before any write called after them. What
        finds no room waits as it is, so a worker with endless input awaits its receipts in windows.
        """
        writer, rows, calls = self._open_writer, listed(messages, "messages"), listed(tool_calls, "tool_calls")
        return writer.submit(lambda: writer.calls.session(org_id, session, rows, calls, replace=replace))

    def submit_batch(
        self,
        org_id: str,
        sessions: Iterable[Session],
        messages: Iterable[Message] = (),
        tool_calls: Iterable[ToolCall] = (),
    ) -> Receipt:
        """``write_batch`` without waiting; see ``submit_session``."""
        writer, heads = self._open_writer, listed(sessions, "sessions")
        rows, calls = listed(messages, "messages"), listed(tool_calls, "tool_calls")
        return writer.submit(lambda: writer.calls.batch(org_id, heads, rows, calls))

    def submit_git_links(self, org_id: str, links: Iterable[GitLink]) -> Receipt:
        """``write_git_links`` without waiting; see ``submit_session``."""
        return self._submit(org_id, GIT_LINKS, links, "links")

    def submit_session_stars(self, org_id: str, stars: Iterable[SessionStar]) -> Receipt:
        """``write_session_stars`` without waiting; see ``submit_session``."""
        return self._submit(org_id, SESSION_STARS, stars, "stars")

    def submit_message_pins(self, org_id: str, pins: Iterable[MessagePin]) -> Receipt:
        """``write_message_pins`` without waiting; see ``submit_session``."""
        return self._submit(org_id, MESSAGE_PINS, pins, "pins")

    def submit_session_deletes(self, org_id: str, deletes: Iterable[SessionDelete]) -> Receipt:
        """``write_session_deletes`` without waiting; see ``submit_session``."""
        return self._submit(org_id, SESSION_DELETES, deletes, "deletes")

    async def delete_sessions(self, org_id: str, session_ids: Iterable[str]) -> None:
        """Remove sessions and all their rows from every read, for good; an unknown id is no error.

        What was accepted before it is gone too, also where it arrives later. What is written after it is there again.
        """
        writer, ids = self._open_writer, checked_ids(session_ids)
        await writer.write(lambda: writer.calls.removal(org_id, ids))

    async def purge_sessions(
        self, org_id: str, session_ids: Iterable[str], *, timeout_seconds: float = 3600.0
    ) -> Purge:
        """As ``delete_sessions``, with their subagents; and their texts are erased from the disk.

        When it returns no text of theirs is in any active part or index of any table. The parts that held it are
        rewritten for that, which may take minutes, hence the deadline of its own (``timeout_seconds``); after it
        ``WriteError`` is raised, the sessions are invisible, and purging again goes on. The parts from before stay on
        the server's disk as inactive ones until ``Purge.inactive_parts_until``. Backups are not touched.

        Writing a purged session is refused with ``SessionPurgedError`` until ``restore_sessions``; other stores know of
        the purge within seconds while they write.
        """
        ids = checked_ids(session_ids)
        if not isinstance(timeout_seconds, int | float) or not timeout_seconds > 0:
            raise InvalidArgumentError(
                f"timeout_seconds: expected more than 0, got {timeout_seconds!r}", field="timeout_seconds"
            )
        return await self._open_writer.purge(org_id, ids, timeout_seconds=timeout_seconds)

    async def restore_sessions(self, org_id: str, session_ids: Iterable[str]) -> None:
        """Let purged sessions be written again. What was erased does not come back by itself."""
        await self._open_writer.restore(org_id, checked_ids(session_ids))

    async def flush(self) -> None:
        """Returns when all that was accepted or submitted before it is settled, without lingering."""
        await self._open_writer.flush()

    def statistics(self) -> dict[str, TableStatistics]:
        """The writer's figures for each table, by its name: a snapshot, or the last figures of a closed store."""
        if self._writer is not None:  # in whatever loop or thread: figures are only read
            return self._writer.statistics()
        return self._final_statistics or self._open_writer.statistics()

    # --- reads --------------------------------------------------------------------------------------------------

    async def list_sessions(self, org_id: str, filter: SessionFilter = SessionFilter()) -> SessionPage:  # noqa: B008
        """One page of browsable sessions, started_at descending, id descending, those without started_at last.

        ``total`` counts what the filter matches, whatever cursor and limit. Walking the cursors yields every session
        exactly once. A cursor of another kind is ``InvalidCursorError``.
        """
        return await sessions.list_sessions(self._open_pool, org_id, filter)

    async def get_session(self, org_id: str, id: str) -> Session:
        """Any session by its id, or ``NotFoundError``."""
        return await sessions.get_session(self._open_pool, org_id, id)

    async def get_session_messages(
        self,
        org_id: str,
        session_id: str,
        *,
        after_ordinal: int | None = None,
        before_ordinal: int | None = None,
        limit: int | None = None,
    ) -> list[Message]:
        """The messages of a session by ordinal; an unknown session has none.

        ``after_ordinal`` and ``before_ordinal`` are themselves left out. A limit takes the first messages, or with
        ``before_ordinal`` the last ones before it, ascending all the same: a page can grow in both directions. A long
        session is decoded in slices, some milliseconds each, between which other tasks run.
        """
        return await sessions.get_session_messages(
            self._open_pool,
            org_id,
            session_id,
            after_ordinal=after_ordinal,
            before_ordinal=before_ordinal,
            limit=limit,
        )

    async def get_session_tool_calls(
        self, org_id: str, session_id: str, *, after: tuple[int, str, int] | None = None, limit: int | None = None
    ) -> list[ToolCall]:
        """The tool calls of a session by message_ordinal, tool_use_id, call_index; an unknown session has none.

        ``after`` is such a key, of the last call of the page before; the call itself is left out.
        """
        return await sessions.get_session_tool_calls(self._open_pool, org_id, session_id, after=after, limit=limit)

    def iter_sessions(self, org_id: str, filter: SessionFilter = SessionFilter()) -> AsyncIterator[Session]:  # noqa: B008
        """All sessions that ``list_sessions`` would page through, in its order, in bounded memory.

        ``filter.cursor`` says where to begin, its limit does not matter. What is written meanwhile may be seen or not.
        """
        return iterate.iter_sessions(self._heavy, org_id, filter)

    def iter_messages(self, org_id: str, session_id: str = "") -> AsyncIterator[Message]:
        """All messages of a session, or ("") of the whole organisation, by session_id and ordinal, in bounded memory.

        Some megabytes of text are held at a time, whatever the number and length of the messages.
        """
        return iterate.iter_messages(self._heavy, org_id, session_id)

    async def list_users(self, org_id: str) -> list[UserInfo]:
        """The users of browsable sessions, one per id, named by their latest session, ordered by name and id."""
        return await sessions.list_users(self._open_pool, org_id)

    async def list_projects(self, org_id: str) -> list[ProjectInfo]:
        """The projects with a name, one per (id, name), with the path of the latest session, ordered by name and id."""
        return await sessions.list_projects(self._open_pool, org_id)

    async def list_agents(self, org_id: str) -> list[str]:
        """The distinct agent types, ordered."""
        return await sessions.list_agents(self._open_pool, org_id)

    async def search(self, org_id: str, query: SearchQuery) -> SearchPage:
        """Message contents and tool calls of browsable sessions that hold the query, one result per matching row.

        Mode "substring": a row holds the query as it is; ``%``, ``_`` and ``\\`` are plain characters. The order is
        started_at descending, session id descending, ordinal ascending, messages before tool calls.

        Mode "words": a row (a tool call's input and result are one) holds all words of the query, in any order, and
        all its phrases, which stand in double quotes and are found as substrings are; a quote that is not closed
        reaches to the end. The order is relevance (BM25 among the matching rows), then that of substrings. Where more
        than 10,000 rows match, the newest 10,000 are ranked, and ``total_is_lower_bound`` is true.

        - A word is a run of letters, marks and digits with a letter or a digit in it; everything else separates:
          ``snake_case`` asks for ``snake`` and ``case``. It is found where none of these stands before or after it.
        - Scripts without spaces between words (Han, kana, Thai, Lao, Khmer, Myanmar, …): a run of such a script is
          found anywhere (``検索`` in ``全文検索``), and a word may begin and end next to one (``Python`` in
          ``Pythonで``).
        - Nothing is stemmed and no word is too frequent; given twice it counts once. At most 64 different ones.

        Both modes fold case as Unicode's simple case folding does, one code point to one: ``ÄRGER`` = ``ärger``, ``Σ``
        = ``σ`` = ``ς``, ``ẞ`` = ``ß``, but ``ß`` is not ``ss``, and ``é`` is not ``e``. Texts are cut on the server to
        200 characters around the first hit.

        At most six statements are sent, planned to take at most one and a half times what one takes that scans the
        texts in question, and some milliseconds. A search that is cancelled, or whose caller is gone, stops on the
        server.
        """
        heavy = self._heavy
        self._looker = self._looker or Looker(heavy)
        return await search.search(self._looker, org_id, query)

    async def get_session_git_links(self, org_id: str, session_id: str) -> list[GitLink]:
        """The git links of a session by message_ordinal, link_type."""
        return await git_links.get_session_git_links(self._open_pool, org_id, session_id)

    async def lookup_git_links(self, org_id: str, *, sha: str = "", pr_url: str = "") -> list[GitLinkResult]:
        """Links by SHA prefix (4 or more hex digits, any case, also longer than stored) or else by exact PR URL."""
        return await git_links.lookup_git_links(self._open_pool, org_id, sha=sha, pr_url=pr_url)

    async def list_session_stars(self, org_id: str, session_id: str = "") -> list[SessionStar]:
        """Stars of a session, or of the whole organisation, newest first."""
        return await marks.list_session_stars(self._open_pool, org_id, session_id)

    async def list_message_pins(self, org_id: str, session_id: str = "") -> list[MessagePin]:
        """Pins of a session, or of the whole organisation, by message_ordinal, then newest first."""
        return await marks.list_message_pins(self._open_pool, org_id, session_id)

    async def list_session_deletes(self, org_id: str) -> list[SessionDelete]:
        """Deletion marks of the organisation, newest first."""
        return await marks.list_session_deletes(self._open_pool, org_id)

    async def usage_by_user(
        self,
        org_id: str,
        *,
        project_name: str = "",
        date_from: DateLike = None,
        date_to: DateLike = None,
        tz: str = "UTC",
    ) -> list[UserUsage]:
        """Sessions, messages, git links and tokens by user, agent and project, most sessions first."""
        scope = analytics.Scope(org_id, project_name, date_from, date_to, tz)
        return await analytics.usage_by_user(self._heavy, scope)

    async def activity_heatmap(
        self,
        org_id: str,
        *,
        project_name: str = "",
        date_from: DateLike = None,
        date_to: DateLike = None,
        tz: str = "UTC",
    ) -> list[HeatmapCell]:
        """Session starts by weekday and hour in ``tz``: the non-empty cells, ordered."""
        scope = analytics.Scope(org_id, project_name, date_from, date_to, tz)
        return await analytics.activity_heatmap(self._heavy, scope)

    async def tool_usage_distribution(
        self,
        org_id: str,
        *,
        project_name: str = "",
        date_from: DateLike = None,
        date_to: DateLike = None,
        tz: str = "UTC",
    ) -> list[ToolUsageStat]:
        """The 20 most used tools, ties by name."""
        scope = analytics.Scope(org_id, project_name, date_from, date_to, tz)
        return await analytics.tool_usage_distribution(self._heavy, scope)

    async def daily_activity(
        self,
        org_id: str,
        *,
        project_name: str = "",
        date_from: DateLike = None,
        date_to: DateLike = None,
        tz: str = "UTC",
    ) -> list[DailyActivity]:
        """Sessions, messages and output tokens per day in ``tz``, ascending."""
        scope = analytics.Scope(org_id, project_name, date_from, date_to, tz)
        return await analytics.daily_activity(self._heavy, scope)

    async def token_usage_by_model(
        self,
        org_id: str,
        *,
        project_name: str = "",
        date_from: DateLike = None,
        date_to: DateLike = None,
        tz: str = "UTC",
    ) -> list[ModelTokenUsage]:
        """Tokens by model with output, most output first; each API response (source_id) counted once."""
        scope = analytics.Scope(org_id, project_name, date_from, date_to, tz)
        return await analytics.token_usage_by_model(self._heavy, scope)

    # --- inside -------------------------------------------------------------------------------------------------

    async def _write(
        self, org_id: str, table: Table, records: Iterable[Any], name: str, *, remove: bool = False
    ) -> None:
        writer = self._open_writer
        await writer.write(lambda: writer.calls.rows(table, org_id, records, name=name, remove=remove))

    def _submit(self, org_id: str, table: Table, records: Iterable[Any], name: str) -> Receipt:
        writer, found = self._open_writer, listed(records, name)
        return writer.submit(lambda: writer.calls.rows(table, org_id, found, name=name))

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


def _limits(options: ConnectOptions) -> Limits:
    return Limits(
        batch_rows=options.batch_rows,
        batch_bytes=options.batch_bytes,
        linger_seconds=options.linger_milliseconds / 1000,
        waiting_rows=options.waiting_rows,
        waiting_bytes=options.waiting_bytes,
    )

"""The interfaces: what a store promises to its users, and what the packages inside expect from each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Unpack, runtime_checkable

from agentstore.filters import AnalyticsKeywords, takes_analytics_keywords
from agentstore.models import (
    Changes,
    CostReport,
    DailyActivity,
    FileHistory,
    FileOperation,
    FileTouch,
    GitLink,
    GitLinkResult,
    HeatmapCell,
    Message,
    MessagePin,
    ModelTokenUsage,
    OriginalPart,
    ProjectInfo,
    SearchPage,
    SearchQuery,
    Session,
    SessionDelete,
    SessionFilter,
    SessionPage,
    SessionStar,
    SourceFile,
    Summary,
    ToolCall,
    ToolUsageStat,
    UserInfo,
    UserUsage,
    WriteMark,
)

if TYPE_CHECKING:
    from agentstore.connection.sql import Sql
    from agentstore.write.purge import Purge

Columns = list[tuple[Any, ...]]


class TextMasker(Protocol):
    """Takes secrets out of texts: ``agentstore.masking.Masker``, or one's own.

    Several threads may call it at once, and it may be asked for one text twice: what it made of a text it returns as it
    is. It is given the texts only, not what they are of.
    """

    def mask_text(self, text: str, /) -> str:
        """The text as it is to be stored."""
        ...


class Executor(Protocol):
    """Runs statements. A read that fails because its connection was lost is tried once more on a new one."""

    async def fetch(self, query: Sql, settings: Mapping[str, Any] | None = None) -> Columns:
        """The result as columns; an empty list where there are no rows."""
        ...

    async def execute(
        self, query: Sql, settings: Mapping[str, Any] | None = None, *, timeout_seconds: float | None = None
    ) -> None:
        """Run a statement that returns nothing. It is sent once. ``timeout_seconds`` in place of the usual time."""
        ...


class Sink(Protocol):
    """Takes encoded blocks. Returns when the server has committed all of them."""

    async def insert(
        self,
        table: str,
        header: Sequence[tuple[str, str]],
        blocks: Sequence[bytes],
        settings: Mapping[str, Any],
    ) -> None:
        """One INSERT of native blocks with the column names and types of ``header``. It is sent once."""
        ...


@runtime_checkable
class Store(Protocol):
    """The write side. Every await returns only after the server has committed all rows of the call."""

    async def write_session(
        self,
        org_id: str,
        session: Session,
        messages: Iterable[Message] = (),
        tool_calls: Iterable[ToolCall] = (),
        *,
        replace: bool | WriteMark = False,
    ) -> None: ...

    async def write_batch(
        self,
        org_id: str,
        sessions: Iterable[Session],
        messages: Iterable[Message] = (),
        tool_calls: Iterable[ToolCall] = (),
        *,
        replace: bool | WriteMark = False,
    ) -> None: ...

    async def write_git_links(self, org_id: str, links: Iterable[GitLink]) -> None: ...
    async def write_file_touches(self, org_id: str, touches: Iterable[FileTouch]) -> None: ...
    async def mark(self) -> WriteMark: ...
    async def write_source_files(self, org_id: str, files: Iterable[SourceFile]) -> None: ...
    async def write_originals(self, org_id: str, parts: Iterable[OriginalPart]) -> None: ...
    async def remove_originals(self, org_id: str, original_id: str, *, older_than: WriteMark) -> None: ...
    async def write_session_stars(self, org_id: str, stars: Iterable[SessionStar]) -> None: ...
    async def write_message_pins(self, org_id: str, pins: Iterable[MessagePin]) -> None: ...
    async def write_session_deletes(self, org_id: str, deletes: Iterable[SessionDelete]) -> None: ...
    async def remove_session_stars(self, org_id: str, stars: Iterable[SessionStar]) -> None: ...
    async def remove_message_pins(self, org_id: str, pins: Iterable[MessagePin]) -> None: ...
    async def remove_session_deletes(self, org_id: str, deletes: Iterable[SessionDelete]) -> None: ...
    async def delete_sessions(self, org_id: str, session_ids: Iterable[str]) -> None: ...
    async def purge_sessions(
        self, org_id: str, session_ids: Iterable[str], *, timeout_seconds: float = 3600.0
    ) -> Purge: ...
    async def restore_sessions(self, org_id: str, session_ids: Iterable[str]) -> None: ...
    async def flush(self) -> None: ...
    async def aclose(self) -> None: ...


@runtime_checkable
class ReadStore(Protocol):
    """The read side. Everything is scoped by org_id and sees the newest version of each row."""

    async def list_sessions(self, org_id: str, filter: SessionFilter = SessionFilter()) -> SessionPage: ...
    async def get_session(self, org_id: str, id: str) -> Session: ...
    async def get_sessions(self, org_id: str, ids: Iterable[str]) -> list[Session]: ...
    async def get_session_messages(
        self,
        org_id: str,
        session_id: str,
        *,
        after_ordinal: int | None = None,
        before_ordinal: int | None = None,
        limit: int | None = None,
    ) -> list[Message]: ...
    async def get_session_tool_calls(
        self, org_id: str, session_id: str, *, after: tuple[int, str, int] | None = None, limit: int | None = None
    ) -> list[ToolCall]: ...
    async def list_users(self, org_id: str) -> list[UserInfo]: ...
    async def list_projects(self, org_id: str) -> list[ProjectInfo]: ...
    async def list_agents(self, org_id: str) -> list[str]: ...
    async def search(self, org_id: str, query: SearchQuery) -> SearchPage: ...
    async def get_session_git_links(self, org_id: str, session_id: str) -> list[GitLink]: ...
    async def lookup_git_links(self, org_id: str, *, sha: str = "", pr_url: str = "") -> list[GitLinkResult]: ...
    async def file_history(
        self,
        org_id: str,
        path: str,
        *,
        project_id: str = "",
        session_id: str = "",
        operations: Iterable[FileOperation] = (),
        limit: int = 100,
        cursor: str = "",
        versions: int = 0,
    ) -> FileHistory: ...
    async def list_session_stars(self, org_id: str, session_id: str = "") -> list[SessionStar]: ...
    async def list_message_pins(self, org_id: str, session_id: str = "") -> list[MessagePin]: ...
    async def list_session_deletes(self, org_id: str) -> list[SessionDelete]: ...
    async def list_source_files(
        self,
        org_id: str,
        *,
        machine: str | None = None,
        source_ids: Iterable[str] = (),
        session_id: str = "",
        packed: Iterable[str] = (),
    ) -> list[SourceFile]: ...
    async def get_originals(self, org_id: str, original_id: str) -> list[OriginalPart]: ...
    async def changes(self, org_id: str, since: Changes | int | None = None) -> Changes: ...

    @takes_analytics_keywords
    async def usage_by_user(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[UserUsage]: ...

    @takes_analytics_keywords
    async def activity_heatmap(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[HeatmapCell]: ...

    @takes_analytics_keywords
    async def tool_usage_distribution(
        self, org_id: str, **keywords: Unpack[AnalyticsKeywords]
    ) -> list[ToolUsageStat]: ...

    @takes_analytics_keywords
    async def daily_activity(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> list[DailyActivity]: ...

    @takes_analytics_keywords
    async def token_usage_by_model(
        self, org_id: str, **keywords: Unpack[AnalyticsKeywords]
    ) -> list[ModelTokenUsage]: ...

    @takes_analytics_keywords
    async def summary(self, org_id: str, **keywords: Unpack[AnalyticsKeywords]) -> Summary: ...

    @takes_analytics_keywords
    async def cost_by(
        self, org_id: str, key: str, *, limit: int = 100, **keywords: Unpack[AnalyticsKeywords]
    ) -> CostReport: ...

    async def aclose(self) -> None: ...


class ReadWriteStore(Store, ReadStore, Protocol):
    """A store that is read and written."""

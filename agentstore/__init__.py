"""The history of AI coding agents in ClickHouse, for asyncio.

Layers, each importing only from those above it::

    errors                                      the error tree
    models · filters · settings                 records · what analytics are asked for · where the store is
    connection.sql                              query text
    protocols · home                            what the parts expect of each other · the loop a store belongs to
    schema.plan · write.rows · read.cursor …    pure: decide, send nothing
    connection.wire (asynch) · driver · pool    I/O, one thing each
    read.* · write.writer · schema.migrate      see an Executor and a Sink, never the pool
    read.reads · write.writes                   the methods of the store, each once
    store                                       opens and closes what they need
    importers · local                           aside: bytes to records · the local server

The names below are loaded when they are first used: ``import agentstore`` alone loads none of these modules.
"""

from importlib import import_module

from agentstore.version import __version__

# By this name type checkers know it, and typing itself would take as long to load as all the rest.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from agentstore.errors import (
        AgentStoreError,
        AlreadyThereError,
        AuthenticationError,
        ConfigError,
        ConnectionFailedError,
        InvalidArgumentError,
        InvalidCursorError,
        NotFoundError,
        OperationTimeoutError,
        PoolTimeoutError,
        QueryError,
        SchemaError,
        SessionPurgedError,
        StoreClosedError,
        WriteError,
        WrongLoopError,
    )
    from agentstore.models import (
        Changes,
        CostReport,
        CostRow,
        CutText,
        DailyActivity,
        FileHistory,
        FileHistoryEntry,
        FileTouch,
        GitLink,
        GitLinkEntry,
        GitLinkPage,
        GitLinkResult,
        HeatmapCell,
        Highlight,
        Message,
        MessageOutline,
        MessagePin,
        MessageVersion,
        ModelPrice,
        ModelTokenUsage,
        OriginalPart,
        ProjectInfo,
        ProjectUsage,
        Prompt,
        SearchPage,
        SearchQuery,
        SearchResult,
        Session,
        SessionDelete,
        SessionFile,
        SessionFilter,
        SessionPage,
        SessionStar,
        SessionWindow,
        SourceFile,
        Summary,
        SummaryTotals,
        TextPart,
        ToolCall,
        ToolUsageStat,
        UnpricedModel,
        UserInfo,
        UserUsage,
        WriteMark,
    )
    from agentstore.protocols import ReadStore, Store
    from agentstore.settings import ConnectOptions
    from agentstore.store import AsyncClickHouseStore
    from agentstore.write.pipeline import FailedWrite, Pipeline, StoredWrite
    from agentstore.write.purge import Purge
    from agentstore.write.receipt import Receipt
    from agentstore.write.statistics import TableStatistics

__all__ = [
    "AgentStoreError",
    "AlreadyThereError",
    "AsyncClickHouseStore",
    "AuthenticationError",
    "Changes",
    "ConfigError",
    "ConnectOptions",
    "ConnectionFailedError",
    "CostReport",
    "CostRow",
    "CutText",
    "DailyActivity",
    "FailedWrite",
    "FileHistory",
    "FileHistoryEntry",
    "FileTouch",
    "GitLink",
    "GitLinkEntry",
    "GitLinkPage",
    "GitLinkResult",
    "HeatmapCell",
    "Highlight",
    "InvalidArgumentError",
    "InvalidCursorError",
    "Message",
    "MessageOutline",
    "MessagePin",
    "MessageVersion",
    "ModelPrice",
    "ModelTokenUsage",
    "NotFoundError",
    "OperationTimeoutError",
    "OriginalPart",
    "Pipeline",
    "PoolTimeoutError",
    "ProjectInfo",
    "ProjectUsage",
    "Prompt",
    "Purge",
    "QueryError",
    "ReadStore",
    "Receipt",
    "SchemaError",
    "SearchPage",
    "SearchQuery",
    "SearchResult",
    "Session",
    "SessionDelete",
    "SessionFile",
    "SessionFilter",
    "SessionPage",
    "SessionPurgedError",
    "SessionStar",
    "SessionWindow",
    "SourceFile",
    "Store",
    "StoreClosedError",
    "StoredWrite",
    "Summary",
    "SummaryTotals",
    "TableStatistics",
    "TextPart",
    "ToolCall",
    "ToolUsageStat",
    "UnpricedModel",
    "UserInfo",
    "UserUsage",
    "WriteError",
    "WriteMark",
    "WrongLoopError",
    "__version__",
]

# Where each name comes from: the imports above, said once more for when the program runs.
_HOMES = {
    "errors": (
        "AgentStoreError AlreadyThereError AuthenticationError ConfigError ConnectionFailedError InvalidArgumentError "
        "InvalidCursorError NotFoundError OperationTimeoutError PoolTimeoutError QueryError SchemaError "
        "SessionPurgedError StoreClosedError WriteError WrongLoopError"
    ),
    "models": (
        "Changes CostReport CostRow CutText DailyActivity FileHistory FileHistoryEntry FileTouch GitLink GitLinkEntry "
        "GitLinkPage GitLinkResult HeatmapCell Highlight Message MessageOutline MessagePin MessageVersion ModelPrice "
        "ModelTokenUsage OriginalPart ProjectInfo ProjectUsage Prompt SearchPage SearchQuery SearchResult Session "
        "SessionDelete SessionFile SessionFilter SessionPage SessionStar SessionWindow SourceFile Summary "
        "SummaryTotals TextPart ToolCall "
        "ToolUsageStat UnpricedModel UserInfo UserUsage WriteMark"
    ),
    "protocols": "ReadStore Store",
    "settings": "ConnectOptions",
    "store": "AsyncClickHouseStore",
    "write.pipeline": "FailedWrite Pipeline StoredWrite",
    "write.purge": "Purge",
    "write.receipt": "Receipt",
    "write.statistics": "TableStatistics",
}


if not TYPE_CHECKING:  # a type checker sees the imports, and refuses other names

    def __getattr__(name: str) -> object:
        if name in _HOMES:  # agentstore.errors, which need not be imported by itself
            return import_module(f"agentstore.{name}")
        for module, names in _HOMES.items():
            if name in names.split():
                # Kept, so that the next use finds it at once.
                found = globals()[name] = getattr(import_module(f"agentstore.{module}"), name)
                return found
        raise AttributeError(f"module 'agentstore' has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})

"""The records of the store. Field names are also the JSON names and the column names.

All Structs are frozen; every field has the default a caller may rely on. Times are timezone-aware
``datetime`` in UTC with microseconds, absent times are ``None``. Every Struct round-trips through ``msgspec.json`` and
``msgspec.msgpack``. They stand in ``written`` (what is stored), ``asked`` and ``answered``; import them from here.
"""

from agentstore.models.answered import (
    Changes,
    DailyActivity,
    FileHistory,
    FileHistoryEntry,
    GitLinkResult,
    HeatmapCell,
    Highlight,
    ModelTokenUsage,
    ProjectInfo,
    ProjectUsage,
    SearchPage,
    SearchResult,
    SessionPage,
    SummaryTotals,
    ToolUsageStat,
    UserInfo,
    UserUsage,
)
from agentstore.models.asked import DateLike, SearchQuery, SessionFilter, parse_iso
from agentstore.models.ingested import OriginalPart, SourceFile
from agentstore.models.priced import CostReport, CostRow, ModelPrice, Summary, UnpricedModel
from agentstore.models.record import Record
from agentstore.models.written import (
    Confidence,
    FileOperation,
    FileTouch,
    GitLink,
    LinkType,
    Message,
    MessagePin,
    RelationshipType,
    Session,
    SessionDelete,
    SessionStar,
    ToolCall,
    WriteMark,
)

__all__ = [
    "Changes",
    "Confidence",
    "CostReport",
    "CostRow",
    "DailyActivity",
    "DateLike",
    "FileHistory",
    "FileHistoryEntry",
    "FileOperation",
    "FileTouch",
    "GitLink",
    "GitLinkResult",
    "HeatmapCell",
    "Highlight",
    "LinkType",
    "Message",
    "MessagePin",
    "ModelPrice",
    "ModelTokenUsage",
    "OriginalPart",
    "ProjectInfo",
    "ProjectUsage",
    "Record",
    "RelationshipType",
    "SearchPage",
    "SearchQuery",
    "SearchResult",
    "Session",
    "SessionDelete",
    "SessionFilter",
    "SessionPage",
    "SessionStar",
    "SourceFile",
    "Summary",
    "SummaryTotals",
    "ToolCall",
    "ToolUsageStat",
    "UnpricedModel",
    "UserInfo",
    "UserUsage",
    "WriteMark",
    "parse_iso",
]

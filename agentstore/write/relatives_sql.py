"""The statements by which it is found which sessions have to do with each other. Pure."""

from __future__ import annotations

from collections.abc import Collection

from agentstore.connection.sql import Sql, join, sql
from agentstore.read.floors import COPIES, SUBAGENTS
from agentstore.write.sources import MARKER, SOURCE, is_marker, marker_of

IS_SUBAGENT = sql("(relationship_type = 'subagent' OR (relationship_type = '' AND parent_session_id != ''))")


def hint(org_id: str, session_ids: Collection[str], sources: Collection[int]) -> Sql:
    """A row, where one of the sessions may have something to do with another one: it is marked, or it holds one of the
    ``sources``, and another one does, too. Most have not, and this is all that they cost."""
    return _hint(org_id, sql("{all}", all=tuple(sorted({*sources, *map(marker_of, session_ids)}))))


def hint_by_versions(org_id: str, versions: Collection[int], session_ids: Collection[str]) -> Sql:
    """The same, of all messages and sessions that were written at these versions, and more sessions."""
    # By version alone, for which there is an index: thousands of ids in a statement cost more than the rest of it.
    written = sql("org_id = {org_id} AND _version IN {versions}", org_id=org_id, versions=_versions(versions))
    return _hint(
        org_id,
        sql(
            "(SELECT {source} FROM messages WHERE {written} AND source_id != '' UNION DISTINCT"
            " SELECT {marker} FROM (SELECT id AS session_id FROM sessions WHERE {written} UNION DISTINCT"
            " SELECT session_id FROM messages WHERE {written} UNION DISTINCT SELECT arrayJoin({ids})))",
            source=SOURCE,
            marker=MARKER,
            written=written,
            ids=list(session_ids) or [""],
        ),
    )


def _hint(org_id: str, sources: Sql) -> Sql:
    return sql(
        "SELECT 1 FROM message_sources WHERE org_id = {org_id} AND source IN {sources}"
        " GROUP BY source HAVING min(session_id) != max(session_id) OR max({is_marker}) LIMIT 1",
        org_id=org_id,
        sources=sources,
        is_marker=is_marker(),
    )


def mark(org_id: str, session_ids: Collection[str]) -> Sql:
    """Have ``hint`` find these sessions from now on. Harmless when it is sent twice."""
    return sql(
        "INSERT INTO message_sources (org_id, source, session_id)"
        " SELECT {org_id}, pair.1, pair.2 FROM (SELECT arrayJoin(arrayZip({markers}, {ids})) AS pair)",
        org_id=org_id,
        markers=[marker_of(id) for id in sorted(session_ids)],
        ids=sorted(session_ids),
    )


def marked(org_id: str, session_ids: Collection[str]) -> Sql:
    """Those of the sessions that are marked."""
    return sql(
        "SELECT DISTINCT session_id FROM message_sources WHERE org_id = {org_id} AND source IN {markers} AND {marker}",
        org_id=org_id,
        markers=tuple(sorted(map(marker_of, session_ids))),
        marker=is_marker(),
    )


def undecided(most: int) -> Sql:
    """``org_id`` and ``id`` of sessions that share messages and are not marked: nobody has decided what they own.

    They were stored before there were marks, or by a writer that was killed before it could decide. The table is read
    in its order, so that this takes little memory.
    """
    return sql(
        "SELECT DISTINCT org_id, arrayJoin(sessions) AS id FROM (SELECT org_id, groupUniqArray(session_id) AS sessions"
        " FROM message_sources GROUP BY org_id, source HAVING min(session_id) != max(session_id))"
        " WHERE (org_id, id) NOT IN (SELECT org_id, session_id FROM message_sources WHERE {marker}) LIMIT {most}"
        " SETTINGS optimize_aggregation_in_order = 1",
        marker=is_marker(),
        most=most,
    )


def outgrown(most: int) -> Sql:
    """``org_id`` and ``id`` of sessions that stand for themselves, and of which it is decided that they are subagents.

    Who wrote such a row was killed before it could decide anew.
    """
    return sql(
        "SELECT org_id, id FROM session_facts FINAL WHERE browsable AND (org_id, id) IN ("
        "SELECT org_id, session_id FROM session_floors FINAL WHERE scope = {scope}) LIMIT {most}",
        scope=SUBAGENTS,
        most=most,
    )


def look(
    org_id: str,
    written: Collection[str],
    versions: Collection[int],
    touched: Collection[str],
    heads: Collection[str],
) -> Sql:
    """``kind`` 'shared': sessions that hold a source id of the messages just ``written``, where more than one does.
    'copies': those of the ``touched`` sessions that have a family already, with the ordinal from which on they shared
    nothing. 'subagents': those of them that are known to be subagents. 'parents': those of ``heads`` that have some.
    Some more than once.
    """
    parts = [
        sql(
            "SELECT toString(scope) AS kind, session_id AS id, shared_until"
            " FROM session_floors FINAL WHERE org_id = {org_id} AND scope IN {scopes} AND session_id IN {touched}",
            org_id=org_id,
            scopes=(COPIES, SUBAGENTS),
            touched=id_tuple(touched),
        )
    ]
    # Each part costs a write some milliseconds, so only those that can say something.
    if heads:
        parts.append(
            sql(
                "SELECT 'parents', parent_session_id, 0 FROM session_floors FINAL"
                " WHERE org_id = {org_id} AND scope = {scope} AND parent_session_id IN {heads}",
                org_id=org_id,
                scope=SUBAGENTS,
                heads=id_tuple(heads),
            )
        )
    if written:
        sources = sql("SELECT {source} FROM ({rows})", source=SOURCE, rows=_written(org_id, written, versions))
        parts.append(
            sql(
                "SELECT 'shared', arrayJoin(sessions), 0 FROM ({shared})",
                shared=_shared(org_id, sources),
            )
        )
    return join(" UNION ALL ", parts)


def relatives(org_id: str, session_ids: Collection[str]) -> Sql:
    """All sessions that hold a source id of one of these, which may be gone themselves."""
    # By session the table has no order: it is read whole, for this organisation. Asked where a member of a family
    # is removed, or rows are written in the place of some that it shared.
    return sql(
        "SELECT DISTINCT arrayJoin(sessions) FROM ({shared})",
        shared=_shared(
            org_id,
            sql(
                "SELECT source FROM message_sources WHERE org_id = {org_id} AND session_id IN {ids} AND NOT {marker}",
                marker=is_marker(),
                org_id=org_id,
                ids=id_tuple(session_ids),
            ),
        ),
    )


def neighbours(org_id: str, session_ids: Collection[str]) -> Sql:
    """The groups of sessions that share a message with one of these: all that is needed to decide what these own."""
    return sql(
        "SELECT DISTINCT arraySort(arrayMap(id -> toValidUTF8(id), sessions)) FROM ({shared})",
        shared=_shared(
            org_id,
            sql(
                "SELECT {source} FROM messages WHERE org_id = {org_id} AND session_id IN {ids} AND source_id != ''",
                source=SOURCE,
                org_id=org_id,
                ids=id_tuple(session_ids),
            ),
        ),
    )


def children(org_id: str, session_ids: Collection[str]) -> Sql:
    """The subagents whose parent is one of these."""
    return sql(
        "SELECT session_id FROM session_floors FINAL WHERE org_id = {org_id} AND scope = {scope}"
        " AND parent_session_id IN {ids}",
        org_id=org_id,
        scope=SUBAGENTS,
        ids=id_tuple(session_ids),
    )


def in_families(org_id: str, session_ids: Collection[str]) -> Sql:
    """Those of the sessions that have a family."""
    return sql(
        "SELECT session_id FROM session_floors FINAL WHERE org_id = {org_id} AND scope = {scope}"
        " AND session_id IN {ids}",
        org_id=org_id,
        scope=COPIES,
        ids=id_tuple(session_ids),
    )


def members(org_id: str, session_ids: Collection[str]) -> Sql:
    """The columns of ``Member``, with the start in microseconds."""
    return sql(
        "SELECT id, parent_session_id, browsable, {subagent}, id IN ("
        "SELECT session_id FROM session_deletes FINAL WHERE org_id = {org_id} AND session_id IN {ids}),"
        " toUnixTimestamp64Micro(started_at)"
        " FROM sessions FINAL WHERE org_id = {org_id} AND id IN {ids}",
        subagent=IS_SUBAGENT,
        org_id=org_id,
        ids=id_tuple(session_ids),
    )


def _written(org_id: str, session_ids: Collection[str], versions: Collection[int]) -> Sql:
    return sql(
        "SELECT org_id, source_id, session_id FROM messages WHERE org_id = {org_id} AND session_id IN {ids}"
        " AND _version IN {versions} AND source_id != ''",
        org_id=org_id,
        ids=id_tuple(session_ids),
        versions=_versions(versions),
    )


def _versions(versions: Collection[int]) -> tuple[int, ...]:
    return tuple(sorted(versions)) or (0,)


def _shared(org_id: str, sources: Sql) -> Sql:
    """The sessions that hold one of these sources, for each that more than one holds."""
    return sql(
        "SELECT groupUniqArray(session_id) AS sessions FROM message_sources WHERE org_id = {org_id}"
        " AND source IN ({sources}) GROUP BY source HAVING length(sessions) > 1",
        org_id=org_id,
        sources=sources,
    )


def id_tuple(values: Collection[object]) -> tuple[object, ...]:
    """Sorted, so that one question is one text. Of nothing: an id that no session has, since "()" is no list."""
    return tuple(sorted(values)) or ("",)  # type: ignore[type-var]

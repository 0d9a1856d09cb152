"""The statements by which families of sessions are found and what they share is given an owner. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agentstore.connection.sql import Sql, sql
from agentstore.read.floors import CONTENT, COPIES, MARKS, above_floors


def note_sources(org_id: str, session_ids: Collection[str], versions: Collection[int]) -> Sql:
    """Record which sessions hold the source ids of messages just written. Harmless when it is sent twice."""
    return sql(
        "INSERT INTO message_sources (org_id, source, session_id)"
        " SELECT org_id, cityHash64(source_id), session_id FROM ({rows})",
        rows=_written(org_id, session_ids, versions),
    )


def look(org_id: str, session_ids: Collection[str], versions: Collection[int], touched: Collection[str]) -> Sql:
    """``shared``: sessions that hold a source id of these messages, where more than one does. ``own_from`` and
    ``scattered``: of ``touched`` sessions, where they have a family already, what are copies.
    """
    return sql(
        "SELECT 1 AS shared, arrayJoin(sessions) AS id, toUInt32(0) AS own_from, false AS scattered"
        " FROM ({shared}) UNION DISTINCT"
        " SELECT 0, session_id, own_from, notEmpty(copied_ordinals) FROM session_floors FINAL"
        " WHERE org_id = {org_id} AND scope = {scope} AND session_id IN {touched}",
        shared=_shared(
            org_id, sql("SELECT cityHash64(source_id) FROM ({rows})", rows=_written(org_id, session_ids, versions))
        ),
        org_id=org_id,
        scope=COPIES,
        touched=_tuple(touched),
    )


def relatives(org_id: str, session_ids: Collection[str]) -> Sql:
    """All sessions that hold a source id of one of these, which may be gone themselves."""
    # By session the table has no order: it is read whole, for this organisation. Asked where sessions are removed.
    return sql(
        "SELECT DISTINCT arrayJoin(sessions) FROM ({shared})",
        shared=_shared(
            org_id,
            sql(
                "SELECT source FROM message_sources WHERE org_id = {org_id} AND session_id IN {ids}",
                org_id=org_id,
                ids=_tuple(session_ids),
            ),
        ),
    )


def neighbours(org_id: str, session_ids: Collection[str]) -> Sql:
    """All sessions that share a message with one of these: with them, what each of these owns can be decided."""
    return sql(
        "SELECT DISTINCT arrayJoin(sessions) FROM ({shared})",
        shared=_shared(
            org_id,
            sql(
                "SELECT cityHash64(source_id) FROM messages WHERE org_id = {org_id} AND session_id IN {ids}"
                " AND source_id != ''",
                org_id=org_id,
                ids=_tuple(session_ids),
            ),
        ),
    )


def members(org_id: str, session_ids: Collection[str]) -> Sql:
    """The columns of ``Member``, with the start in microseconds."""
    return sql(
        "SELECT id, parent_session_id, browsable, subagent, id IN ("
        "SELECT session_id FROM session_deletes FINAL WHERE org_id = {org_id} AND session_id IN {ids}),"
        " toUnixTimestamp64Micro(started_at)"
        " FROM sessions FINAL WHERE org_id = {org_id} AND id IN {ids}",
        org_id=org_id,
        ids=_tuple(session_ids),
    )


def children(org_id: str, session_ids: Collection[str]) -> Sql:
    """The subagents of sessions: they count with them, and not without them."""
    return sql(
        "SELECT id FROM sessions FINAL WHERE org_id = {org_id} AND subagent AND parent_session_id IN {ids}",
        org_id=org_id,
        ids=_tuple(session_ids),
    )


def decide(org_id: str, affected: Collection[str], ranked: Sequence[str], version: int) -> Sql:
    """Write down what of each ``affected`` session are copies; ``ranked`` is its family, owners first.

    A message is a copy where another session of the family has the same source id with more output, or as much and is
    ranked before; a prompt also where one ranked before has one of its time and length (a resume gives new ids). A git
    link is one where a session ranked before has it.
    """
    return sql(
        "INSERT INTO session_floors (org_id, scope, session_id, own_from, copied_ordinals, copied_links,"
        " copied_messages, copied_output_tokens, origin_session_id, _version)"
        " SELECT {org_id}, {scope}, id, own_from, arraySort(arrayFilter(o -> o > own_from, ordinals)), links,"
        " copies, tokens, if(copies = 0, '', {ranked}[origin + 1]), {version} FROM ("
        "SELECT *, multiIf(copies = 0, 0, owned = 0, last + 1, first_owned) AS own_from"
        " FROM (SELECT arrayJoin({affected}) AS id) AS a"
        " LEFT JOIN ({messages}) AS m ON m.session_id = a.id"
        " LEFT JOIN ({links}) AS l ON l.session_id = a.id)",
        org_id=org_id,
        scope=COPIES,
        ranked=list(ranked),
        version=version,
        affected=sorted(affected),
        messages=_copied_messages(org_id, ranked),
        links=_copied_links(org_id, ranked),
    )


def _copied_messages(org_id: str, ranked: Sequence[str]) -> Sql:
    return sql(
        "SELECT session_id, countIf(is_copy) AS copies, sumIf(output_tokens, is_copy) AS tokens,"
        " countIf(NOT is_copy) AS owned, minIf(ordinal, NOT is_copy) AS first_owned, max(ordinal) AS last,"
        " groupArrayIf(ordinal, is_copy) AS ordinals, argMinIf(owner, ordinal, is_copy) AS origin FROM ("
        "SELECT session_id, ordinal, output_tokens, by_source != place OR by_text != place AS is_copy,"
        " if(by_source != place, by_source, by_text) AS owner FROM ("
        "SELECT session_id, ordinal, output_tokens, place,"
        " if(source_id = '', place, first_value(place) OVER"
        " (PARTITION BY source_id ORDER BY output_tokens DESC, content_length DESC, place)) AS by_source,"
        " if(role = 'assistant' OR timestamp IS NULL, place, min(place) OVER"
        " (PARTITION BY role, timestamp, content_length)) AS by_text"
        " FROM (SELECT *, {place} AS place FROM messages FINAL WHERE org_id = {org_id} AND session_id IN {ids}"
        " AND {seen}))) GROUP BY session_id",
        place=_place(ranked),
        org_id=org_id,
        ids=_tuple(ranked),
        seen=above_floors(org_id, CONTENT, among=sql("session_id IN {ids}", ids=_tuple(ranked))),
    )


def _copied_links(org_id: str, ranked: Sequence[str]) -> Sql:
    return sql(
        "SELECT session_id, groupArrayIf(link, owner != place) AS links FROM ("
        "SELECT session_id, cityHash64(commit_sha, pr_url) AS link, {place} AS place,"
        " min(place) OVER (PARTITION BY commit_sha, pr_url) AS owner"
        " FROM git_links FINAL WHERE org_id = {org_id} AND session_id IN {ids} AND {seen}) GROUP BY session_id",
        place=_place(ranked),
        org_id=org_id,
        ids=_tuple(ranked),
        seen=above_floors(org_id, MARKS, among=sql("session_id IN {ids}", ids=_tuple(ranked))),
    )


def _place(ranked: Sequence[str]) -> Sql:
    return sql(
        "transform(session_id, {ids}, {places}, {none})",
        ids=list(ranked),
        places=list(range(len(ranked))),
        none=len(ranked),
    )


def _written(org_id: str, session_ids: Collection[str], versions: Collection[int]) -> Sql:
    return sql(
        "SELECT org_id, source_id, session_id FROM messages WHERE org_id = {org_id} AND session_id IN {ids}"
        " AND _version IN {versions} AND source_id != ''",
        org_id=org_id,
        ids=_tuple(session_ids),
        versions=tuple(sorted(versions)) or (0,),
    )


def _shared(org_id: str, sources: Sql) -> Sql:
    """The sessions that hold one of these sources, for each that more than one holds."""
    return sql(
        "SELECT groupUniqArray(session_id) AS sessions FROM message_sources WHERE org_id = {org_id}"
        " AND source IN ({sources}) GROUP BY source HAVING length(sessions) > 1",
        org_id=org_id,
        sources=sources,
    )


def _tuple(values: Collection[object]) -> tuple[object, ...]:
    # Sorted, so that one question is one text. Of nothing: an id that no session has, since "()" is no list.
    return tuple(sorted(values)) or ("",)  # type: ignore[type-var]

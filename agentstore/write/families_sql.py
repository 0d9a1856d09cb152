"""The statements by which what sessions share is given an owner, and what totals need of them is repeated. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from agentstore.connection.sql import Sql, sql
from agentstore.read.floors import CONTENT, COPIES, MARKS, SUBAGENTS, above_floors
from agentstore.write.relatives_sql import IS_SUBAGENT, id_tuple


@dataclass(frozen=True, slots=True)
class Order:
    """Sessions, ``ranked``: owners first. The first of them are ``listed``, the first of them are ``counted``.

    ``families`` tells by numbers which of them belong together.
    """

    ranked: Sequence[str]
    families: Sequence[int]
    listed: int
    counted: int


def note_subagents(org_id: str, session_ids: Collection[str], version: int) -> Sql:
    """Have a row for each subagent among the sessions, so that whoever changes one above it finds it."""
    return sql(
        "INSERT INTO session_floors (org_id, scope, session_id, origin_session_id, parent_session_id, _version)"
        " SELECT org_id, {scope}, id, parent_session_id, parent_session_id, {version} FROM sessions FINAL"
        " WHERE org_id = {org_id} AND id IN {ids} AND {subagent}",
        scope=SUBAGENTS,
        version=version,
        subagent=IS_SUBAGENT,
        org_id=org_id,
        ids=id_tuple(session_ids),
    )


def repeat_subagents(org_id: str, session_ids: Collection[str], roots: Mapping[str, str], version: int) -> Sql:
    """Write what totals need of subagents, whose ``roots`` these are; and no row for one that is none any more."""
    return sql(
        "INSERT INTO session_floors (org_id, scope, session_id, origin_session_id, parent_session_id, {repeated},"
        " _version, _deleted) SELECT {org_id}, {scope}, id, root, parent, {facts}, {version}, NOT subagent FROM ("
        "SELECT id, {root} AS root, parent_session_id AS parent, {subagent} AS subagent, started_at AS began,"
        " total_output_tokens AS spent FROM sessions FINAL WHERE org_id = {org_id} AND id IN {ids}) AS d{joined}",
        repeated=_REPEATED,
        org_id=org_id,
        scope=SUBAGENTS,
        facts=_facts(org_id, session_ids, roots),
        version=version,
        ids=id_tuple(session_ids),
        root=_root(roots),
        subagent=IS_SUBAGENT,
        joined=_with_roots(org_id, session_ids, roots),
    )


def forget_subagents(org_id: str, session_ids: Collection[str], version: int) -> Sql:
    """Have no row for these subagents, which are gone."""
    return sql(
        "INSERT INTO session_floors (org_id, scope, session_id, _version, _deleted)"
        " SELECT {org_id}, {scope}, arrayJoin({ids}), {version}, 1",
        org_id=org_id,
        scope=SUBAGENTS,
        ids=sorted(session_ids),
        version=version,
    )


def _root(roots: Mapping[str, str]) -> Sql:
    if not roots:
        return sql("id")
    return sql("transform(id, {subagents}, {roots}, id)", subagents=list(roots), roots=list(roots.values()))


_REPEATED = sql("started_at, total_output_tokens, counts, user_id, user_name, project_name, agent_type")


def _facts(org_id: str, session_ids: Collection[str], roots: Mapping[str, str]) -> Sql:
    """The columns ``_REPEATED``, of rows with ``id``, ``root``, ``began`` and ``spent`` joined ``_with_roots``."""
    return sql(
        "began, spent, r.browsable AND id NOT IN ({hidden}) AND root NOT IN ({hidden}),"
        " r.user_id, r.user_name, r.project_name, r.agent_type",
        hidden=sql(
            "SELECT session_id FROM session_deletes FINAL WHERE org_id = {org_id} AND session_id IN {all}",
            org_id=org_id,
            all=id_tuple({*session_ids, *roots.values()}),
        ),
    )


def _with_roots(org_id: str, session_ids: Collection[str], roots: Mapping[str, str]) -> Sql:
    return sql(
        " LEFT ANY JOIN (SELECT id AS key, browsable, user_id, user_name, project_name, agent_type FROM sessions FINAL"
        " WHERE org_id = {org_id} AND id IN {all}) AS r ON r.key = d.root",
        org_id=org_id,
        all=id_tuple({*session_ids, *roots.values()}),
    )


def decide(org_id: str, affected: Collection[str], order: Order, roots: Mapping[str, str], version: int) -> Sql:
    """Write down what of each ``affected`` session are copies, and what totals need of it.

    A message is a copy where another session of the family has the same source id with more output, tool calls and
    results, or text, or as much and is ranked before; listed sessions go before all others, and those that are counted
    before the rest. A prompt is one also where a session ranked before has one of its time and length, since a resume
    gives new ids. A git link, where one ranked before has it.

    In one statement, at a version drawn before anything was read: two stores that decide at once must not each carry on
    what the other is about to replace.
    """
    ranked = order.ranked
    return sql(
        "INSERT INTO session_floors (org_id, scope, session_id, own_from, copied_ordinals, copied_links,"
        " shared_until, copied_messages, copied_output_tokens, is_root, origin_session_id, {repeated}, _version)"
        " SELECT {org_id}, {scope}, id, own_from, arraySort(arrayFilter(o -> o > own_from, ordinals)), links,"
        " shared_until, copies, tokens, root = id, if(copies = 0, '', {ranked}[origin + 1]), {facts}, {version} FROM ("
        "SELECT id, root, ordinals, links, copies, shared_until, tokens, origin,"
        " multiIf(copies = 0, 0, owned = 0, last + 1, first_owned) AS own_from"
        " FROM (SELECT arrayJoin({affected}) AS id, {root} AS root) AS a"
        " LEFT JOIN ({messages}) AS m ON m.session_id = a.id"
        " LEFT JOIN ({links}) AS l ON l.session_id = a.id) AS d"
        " LEFT ANY JOIN (SELECT id AS key, started_at AS began, total_output_tokens AS spent FROM sessions FINAL"
        " WHERE org_id = {org_id} AND id IN {ids}) AS s ON s.key = d.id{joined}",
        repeated=_REPEATED,
        org_id=org_id,
        scope=COPIES,
        ranked=list(ranked),
        facts=_facts(org_id, affected, roots),
        version=version,
        affected=sorted(affected),
        ids=id_tuple(affected),
        root=_root(roots),
        messages=_copied_messages(org_id, order),
        links=_copied_links(org_id, ranked, order.families),
        joined=_with_roots(org_id, affected, roots),
    )


def _copied_messages(org_id: str, order: Order) -> Sql:
    ranked = order.ranked
    return sql(
        "SELECT session_id, countIf(is_copy) AS copies, sumIf(output_tokens, is_copy) AS tokens,"
        " countIf(NOT is_copy) AS owned, minIf(ordinal, NOT is_copy) AS first_owned, max(ordinal) AS last,"
        " groupArrayIf(ordinal, is_copy) AS ordinals, argMinIf(owner, ordinal, is_copy) AS origin,"
        " maxIf(ordinal + 1, is_shared) AS shared_until FROM ("
        "SELECT session_id, ordinal, output_tokens, is_shared, by_source != place OR by_text != place AS is_copy,"
        " if(by_source != place, by_source, by_text) AS owner FROM ("
        "SELECT session_id, ordinal, output_tokens, place,"
        " if(source_id = '', place, first_value(place) OVER"
        " (PARTITION BY source_id ORDER BY (place >= {listed}) + (place >= {counted}), output_tokens DESC, calls DESC,"
        " content_length DESC, place)) AS by_source,"
        " source_id != '' AND min(place) OVER (PARTITION BY source_id) != max(place) OVER (PARTITION BY source_id)"
        " AS is_shared,"
        # Neither responses nor rows of which all is unknown but the second: each would be another's, and nobody's own.
        " if(role = 'assistant' OR output_tokens > 0 OR content_length = 0 OR timestamp IS NULL, place, min(place) OVER"
        " (PARTITION BY family, role, timestamp, content_length)) AS by_text"
        " FROM (SELECT session_id, ordinal, source_id, role, timestamp, output_tokens, content_length,"
        " {place} AS place, {family} AS family FROM messages FINAL"
        " WHERE org_id = {org_id} AND session_id IN {ids} AND {seen}) AS r LEFT ANY JOIN ({calls}) AS c"
        " ON c.session_id = r.session_id AND c.message_ordinal = r.ordinal)) GROUP BY session_id",
        calls=_calls(org_id, ranked),
        place=_number(ranked, range(len(ranked))),
        family=_number(ranked, order.families),
        listed=order.listed,
        counted=order.counted,
        org_id=org_id,
        ids=id_tuple(ranked),
        seen=above_floors(org_id, CONTENT, among=sql("session_id IN {ids}", ids=id_tuple(ranked))),
    )


def _calls(org_id: str, ranked: Sequence[str]) -> Sql:
    """How many tool calls and results each message has: one that was cut off while its tools ran has fewer."""
    return sql(
        "SELECT session_id, message_ordinal, count() + countIf(result_content_length IS NOT NULL) AS calls"
        " FROM tool_calls FINAL WHERE org_id = {org_id} AND session_id IN {ids} AND {seen}"
        " GROUP BY session_id, message_ordinal",
        org_id=org_id,
        ids=id_tuple(ranked),
        seen=above_floors(org_id, CONTENT, among=sql("session_id IN {ids}", ids=id_tuple(ranked))),
    )


def _copied_links(org_id: str, ranked: Sequence[str], families: Sequence[int]) -> Sql:
    return sql(
        "SELECT session_id, groupArrayIf(link, owner != place) AS links FROM ("
        "SELECT session_id, cityHash64(commit_sha, pr_url) AS link, {place} AS place,"
        " min(place) OVER (PARTITION BY {family}, commit_sha, pr_url) AS owner"
        " FROM git_links FINAL WHERE org_id = {org_id} AND session_id IN {ids} AND {seen}) GROUP BY session_id",
        place=_number(ranked, range(len(ranked))),
        family=_number(ranked, families),
        org_id=org_id,
        ids=id_tuple(ranked),
        seen=above_floors(org_id, MARKS, among=sql("session_id IN {ids}", ids=id_tuple(ranked))),
    )


def _number(ids: Sequence[str], numbers: Sequence[int]) -> Sql:
    """The number of a row's session."""
    return sql("transform(session_id, {ids}, {numbers}, -1)", ids=list(ids), numbers=list(numbers))

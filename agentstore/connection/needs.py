"""Which of a server's settings change what our statements mean, and what has to be done about them. Pure.

A user's profile may set anything. Listed are the settings that make a statement of ours return something else, or keep
it from being read or carried out. Each was tried against the engine (tests/live/test_profiles.py); so were many others,
which change nothing and are not listed. Limits that raise an error are the administrator's to set; limits that cut a
result short without a word are not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from agentstore.connection.sql import Sql, sql


@dataclass(frozen=True, slots=True)
class Need:
    """A setting and the value our statements need.

    ``wrong`` are the values that do harm; where none are given, all others do, but for those in ``also``. No value does
    harm while all the limits in ``unless_zero`` are 0. ``writes``: only a user who may write needs it. ``wish``: nobody
    is refused for it.
    """

    name: str
    value: str
    why: str
    wrong: Collection[str] = ()
    also: Collection[str] = ()
    unless_zero: Sequence[str] = ()
    writes: bool = False
    wish: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A setting as it is in a session: ``locked`` where its user may not change it, else within the limits."""

    value: str
    locked: bool = False
    minimum: str = ""
    maximum: str = ""

    def may_be(self, value: str) -> bool:
        """Whether the user may set it to this value."""
        number = _number(value)
        if self.locked or number is None:
            return not self.locked
        low, high = _number(self.minimum), _number(self.maximum)
        return (low is None or number >= low) and (high is None or number <= high)


@dataclass(frozen=True, slots=True)
class Fitted:
    """What is sent along with every statement of one connection, and what of a statement's own settings is not."""

    sent: Mapping[str, str] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()

    def settings(self, own: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a statement that has these of its own."""
        return {**self.sent, **{name: value for name, value in own.items() if name not in self.left_out}}


@dataclass(frozen=True, slots=True)
class Refused:
    """A setting that has to have another value, and may not be changed."""

    need: Need
    found: Found


def _cut_short(mode: str, *limits: str) -> Need:
    return Need(mode, "throw", "a limit would cut results short without a word", unless_zero=limits)


NEEDS: tuple[Need, ...] = (
    Need("join_use_nulls", "0", "a session without git links would have no count of them"),
    Need("join_default_strictness", "ALL", "joins would drop rows"),
    Need("aggregate_functions_null_for_empty", "0", "what has never been replaced would be taken for gone"),
    Need("empty_result_for_aggregation_by_empty_set", "0", "what has never been replaced would be taken for gone"),
    Need("extremes", "0", "the smallest and largest values would be taken for rows"),
    Need("use_query_cache", "0", "reads would not see what was just written"),
    Need("additional_result_filter", "", "rows would be left out"),
    Need("additional_table_filters", "{}", "rows would be left out"),
    # Without its index a condition on tokens knows neither its tokenizer nor its folding.
    Need("use_skip_indexes", "1", "searches would lose hits"),
    # No index is called so; "" is what it is by default, and may not be set.
    Need("ignore_data_skipping_indices", "none", "searches would lose hits", also=("",)),
    Need("apply_deleted_mask", "1", "rows that were deleted would be seen"),
    Need("enable_analyzer", "1", "statements are written for it"),
    Need("enable_global_with_statement", "1", "costs would not know the prices"),
    # Prices are joined to the time from which they are valid, which these cannot.
    Need(
        "join_algorithm", "default", "costs would not find the prices", wrong=("partial_merge", "grace_hash", "direct"),
    ),
    # ClickHouse issue 106809: with a text index it dropped every matching row (before 26.4.5.143, 26.6.2.32,
    # 26.7.1.357); pull request 112526, not merged yet: rows are missing with FINAL and PREWHERE, in all versions.
    Need("query_plan_optimize_lazy_final", "0", "searches would lose hits"),
    _cut_short("result_overflow_mode", "max_result_rows", "max_result_bytes"),
    _cut_short("read_overflow_mode", "max_rows_to_read", "max_bytes_to_read"),
    _cut_short("read_overflow_mode_leaf", "max_rows_to_read_leaf", "max_bytes_to_read_leaf"),
    _cut_short("timeout_overflow_mode", "max_execution_time", "max_estimated_execution_time"),
    _cut_short("timeout_overflow_mode_leaf", "max_execution_time_leaf"),
    _cut_short("set_overflow_mode", "max_rows_in_set", "max_bytes_in_set"),
    _cut_short("join_overflow_mode", "max_rows_in_join", "max_bytes_in_join"),
    _cut_short("sort_overflow_mode", "max_rows_to_sort", "max_bytes_to_sort"),
    _cut_short("distinct_overflow_mode", "max_rows_in_distinct", "max_bytes_in_distinct"),
    _cut_short("transfer_overflow_mode", "max_rows_to_transfer", "max_bytes_to_transfer"),
    _cut_short("group_by_overflow_mode", "max_rows_to_group_by"),
    Need("final", "0", "a purge would not see the older versions that it has to erase", writes=True),
    Need("data_type_default_nullable", "0", "tables would be created with other columns", writes=True),
    Need(
        "deduplicate_insert", "enable", "a retried insert would be stored twice", wrong=("disable",), writes=True,
    ),
    Need(
        "deduplicate_insert_select", "disable", "what counts once could not be written down", wrong=("force_enable",),
        writes=True,
    ),
    # The views that fill the narrow copies (ddl/0011): their failure has to be the insert's, so that it is tried again.
    Need(
        "materialized_views_ignore_errors", "0", "lists would not know of what was acknowledged", writes=True,
    ),
    Need(
        "distributed_ddl_output_mode", "throw", "a replica's failure to apply a migration would go unnoticed",
        wrong=("never_throw", "null_status_on_timeout", "null_status_on_timeout_only_active"), writes=True,
    ),
    Need(
        "distributed_ddl_task_timeout", "180", "migrations would not wait for the replicas", wrong=("0",), writes=True,
    ),
    # By default both hold already. Rows a user deletes by hand are dropped by FINAL only as exactly as this.
    Need("use_skip_indexes_if_final_exact_mode", "1", "an index could hide the newest version of a row", wish=True),
    Need(
        "send_logs_level", "fatal", "the server's log would come with every answer", wish=True,
        wrong=("error", "warning", "information", "debug", "trace", "test"),
    ),
)  # fmt: skip

# What reading one's own writes through other replicas takes. Parallel quorum inserts would be written to different
# sets of replicas, and then no replica could say that it has them all.
READ_YOUR_WRITES: tuple[Need, ...] = (
    Need("insert_quorum", "auto", "option read_your_writes", wrong=("0", "1"), writes=True),
    Need("insert_quorum_parallel", "0", "option read_your_writes", writes=True),
    Need("select_sequential_consistency", "1", "option read_your_writes"),
)

# Settings that single statements have for speed, with the largest value they are given: left out where they may not be
# changed. A statement too long for max_query_size is refused by the server, in its own words.
FOR_SPEED: Mapping[str, str] = {
    "preferred_block_size_bytes": str(16 << 20),
    "max_block_size": "65409",
    "merge_tree_min_rows_for_concurrent_read": "163840",
    "merge_tree_min_bytes_for_concurrent_read": str(240 << 20),
    "max_threads": "1",
    "use_index_for_in_with_subqueries_max_values": "10000",
    "max_query_size": str(1 << 40),
    "use_query_condition_cache": "0",
    "exclude_materialize_skip_indexes_on_insert": "",
}

# A server takes these out of the settings before it looks at them, so nobody is told what they are: sent always. In
# readonly mode too they may be set (26.9), or may if they change nothing; else the server says so.
UNTOLD: Mapping[str, str] = {"limit": "0", "offset": "0"}

# Sent with the question where it got no answer without, for they can keep a single row from coming. What is sent along
# cannot be asked for, so it is sent with everything from then on. Servers skip what they do not know.
SHIELD: Mapping[str, str] = {
    need.name: need.value
    for need in NEEDS
    if need.name
    in (
        "use_query_cache",
        "additional_result_filter",
        "additional_table_filters",
        "result_overflow_mode",
        "read_overflow_mode",
        "timeout_overflow_mode",
    )
}


def question(needs: Sequence[Need]) -> Sql:
    """One row: the server's version in full, and its settings of these names with what limits them."""
    names = {need.name for need in needs} | {limit for need in needs for limit in need.unless_zero}
    return sql(
        "SELECT version(), groupArray(name), groupArray(value), groupArray(readonly),"
        " groupArray(ifNull(min, '')), groupArray(ifNull(max, '')) FROM system.settings WHERE name IN {names}",
        names=tuple(sorted(names | set(FOR_SPEED) | {"readonly"})),
    )


def is_answer(columns: Sequence[Sequence[Any]]) -> bool:
    """Whether it says anything: ``readonly`` at least is a setting of every server."""
    return bool(columns) and bool(columns[1][0])


def answer(columns: Sequence[Sequence[Any]]) -> tuple[str, dict[str, Found]]:
    """The version and the settings of the answer. Further rows are extremes."""
    version, names, *facts = (column[0] for column in columns)
    found = zip(*facts, strict=True)
    return version, {
        name: Found(value, bool(locked), low, high)
        for name, (value, locked, low, high) in zip(names, found, strict=True)
    }


def fit(
    needs: Sequence[Need], found: Mapping[str, Found], asked_with: Mapping[str, str] = MappingProxyType({})
) -> tuple[Fitted, list[Refused]]:
    """What to send, and what cannot be had. A setting that the server does not know needs nothing.

    ``asked_with`` are the settings that were sent with the question.
    """
    reads_only = "readonly" in found and same(found["readonly"].value, "1")
    sent = dict(asked_with)
    refused = []
    for need in needs:
        there = found.get(need.name)
        if there is None or not _is_wrong(need, there) or (need.writes and reads_only):
            continue
        if there.may_be(need.value):
            sent[need.name] = need.value
        elif not need.wish and _does_harm(need, found):
            refused.append(Refused(need, there))
    left_out = {name for name, value in FOR_SPEED.items() if name in found and not found[name].may_be(value)}
    return Fitted(sent, frozenset(left_out)), refused


def same(one: str, other: str) -> bool:
    """Whether two texts are one value: 0 is 0.0, true is 1, and all is ALL."""
    numbers = _number(one), _number(other)
    return numbers[0] == numbers[1] if None not in numbers else one.lower() == other.lower()


def _is_wrong(need: Need, there: Found) -> bool:
    if need.wrong:
        return any(same(there.value, wrong) for wrong in need.wrong)
    return not any(same(there.value, right) for right in (need.value, *need.also))


def _does_harm(need: Need, found: Mapping[str, Found]) -> bool:
    limits = [found[name].value for name in need.unless_zero if name in found]
    return not need.unless_zero or any(not same(limit, "0") for limit in limits)


def _number(text: str) -> float | None:
    try:
        return float({"true": "1", "false": "0"}.get(text.lower(), text))
    except ValueError:
        return None

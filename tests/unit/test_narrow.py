"""The narrow copies of ddl/0011: what the views select, what is filled in, and what is left out on purpose."""

from __future__ import annotations

import re

import pytest

from agentstore.schema.plan import load_migrations
from agentstore.write.narrow import NARROW, Narrow
from agentstore.write.rows import TABLES

STATEMENTS = [one.text for migration in load_migrations() for one in migration.statements()]
# Columns that no copy has, by table. Whoever adds a column to a table decides here whether lists, filters and
# statistics are to have it: else they have to read the table itself.
LEFT_OUT = {
    "sessions": set[str](),
    "messages": {"role", "content", "has_thinking", "has_tool_use", "content_length", "token_usage"},
    "tool_calls": {"input_json", "skill_name", "result_content", "result_content_length", "subagent_session_id"},
    "git_links": {"user_id", "message_ordinal", "link_type", "confidence", "detected_at"},
}
SPACE = re.compile(r"\s+")

every_copy = pytest.mark.parametrize("copy", NARROW, ids=lambda copy: copy.name)


def selects(beginning: str) -> list[str]:
    """The queries of the statements that begin so, up to white space."""
    return [SPACE.sub(" ", text[text.index("SELECT ") :]) for text in STATEMENTS if text.startswith(beginning)]


@every_copy
def test_what_is_filled_in_is_what_the_view_selects(copy: Narrow) -> None:
    (view,) = selects(f"CREATE MATERIALIZED VIEW IF NOT EXISTS {copy.view} ")
    (filled,) = selects(f"INSERT INTO {copy.name}\n")
    assert view == filled
    assert view == SPACE.sub(" ", f"SELECT {copy.row.text} FROM {copy.of.name}")


@every_copy
def test_the_view_selects_the_columns_of_the_copy_in_their_order(copy: Narrow) -> None:
    """By place and not by name is how a row is filled in."""
    (table,) = [text for text in STATEMENTS if text.startswith(f"CREATE TABLE IF NOT EXISTS {copy.name} ")]
    columns = table[table.index("(\n") : table.index("\n)\nENGINE")]
    assert list(copy.columns) == re.findall(r"^ {4}(\w+) ", columns, re.MULTILINE)
    assert f"ORDER BY (org_id, {', '.join(copy.key)})" in table
    assert "ReplacingMergeTree(_version, _deleted)" in table


@pytest.mark.parametrize("name", LEFT_OUT)
def test_every_column_is_copied_or_left_out_on_purpose(name: str) -> None:
    (table,) = [table for table in TABLES if table.name == name]
    used = " ".join(copy.row.text for copy in NARROW if copy.of is table)
    assert {column for column in table.columns if not re.search(rf"\b{column}\b", used)} == LEFT_OUT[name]


def test_every_view_is_known() -> None:
    views = [text.split()[6] for text in STATEMENTS if text.startswith("CREATE MATERIALIZED VIEW")]
    assert sorted(views) == sorted(copy.view for copy in NARROW)

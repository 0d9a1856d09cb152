"""The text of literals and identifiers, and how templates are filled."""

from __future__ import annotations

import ast
import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentstore
from agentstore.connection.sql import (
    EPOCH,
    Sql,
    from_ticks,
    identifier,
    join,
    literal,
    sql,
    ticks,
    valid_text,
)
from tests.hostile import SURROGATES, TEXTS


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "'plain'"),
        ("it's", r"'it\'s'"),
        ("\\", r"'\\'"),
        ("\0\b\f\n\r\t", r"'\0\b\f\n\r\t'"),
        ("%s %(x)s {org_id}", "'%s %(x)s {org_id}'"),
        ("x\ud800", "'x\ufffd'"),
        (None, "NULL"),
        (True, "true"),
        (False, "false"),
        (-5, "-5"),
        (2**64 - 1, "18446744073709551615"),
        (0.1, "0.1"),
        (dt.date(2026, 1, 5), "toDate32('2026-01-05')"),
        (EPOCH + dt.timedelta(microseconds=1), "fromUnixTimestamp64Micro(toInt64(1), 'UTC')"),
        ([1, "a"], "[1, 'a']"),
        (("a", "b'"), r"('a', 'b\'')"),
        ((("a", 1), ("b", 2)), "(('a', 1), ('b', 2))"),
    ],
    ids=repr,
)
def test_literals(value: Any, text: str) -> None:
    assert literal(value) == text


@pytest.mark.parametrize("text", [*TEXTS.values(), *(given for given, _ in SURROGATES.values())], ids=ascii)
def test_nothing_in_a_text_ends_its_literal_or_identifier(text: str) -> None:
    for quoted, quote in ((literal(text), "'"), (identifier(text).text, "`")):
        assert quoted[0] == quoted[-1] == quote
        rest = quoted[1:-1].replace("\\\\", "")
        assert rest.count(quote) == rest.count(f"\\{quote}")
        assert not rest.endswith("\\")
        assert "\0" not in quoted


@pytest.mark.parametrize("value", [b"bytes", object(), {"a": 1}, {1}, dt.time(1), 1j])
def test_other_types_have_no_literal(value: Any) -> None:
    with pytest.raises(TypeError, match="no SQL literal"):
        literal(value)


def test_a_naive_time_has_no_literal() -> None:
    with pytest.raises(TypeError):
        literal(dt.datetime(2026, 1, 1))


def test_templates_are_filled_once() -> None:
    filled = sql("SELECT {a}, {b} FROM {t}", a="{b}", b="%s", t=identifier("x y"))
    assert filled == Sql("SELECT '{b}', '%s' FROM `x y`")
    assert str(sql("{inner} AND {x}", inner=sql("a = {v}", v="{x}"), x=1)) == "a = '{x}' AND 1"
    assert join(" OR ", [sql("a"), sql("b")]).text == "a OR b"
    with pytest.raises(KeyError):
        sql("{missing}")


@given(st.text())
def test_valid_text_has_utf8_and_keeps_its_length(text: str) -> None:
    valid = valid_text(text)
    valid.encode()
    assert len(valid) == len(text)
    assert valid_text(valid) == valid


@given(st.datetimes(timezones=st.just(dt.UTC)))
def test_ticks_are_exact(moment: dt.datetime) -> None:
    assert from_ticks(ticks(moment)) == moment
    assert from_ticks(None) is None


@pytest.mark.parametrize(
    # Both of the latter take the text of the package's own files.
    ("maker", "where"),
    [("Sql", {"connection/sql.py"}), ("of_package", {"schema/plan.py", "write/narrow.py"})],
)
def test_nothing_else_makes_query_text(maker: str, where: set[str]) -> None:
    """Whoever makes it of text of their own could let a value in unquoted."""
    package = Path(agentstore.__file__).parent
    makers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == maker
    }
    assert makers == where

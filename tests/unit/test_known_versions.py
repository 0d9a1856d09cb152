"""Server versions that are known to be broken for us, and what is said about them."""

from __future__ import annotations

import pytest

from agentstore.connection.known_versions import DEFECTS, parse, warnings

EMPTY, TTL = "part that has no rows left", "rows past the TTL"


@pytest.mark.parametrize(
    ("version", "fixed_in"),
    [
        ("26.5.1.882", ""),
        ("26.6.1.1193", "26.6.2.136"),
        ("26.6.2.135", "26.6.2.136"),
        ("26.6.2.136", ""),
        ("26.7.1.1315", "26.7.2.50"),
        ("26.7.2.49", "26.7.2.50"),
        ("26.7.2.50", ""),
        ("26.7.6.57", ""),
        ("26.8.1.411", "26.8.1.412"),
        ("26.8.1.2041", ""),
        ("26.9.2.1", ""),
        ("27.1.1.1", ""),
        ("25.8.11.66", ""),
        ("26.6", "26.6.2.136"),
        ("26.7.2.49.altinitystable", "26.7.2.50"),
        ("unheard of", ""),
    ],
)
def test_a_merge_with_an_empty_part(version: str, fixed_in: str) -> None:
    said = [one for one in warnings(version) if EMPTY in one]
    assert [one.rpartition("fixed in ")[2] for one in said] == ([fixed_in] if fixed_in else [])


@pytest.mark.parametrize(
    ("version", "fixed_in"),
    [
        ("26.7.6.57", ""),
        ("26.8.1.2041", "26.8.9.11"),
        ("26.8.9.10", "26.8.9.11"),
        ("26.8.9.11", ""),
        ("26.8.10.1", ""),
        ("26.9.1.1615", "26.9.1.1616"),
        ("26.9.1.1616", ""),
        ("26.9.2.1", ""),
        ("26.10.1.1", ""),
    ],
)
def test_a_row_ttl_beside_a_text_index(version: str, fixed_in: str) -> None:
    said = [one for one in warnings(version, ["row TTL"]) if TTL in one]
    assert [one.rpartition("fixed in ")[2] for one in said] == ([fixed_in] if fixed_in else [])
    assert not [one for one in warnings(version) if TTL in one], "of no concern without a TTL"


def test_a_warning_names_the_version_and_its_source() -> None:
    (said,) = warnings("26.6.1.1193")
    assert said.startswith("ClickHouse 26.6.1.1193: ")
    assert "issue 112451" in said


def test_the_list_is_in_order() -> None:
    for one in DEFECTS:
        assert list(one.fixed) == sorted(one.fixed)
        assert one.first < one.fixed[0]
        assert len({fix[:2] for fix in one.fixed}) == len(one.fixed)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("26.9.2.1", (26, 9, 2, 1)), ("26.9", (26, 9, 0, 0)), ("26.8.1.5-lts", (26, 8, 1, 5)), ("x", None), ("", None)],
)
def test_versions_are_read(text: str, expected: tuple[int, ...] | None) -> None:
    assert parse(text) == expected

from __future__ import annotations

import pytest

from agentstore.importers.jsonl import read_records, to_json


def read(data: bytes) -> tuple[list[tuple[int, dict[str, object]]], list[tuple[int, str]]]:
    problems: list[tuple[int, str]] = []
    return list(read_records(data, lambda line, reason: problems.append((line, reason)))), problems


@pytest.mark.parametrize(
    ("data", "records"),
    [
        (b'{"a":1}\n{"a":2}\n', [(1, {"a": 1}), (2, {"a": 2})]),
        (b'{"a":1}\n{"a":2}', [(1, {"a": 1}), (2, {"a": 2})]),
        (b'\xef\xbb\xbf{"a":1}\r\n\r\n  \n{"a":2}\r\n', [(1, {"a": 1}), (4, {"a": 2})]),
        (b'{"a":1}{"a":2} {"a":3}\n', [(1, {"a": 1}), (1, {"a": 2}), (1, {"a": 3})]),
        (b'\x00\x00{"a":1}\x00\n', [(1, {"a": 1})]),
        (rb'{"a":"\u0000 \ud83d\ude00"}', [(1, {"a": "\x00 \U0001f600"})]),
        (rb'{"a":"x\ud800y","\udfff":1}', [(1, {"a": "x\ufffdy", "\ufffd": 1})]),
        (b'{"a":"x\ty"}', [(1, {"a": "x\ty"})]),
        (b'{"a":NaN,"b":-Infinity,"c":1e999}', [(1, {"a": None, "b": None, "c": None})]),
        (b'{"a":1' + b"0" * 5000 + b"}", [(1, {"a": None})]),
        (b'{"a":123456789012345678901234567890}', [(1, {"a": 123456789012345678901234567890})]),
        (b"", []),
        (b"\x00" * 4096, []),
    ],
)
def test_what_is_read_without_a_problem(data: bytes, records: list[tuple[int, dict[str, object]]]) -> None:
    assert read(data) == (records, [])


@pytest.mark.parametrize(
    ("data", "records", "line", "reason"),
    [
        (b'{"a":1}\n{"a":2,"b', [(1, {"a": 1})], 2, "truncated last line"),
        (b'{"a":1}\n{"a":2,"b\n{"a":3}\n', [(1, {"a": 1}), (3, {"a": 3})], 2, "bad JSON"),
        (b'{"a":1} rest\n', [(1, {"a": 1})], 1, "bad JSON"),
        (b'{"a":1,"b{"parentUuid":null,"b":2}\n', [(1, {"parentUuid": None, "b": 2})], 1, "bad JSON"),
        (b"// a comment\n{}\n", [(2, {})], 1, "comment"),
        (b'{"a":"\xff\xfe"}\n', [(1, {"a": "\ufffd\ufffd"})], 1, "invalid UTF-8"),
        (b"[1]\n", [], 1, "not a JSON object but list"),
        (b"null\n", [], 1, "not a JSON object but NoneType"),
        (b'"text"', [], 1, "not a JSON object but str"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n{}\n", [(2, {})], 1, "nested too deeply"),
        (b'{"a":NaN,"b":' + b"[" * 100_000, [], 1, "nested too deeply"),
    ],
)
def test_a_bad_line_is_a_value(data: bytes, records: list[tuple[int, object]], line: int, reason: str) -> None:
    found, problems = read(data)
    assert found == records
    assert [(number, text[: len(reason)]) for number, text in problems] == [(line, reason)]


def test_every_prefix_of_a_file_is_read_to_its_last_complete_record() -> None:
    whole = '{"a":"ä{}"}\n{"b":[1,{"c":null}]}\n'.encode()
    for end in range(len(whole)):
        records, problems = read(whole[:end])
        complete = [{"a": "ä{}"}, {"b": [1, {"c": None}]}][: whole[:end].count(b"}\n") + whole[:end].endswith(b"}")]
        assert [record for _, record in records][: len(complete)] == complete[: len(records)]
        assert len(problems) <= 1


def test_hostile_lines_cost_linear_time() -> None:
    # The square of these lengths would take hours: the timeout of the run is what this test leans on.
    for hostile in (b'{"parentUuid":[' * 200_000, b'{"parentUuid":[1,' * 100_000 + b"x", b'{"parentUuid":"' * 200_000):
        records, problems = read(hostile)
        assert records == []
        assert len(problems) == 1


def test_values_are_written_as_compact_json() -> None:
    assert to_json({"ä": [1.5, None, 2**80]}) == '{"ä":[1.5,null,1208925819614629174706176]}'

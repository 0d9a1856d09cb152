"""A file of Pi's read in pieces, cut, damaged or hostile: nothing raises, and no row changes its key."""

from __future__ import annotations

import copy
import json
import pathlib
import random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentstore.importers import ImportResult
from tests.unit.importer_rows import union
from tests.unit.mutation_seed import mutation_seed
from tests.unit.pi_lines import NAME, assistant, call, data, entry, grown, header, message, read, result, said, user
from tests.unit.test_importer_fuzz import JSON, check

RECORDS = [
    header(3, parentSession=f"/x/{NAME}"),
    user(1, said("old")),
    user(4, said("fix it"), {"type": "image", "mimeType": "image/png"}),
    assistant(5, said("a"), {"type": "thinking", "thinking": "hm"}, call("t1", command="git commit"), output=7),
    assistant(6, call("t2", command="git remote -v"), call("t1", command="again"), output=9, stopReason="error"),
    result("t1", 7, "[main 1a2b3c4] x"),
    entry("model_change", 8, modelId="m"),
    result("t2", 9, "origin\tgit@github.com:o/r.git (fetch)", error=True),
    message("bashExecution", 10, None, command="ls", output="x"),
    entry("session_info", 11, name="n"),
    {"type": "title", "title": "t"},
    entry("compaction", 12, summary="s"),
    *(user(20 + n, said(f"more {n}")) for n in range(40)),
]
HOSTILE: list[Any] = [None, [], {}, "\ud800", 10**399, -1, 1e308, float("nan"), "x" * 5000, [[[]]], True, "../x"]


def imported(path: pathlib.Path, whole: bytes) -> ImportResult:
    path.write_bytes(whole)
    (read_,) = read(path)
    check(read_)
    return read_


def test_pieces_and_growth_are_the_whole(tmp_path: pathlib.Path) -> None:
    seed = mutation_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    whole = data(*RECORDS)
    expected = union([imported(tmp_path / NAME, whole)])
    for _ in range(40):
        sizes = [*sorted(chance.randrange(len(whole) + 1) for _ in range(chance.randrange(1, 6))), len(whole)]
        assert union(grown(tmp_path / NAME, whole, sizes, chance.choice([1, 700, 10**7]))) == expected


def test_the_rows_of_a_prefix_are_a_prefix(tmp_path: pathlib.Path) -> None:
    seed = mutation_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    data_ = data(*RECORDS)
    whole = imported(tmp_path / NAME, data_)
    ends = [place + 1 for place in range(len(data_)) if data_[place] == 10]
    for cut in ends + [chance.randrange(len(data_) + 1) for _ in range(200)]:
        part = imported(tmp_path / NAME, data_[:cut])
        assert part.messages == whole.messages[: len(part.messages)]
        calls = whole.tool_calls[: len(part.tool_calls)]
        for one, same in zip(part.tool_calls, calls, strict=True):
            assert (one.tool_use_id, one.input_json) == (same.tool_use_id, same.input_json)
            assert one.result_content_length is None or one == same


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=st.lists(JSON, max_size=6))
def test_any_json_is_read(values: list[Any], tmp_path: pathlib.Path) -> None:
    imported(tmp_path / NAME, data(header()) + "\n".join(json.dumps(value) for value in values).encode())


def test_hostile_values_and_damaged_bytes(tmp_path: pathlib.Path) -> None:
    seed = mutation_seed()
    print(f"seed {seed}")
    chance = random.Random(seed)
    for _ in range(400):
        records: list[Any] = json.loads(json.dumps(RECORDS[:14]))
        for _ in range(3):
            _spoil(records[chance.randrange(len(records))], chance)
        whole = bytearray(data(*records))
        if chance.random() < 0.5:
            start = chance.randrange(len(whole))
            whole[start : start + chance.choice([0, 1, 50])] = chance.choice(
                [b"", b"{", b'"', b"\xff", b"[]", b"}{", b"\r"]
            )
        imported(tmp_path / NAME, bytes(whole))
    for other in (b"", b"\xef\xbb\xbf" + data(*RECORDS), data(*RECORDS).replace(b"\n", b"\r\n"), b"[" * 10**5 + b"\n"):
        imported(tmp_path / NAME, other)
    two = imported(tmp_path / NAME, data(*RECORDS).replace(b"\n", b"", 3))
    assert len(two.messages) == len(imported(tmp_path / NAME, data(*RECORDS)).messages)


def _spoil(value: Any, chance: random.Random) -> None:
    while isinstance(value, dict | list) and value:
        key = chance.choice(list(range(len(value))) if isinstance(value, list) else list(value))
        if not isinstance(value[key], dict | list) or chance.random() < 0.3:
            value[key] = copy.deepcopy(chance.choice(HOSTILE))
            return
        value = value[key]

"""The list of tests that take long, and what it does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.long import function_of, long_ones, measured

ROOT = Path(__file__).resolve().parent.parent.parent
REPORT = """<testsuites><testsuite>
<testcase classname="tests.live.test_reads" name="test_a[x[0]]" time="2.5"/>
<testcase classname="tests.live.test_reads" name="test_a[y]" time="4"/>
<testcase classname="tests.unit.test_long" name="test_b" time="0.5"/>
</testsuite></testsuites>"""
LONG = """
import pytest

@pytest.mark.parametrize("one", [1, 2])
def test_one(one):
    pass

def test_two():
    pass
"""


def test_each_function_of_the_list_is_there() -> None:
    assert long_ones()
    for one in long_ones():
        path, name = one.split("::")
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), one


def test_cases_count_together(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    assert measured(report) == {"tests/live/test_reads.py::test_a": 6.5, "tests/unit/test_long.py::test_b": 0.5}


def test_a_case_is_of_its_function() -> None:
    assert function_of("tests/a.py::test_a[b[0]::c]") == "tests/a.py::test_a"
    assert function_of("tests/a.py::test_a") == "tests/a.py::test_a"


@pytest.mark.parametrize(
    ("arguments", "counted"),
    [
        ((), "1 passed, 2 deselected"),
        (("--all",), "3 passed"),
        (("-k", "test_"), "3 passed"),
        (("tests/test_some.py",), "3 passed"),
        (("-n", "2"), "1 passed"),
        (("-n", "2", "--all"), "3 passed"),
        (("-n", "2", "tests/test_some.py"), "3 passed"),
    ],
)
def test_what_is_run(tmp_path: Path, arguments: tuple[str, ...], counted: str) -> None:
    """In a project of three tests, of which two are cases of a function that takes long."""
    if "-n" in arguments:
        pytest.importorskip("xdist")
    for name in ("__init__.py", "conftest.py", "long.py", "servers.py"):
        (tmp_path / "tests" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "tests" / name).write_bytes((ROOT / "tests" / name).read_bytes())
    (tmp_path / "tests" / "long.txt").write_text("tests/test_some.py::test_one\n")
    (tmp_path / "tests" / "test_some.py").write_text(LONG)
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\ntestpaths = ["tests"]\n')
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=tmp_path, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip
    assert counted in done.stdout.splitlines()[-1], done.stdout + done.stderr

"""``import agentstore`` loads next to nothing, and a server is reached without what only POSIX systems have."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest

import agentstore

ROOT = Path(__file__).resolve().parent.parent.parent
POSIX_ONLY = ("fcntl", "grp", "pwd", "resource", "termios")
HEAVY = ("agentstore.errors", "agentstore.local", "agentstore.store", "anyio", "asynch", "asyncio", "msgspec", "typing")
# None in sys.modules is what an import finds that is to fail: as if the module did not exist.
BLOCKED = f"import sys; sys.modules.update(dict.fromkeys({POSIX_ONLY}))\n"


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A process of its own that knows the package and nothing else."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-S", "-c", code, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_importing_it_loads_nothing_else() -> None:
    done = run("import agentstore, sys; print(*sys.modules)")
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "agentstore.version" in loaded
    assert not loaded & set(HEAVY)


def test_the_names_are_those_that_a_type_checker_sees() -> None:
    tree = ast.parse(inspect.getsource(agentstore))
    seen = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = {name: f"agentstore.{module}" for module, names in agentstore._HOMES.items() for name in names.split()}
    assert homes == seen
    assert {*homes, "__version__"} == set(agentstore.__all__)
    assert set(agentstore.__all__) <= set(dir(agentstore))


def test_all_names_can_be_imported_and_others_are_refused() -> None:
    names: dict[str, object] = {}
    exec("from agentstore import *", names)
    assert set(agentstore.__all__) <= set(names)
    with pytest.raises(AttributeError, match="no attribute 'Sessions'"):
        getattr(agentstore, "Sessions")  # noqa: B009  # mypy knows that it is not there


def test_modules_are_there_without_being_imported_by_themselves() -> None:
    code = "import agentstore; print(agentstore.errors.ConfigError.__name__, agentstore.models.Session.__name__)"
    done = run(f"import sys; sys.path[:0] = {sys.path!r}\n{code}")
    assert (done.stdout, done.stderr) == ("ConfigError Session\n", "")


def test_every_name_loads_without_what_only_posix_has() -> None:
    done = run(BLOCKED + f"sys.path[:0] = {sys.path!r}\nfrom agentstore import *\nimport agentstore.importers")
    assert done.returncode == 0, done.stderr


def test_a_local_store_says_why_it_cannot_be_used(tmp_path: Path) -> None:
    code = f"""
sys.path[:0] = {sys.path!r}
import asyncio
from agentstore import AsyncClickHouseStore, ConfigError
try:
    asyncio.run(AsyncClickHouseStore("local:" + sys.argv[1]).open())
except ConfigError as error:
    print(error)
"""
    done = run(BLOCKED + code, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "a local store cannot be used on this system" in done.stdout
    assert "clickhouse://" in done.stdout
    done = run(BLOCKED + f"sys.path[:0] = {sys.path!r}\nfrom agentstore.cli import main\nsys.exit(main(['serve']))")
    assert done.returncode == 1
    assert "cannot be served on this system" in done.stderr

"""The documentation: it builds without a warning, its code runs, and what it names is there."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import importlib.util
import inspect
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import uuid
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

import agentstore
from agentstore import AsyncClickHouseStore
from agentstore.connection.sql import of_package
from agentstore.settings import resolve_target
from tests.builders import message, session
from tests.servers import Server

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
SAMPLES = Path(agentstore.__file__).parent / "samples"
PAGES = sorted(path for path in [*DOCS.rglob("*.md"), ROOT / "README.md"] if "decisions" not in path.parts)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, *languages: str) -> list[str]:
    return [code for language, code in _BLOCK.findall(path.read_text(encoding="utf-8")) if language in languages]


@pytest.fixture
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    page = (tmp_path / "reference" / "store.html").read_text()
    for name in ("get_session_messages", "purge_sessions", "cost_by", "pipeline"):
        assert f"AsyncClickHouseStore.{name}" in page
    # A page that is opened asks nobody for anything.
    for html in tmp_path.rglob("*.html"):
        assert not re.findall(
            r"(?:src|href)=\"(?:https?:)?//(?!github\.com|squidfunk)[^\"]*\.(?:js|css|woff2?)", html.read_text()
        )


def test_every_promise_has_its_test() -> None:
    found = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (DOCS / "guarantees.md").read_text())
    assert len(found) > 35
    for path, name in found:
        tree = ast.parse((ROOT / path).read_text())
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in names, f"{path}::{name}"


async def test_the_columns_are_those_of_the_tables(store: AsyncClickHouseStore, hooks: ModuleType) -> None:
    told = hooks.columns_of()
    for table in hooks.TABLES:
        question = f"SELECT name FROM system.columns WHERE database = currentDatabase() AND table = '{table}'"
        (names,) = await store._open_pool.fetch(of_package(question))
        assert set(told[table]) == set(names), table


@pytest.fixture
async def acme(store: AsyncClickHouseStore) -> AsyncClickHouseStore:
    """The organisation that the pages speak of."""
    await store.restore_sessions("acme", ["s1", "s2", "s3"])  # a page has purged them
    for id in ("s1", "s2", "s3"):
        await store.write_session("acme", session(id, user_id="ada"), [message(0, "The moon is late")])
    return store


@pytest.mark.parametrize("page", [path for path in PAGES if blocks(path, "python")], ids=name_of)
async def test_the_python_of_a_page_runs(
    page: Path,
    server: Server,
    database: str,
    acme: AsyncClickHouseStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All of a page in order, in one namespace, as in a notebook: with an open ``store`` and what is imported often."""
    dsn = f"{server.dsn}{'&' if '?' in server.dsn else '?'}database={database}"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "exports").mkdir()
    source = next((SAMPLES / "jonas").rglob("*.jsonl"))
    # A module that can be found: frameworks look up the names in signatures there.
    module = ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    namespace = vars(module)
    namespace |= {name: getattr(agentstore, name) for name in agentstore.__all__}
    namespace |= {"asyncio": asyncio, "store": acme, "target": dsn, "path": str(source), "project": ""}
    for code in blocks(page, "python"):
        if "asyncio.run(" in code:
            arguments = [dsn, await _exported(dsn, tmp_path)] if "sys.argv" in code else []
            await asyncio.to_thread(run, dsn, tmp_path, "-c", code, *arguments)
            continue
        program = compile(code, name_of(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        found = eval(program, namespace)
        if inspect.isawaitable(found):
            goes_on = "while True" in code
            with contextlib.suppress(*[TimeoutError] if goes_on else []):
                async with asyncio.timeout(1 if goes_on else 20):
                    await found


async def _exported(dsn: str, folder: Path) -> str:
    path = str(folder / "exported.jsonl")
    await asyncio.to_thread(run, dsn, folder, "-m", "agentstore", "--org", "acme", "export", "--output", path)
    return path


def run(dsn: str, folder: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "AGENTSTORE_DSN": dsn, "AGENTSTORE_LOCAL_IDLE_SECONDS": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


SHELL = [path for path in PAGES if blocks(path, "sh")]


@pytest.mark.parametrize("page", SHELL, ids=name_of)
async def test_the_commands_of_a_page_run(page: Path, server: Server, tmp_path: Path) -> None:
    """All commands of a page in order, on a machine of one's own on which an agent has left something."""
    shutil.copytree(SAMPLES / "ada", tmp_path / ".claude")
    database = f"agentstore_test_{uuid.uuid4().hex[:12]}"
    dsn = f"{server.dsn}{'&' if '?' in server.dsn else '?'}database={database}"
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "AGENTSTORE_DSN": dsn}
    try:
        for line in "".join(blocks(page, "sh")).splitlines():
            await asyncio.to_thread(_command, shlex.split(line, comments=True), environment, tmp_path)
    finally:
        async with AsyncClickHouseStore(server.dsn, database="default") as store:
            await store._open_pool.execute(of_package(f"DROP DATABASE IF EXISTS {database}"))


def _command(words: list[str], environment: dict[str, str], folder: Path) -> None:
    if words[:1] == ["export"]:
        name, _, dsn = words[1].partition("=")
        assert name == "AGENTSTORE_DSN"
        resolve_target(dsn, {})  # its form; there is no such host
    elif words[:2] == ["pip", "install"]:
        asked = Requirement(words[2])
        assert asked.name == "agentstore"
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert asked.extras <= set(project["optional-dependencies"])
    elif words:
        assert words[0] == "agentstore"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "agentstore", *words[1:]],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        # 1 is that there is nothing to find in the sample.
        assert done.returncode in ((0, 1) if words[1] in ("sessions", "search", "cost") else (0,)), done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("page", [path for path in PAGES if blocks(path, "sql")], ids=name_of)
async def test_the_sql_of_a_page_runs(page: Path, acme: AsyncClickHouseStore) -> None:
    for code in blocks(page, "sql"):
        assert await acme._open_pool.fetch(of_package(code))

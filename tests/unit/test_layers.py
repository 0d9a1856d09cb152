"""The layers of the package, held by walking its imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import agentstore

PACKAGE = Path(agentstore.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
LINES = 350

# From below to above: a module imports from lower layers, or from its own.
LAYERS = [
    {"errors", "version"},
    {"models", "settings", "organisation", "filters"},
    {"connection.sql"},
    {"protocols", "home"},
    {"connection.hosts", "connection.needs", "schema.plan", "schema.known_versions", "write.encoding", "write.rows",
     "write.normalize", "write.accumulator", "write.statistics", "write.clock", "read.cursor", "read.dates",
     "read.decoding", "read.floors", "read.scope"},
    {"read.search.folding", "read.search.words", "read.search.snippet", "read.search.terms", "read.search.rows",
     "read.search.parts", "read.search.planner", "read.search.candidates", "read.search.substring",
     "read.search.ranking"},
    {"connection.turns", "connection.peer", "connection.wire", "connection.driver", "connection.profile",
     "connection.failover", "connection.pool", "connection.dial", "connection.database", "connection.lanes",
     "connection.ping", "connection.detached", "schema.migrate", "schema.fitness", "schema.cluster"},
    {"read"},
    {"write"},
    {"store"},
    {""},
    {"cli", "__main__"},
]  # fmt: skip
PURE = {*LAYERS[0], *LAYERS[1], *LAYERS[2], *LAYERS[4], *LAYERS[5]}
ASIDE = ("local", "importers")


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer_of(name: str) -> int:
    while True:
        for number, layer in enumerate(LAYERS):
            if name in layer:
                return number
        assert name, "a module without a layer"
        name = name.rpartition(".")[0]


def imports(path: Path, *, typing_only: bool = False) -> Iterator[str]:
    """Full names of imported modules and what is taken from them; without those for type checkers, unless asked for."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test) and not typing_only
        for inner in ast.walk(node)
    }
    package = [*("agentstore", *name_of(path).split("."))]
    parent = package if path.name == "__init__.py" else package[:-1]
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = [*parent[: len(parent) - node.level + 1]] if node.level else []
            base += [node.module] if node.module else []
            yield from (".".join([*base, alias.name]) for alias in node.names)


def own_modules(path: Path) -> set[str]:
    """Modules of the package that this one imports."""
    names = {name_of(module) for module in MODULES}
    found = set()
    for imported in imports(path):
        if imported.split(".")[0] == "agentstore":
            inner = imported.removeprefix("agentstore").removeprefix(".")
            while inner not in names:
                inner = inner.rpartition(".")[0]
            found.add(inner)
    return found


def aside(name: str) -> bool:
    return name.split(".")[0] in ASIDE


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_downward(path: Path) -> None:
    name = name_of(path)
    if aside(name):
        return  # held by the tests of the rooms that stand aside
    for imported in own_modules(path) - {name}:
        if not aside(imported):
            assert layer_of(imported) <= layer_of(name), f"{name} imports {imported}"


def importers_of(library: str) -> set[str]:
    return {name_of(path) for path in MODULES if any(one.split(".")[0] == library for one in imports(path))}


def test_the_driver_and_the_engine_have_one_importer_each() -> None:
    assert importers_of("asynch") == {"connection.wire"}
    assert importers_of("chdb") <= {"local.engine"}


def test_reads_and_writes_see_no_pool_and_no_driver() -> None:
    for path in MODULES:
        name = name_of(path)
        if name.split(".")[0] in ("read", "write") or name == "schema.migrate":
            for imported in own_modules(path):
                assert not imported.startswith(
                    ("connection.pool", "connection.driver", "connection.wire", "connection.dial", "store")
                )
                assert imported.split(".")[0] not in ("local", "importers"), name


def test_the_local_server_shares_nothing_with_the_client_but_errors() -> None:
    for path in MODULES:
        name = name_of(path)
        for imported in own_modules(path):
            if name.split(".")[0] == "local":
                assert imported.split(".")[0] in ("local", "errors", "version"), f"{name} imports {imported}"
            elif imported.split(".")[0] == "local":
                assert name == "connection.dial" or layer_of(name) >= layer_of("cli"), f"{name} imports {imported}"


def test_importers_know_records_only() -> None:
    for path in MODULES:
        if name_of(path).split(".")[0] == "importers":
            assert {one.split(".")[0] for one in own_modules(path)} <= {"importers", "models", "errors"}
            assert not any(
                one.split(".")[0] in ("asyncio", "anyio", "socket", "urllib", "http") for one in imports(path)
            )


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_what_is_pure_waits_for_nothing(path: Path) -> None:
    if name_of(path) not in PURE and not name_of(path).startswith("importers"):
        return
    waiting = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    assert [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, waiting)] == []
    assert not any(one.split(".")[0] in ("asyncio", "anyio", "socket") for one in imports(path))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_and_functions_stay_small_and_say_what_they_are(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LINES
    tree = ast.parse(source)
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno
            assert node.end_lineno - node.lineno < 60, node.name


def test_every_layer_names_modules_that_exist() -> None:
    names = {name_of(path) for path in MODULES} | {"cli", "__main__"}
    assert {name for layer in LAYERS for name in layer} <= names

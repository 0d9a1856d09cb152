"""The layers of the package, held by walking its imports."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

import agentstore

PACKAGE = Path(agentstore.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
LINES = 350

# From below to above: a module imports from lower layers, or from its own.
LAYERS = [
    {"errors", "version", "packed"},
    {"models", "models.record", "models.written", "models.ingested", "models.asked", "models.answered", "settings",
     "organisation", "filters", "models.priced"},
    {"prices", "telemetry"},
    {"connection.sql"},
    {"protocols", "home"},
    {"connection.hosts", "connection.needs", "connection.known_versions", "schema.plan", "write.encoding", "write.rows",
     "write.encoded_rows", "write.joined", "write.normalize", "write.accumulator", "write.statistics", "write.clock",
     "read.cursor", "read.dates", "read.decoding", "read.horizon", "read.floors", "read.copies", "read.keys",
     "read.sip_hash", "read.totals", "read.responses", "read.conditions", "read.price_rows_sql", "read.costs_sql",
     "read.session_costs", "read.session_costs_sql",
     "write.narrow", "write.touched", "write.owners", "write.families_sql", "write.relatives_sql", "write.sources"},
    {"read.search.folding", "read.search.tokens", "read.search.snippet", "read.search.term_sql",
     "read.search.searched_tables", "read.search.hit_keys", "read.search.parsed_query", "read.search.parts",
     "read.search.planner", "read.search.candidates_sql", "read.search.substring_sql", "read.search.words_sql",
     "read.session_filter"},
    {"connection.turns", "connection.peer", "connection.wire", "connection.driver", "connection.profile",
     "connection.failover", "connection.pool", "connection.dial", "connection.lanes", "connection.ping",
     "connection.detached"},
    {"schema.migrate", "schema.fitness", "schema.cluster", "schema.database"},
    {"read"},
    {"write"},
    {"frames"},
    {"store"},
    {"ingest", "integrations"},
    {"faces"},
    {""},
    {"blame"},
    {"mcp"},
    {"web"},
    {"cli", "__main__"},
]  # fmt: skip
PURE = {*LAYERS[0], *LAYERS[1], *LAYERS[2], *LAYERS[3], *LAYERS[5], *LAYERS[6]}
ASIDE = ("local", "importers", "masking")

# The rooms of the local store, from below to above: each imports from itself and from those named with it only.
ROOMS = {
    "protocol": set[str](),
    "sql": set[str](),
    "engine": {"protocol"},
    "sandbox": {"engine", "sql", "protocol"},
    "session": {"sandbox", "engine", "sql", "protocol"},
    "server": {"session", "sandbox", "engine", "sql", "protocol"},
    "directory": set[str](),
    "process": {"directory", "server"},
    "client": {"directory"},
}
# These turn bytes and text into values and back: nothing in them may reach a file, a socket, a thread or a clock.
PURE_ROOMS = ("protocol", "sql")
REACHING = ("asyncio", "anyio", "concurrent", "fcntl", "io", "os", "pathlib", "select", "shutil", "signal", "socket",
            "subprocess", "sys", "tempfile", "threading", "time")  # fmt: skip
WAITING = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
# These block, in a client's worker thread: only what is above them knows an event loop.
BLOCKING_ROOMS = ("engine", "sandbox", "session")


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
    assert importers_of("chdb") == {"local.engine.library"}


def test_connections_know_no_tables() -> None:
    for path in MODULES:
        name = name_of(path)
        if name.split(".")[0] == "connection":
            assert "schema" not in {imported.split(".")[0] for imported in own_modules(path)}, name


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
                is_command = layer_of(name) >= layer_of("cli")
                entries = ["local.client.acquire", *["local.process.main"] * is_command]
                assert name == "connection.dial" or is_command, f"{name} imports {imported}"
                assert imported in entries, f"{name} imports {imported}"


def room_of(name: str) -> str:
    """The room of a module of the local store; "" for what stands beside the rooms, or elsewhere."""
    parts = name.split(".")
    return parts[1] if parts[0] == "local" and len(parts) > 1 and parts[1] != "__main__" else ""


def modules_of(rooms: Collection[str]) -> list[Path]:
    return [path for path in MODULES if room_of(name_of(path)) in rooms]


def test_the_rooms_of_the_local_store_import_from_those_below() -> None:
    assert {room_of(name_of(path)) for path in MODULES} - {""} == set(ROOMS)
    for path in modules_of(ROOMS):
        name = name_of(path)
        for imported in own_modules(path):
            if imported.split(".")[0] == "local":
                assert room_of(imported) in {room_of(name), *ROOMS[room_of(name)]}, f"{name} imports {imported}"


def test_modules_of_the_local_store_import_without_circles() -> None:
    names = {name_of(path): own_modules(path) for path in modules_of(ROOMS)}
    while names:
        free = [name for name, imported in names.items() if not imported & names.keys() - {name}]
        assert free, f"a circle in {sorted(names)}"
        for name in free:
            del names[name]


def test_the_client_of_the_local_store_shares_only_the_directory_with_its_server() -> None:
    for path in modules_of(["client", "directory"]):
        for imported in own_modules(path):
            assert imported == "errors" or room_of(imported) in ("client", "directory"), f"{path} imports {imported}"
    for path in modules_of(set(ROOMS) - {"client"}):
        assert "client" not in {room_of(imported) for imported in own_modules(path)}, path


@pytest.mark.parametrize("path", modules_of(PURE_ROOMS), ids=name_of)
def test_the_pure_rooms_of_the_local_store_do_no_io(path: Path) -> None:
    assert [one for one in imports(path) if one.split(".")[0] in REACHING] == []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [node for node in ast.walk(tree) if isinstance(node, WAITING)] == []
    assert "open(" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", modules_of(BLOCKING_ROOMS), ids=name_of)
def test_the_blocking_rooms_of_the_local_store_know_no_loop(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [node for node in ast.walk(tree) if isinstance(node, WAITING)] == []
    assert not any(one.split(".")[0] in ("asyncio", "anyio") for one in imports(path))


def test_importers_know_records_only() -> None:
    for path in MODULES:
        if name_of(path).split(".")[0] == "importers":
            assert {one.split(".")[0] for one in own_modules(path)} <= {"importers", "models", "errors"}
            assert not any(
                one.split(".")[0] in ("asyncio", "anyio", "socket", "urllib", "http") for one in imports(path)
            )


def test_masking_knows_nothing_but_errors() -> None:
    assert importers_of("re2") == {"masking.finder"}
    for path in MODULES:
        if name_of(path).split(".")[0] == "masking":
            assert {one.split(".")[0] for one in own_modules(path)} <= {"masking", "errors"}
            assert not any(one.split(".")[0] in REACHING for one in imports(path))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_what_is_pure_waits_for_nothing(path: Path) -> None:
    if name_of(path) not in PURE and not name_of(path).startswith(("importers", "masking")):
        return
    assert [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, WAITING)] == []
    assert not any(one.split(".")[0] in ("asyncio", "anyio", "socket") for one in imports(path))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_and_functions_stay_small_and_say_what_they_are(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= (300 if room_of(name_of(path)) else LINES)
    tree = ast.parse(source)
    assert ast.get_docstring(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno
            assert node.end_lineno - node.lineno < 60, node.name


def test_every_layer_names_modules_that_exist() -> None:
    names = {name_of(path) for path in MODULES} | {"cli", "__main__"}
    assert {name for layer in LAYERS for name in layer} <= names

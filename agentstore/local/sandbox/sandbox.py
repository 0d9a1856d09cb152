"""What statements may not do: reach files, other hosts or programs through the engine.

chdb gives every session all rights: `file()` reads and writes whatever the process may, and grants and
`user_files_path` do not hold there. So a statement that reaches outside of the store is refused before it runs, unless
the server was told to allow it. What is inside is listed; what the engine knows besides is outside, so that a table
function or engine of a newer version is refused until it is listed here.

Decided by the engine's own parser, never by the text: a text that names a suspect (or is not of a common kind) is
parsed, and the names are looked for where the parser put them. A word in a literal costs half a millisecond.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from agentstore.local.engine.engine import EngineConnection, EngineError
from agentstore.local.engine.syntax_tree import ast_of
from agentstore.local.protocol.packets import Setting
from agentstore.local.sandbox.allowed import (
    DATABASE_ENGINES,
    ENGINES,
    OUTSIDE_FUNCTIONS,
    SETTINGS,
    STRUCTURED,
    TABLE_FUNCTIONS,
    TYPES,
)
from agentstore.local.sql.quoting import literal
from agentstore.local.sql.statements import Kind, Statement

WAY_OUT = "serve with --allow-external, or set AGENTSTORE_LOCAL_ALLOW_EXTERNAL=1 before a local store is started"

_ASKS_A_MODEL = re.compile(r"(?:ai|AI)[A-Z]")
_OUTLINED = re.compile(
    r"(?:(?:Describe|Exists|Show|DropFunction|Undrop)\w*|(?:Create|Alter|Delete|Update|SelectWithUnion)Query"
    r"|Explain)\b"
)
"""Statements that may have parts of which it tells the outline only."""
_HIDING = ("Set", "ViewTargets", "Dictionary definition", "ColumnsApplyTransformer")
_SYSTEM = re.compile(
    r"(?:STOP|START)_\w+|(?:CLEAR|DROP)_\w*CACHE|FLUSH_LOGS|(?:REFRESH|WAIT|CANCEL)_VIEW|SYNC_\w+|RELOAD_DICTIONAR\w+"
    r"|(?:LOAD|UNLOAD)_PRIMARY_KEY|WAIT_LOADING_PARTS"
)
_NOT_SYSTEM = re.compile(r"\w*LISTEN\w*|\w*THREAD_FUZZER|\w*FILE_CACHE\w*|\w*CLUSTER\w*|\w*KEEPER\w*")

_COMMON = re.compile(
    r"\s*(?:SELECT|WITH|INSERT|SET|USE|SHOW|DESCRIBE|DESC|EXISTS|DROP|TRUNCATE|OPTIMIZE|CHECK|DELETE|VALUES)\b",
    re.IGNORECASE | re.ASCII,
)
"""They can do harm only by what SUSPECT finds; statements that begin otherwise are parsed always."""
_TAKES_A_FUNCTION = re.compile(r"(?:array|map|tuple)\w*", re.IGNORECASE)
"""Functions whose first argument may be the bare name of another one."""
_AFTER_A_NAME = r"\b[`\"]?\s*(?:[(/#]|--|[^\x09-\x7e]|\Z)"
_BARE = r"\b[`\"]?\s*[,)]"
"""The parenthesis of a call, or what may stand before it: a comment, a space of Unicode, the rest of a long text."""
_WINDOW, _OVERLAP = 1 << 16, 256
_MAX_TREE = 16 << 20
_MAX_INLINE = 1 << 20
_MULTI_HINT = "send one statement at a time"
_DEFAULTS = re.compile(r"\b(?:DEFAULT|MATERIALIZED|ALIAS|EPHEMERAL)\b", re.IGNORECASE)
_OUTLINE = "does not support JSON serialization"
_INLINE = "INSERT with inline data"


class Wall:
    """Shared by all sessions of a server. Methods block for as long as a small query, and raise EngineError (497)."""

    def __init__(self, connection: EngineConnection) -> None:
        """Asks the engine what it knows of."""
        self._outside = frozenset(_outside_names(connection))
        self._outside |= frozenset(_outside_user_functions(connection, self._outside))
        calls = "|".join(re.escape(name) for name in sorted(self._outside | STRUCTURED - {"values"}))
        words = "|".join(sorted(SETTINGS | {"apply", "infile", "outfile", "parallel"}))
        executed = "SELECT lower(name) AS name FROM system.functions WHERE origin != 'System'"
        functions = OUTSIDE_FUNCTIONS | self._outside & {row["name"] for row in connection.describe(executed)}
        bare = "|".join(re.escape(name) for name in sorted(functions))
        self._suspect = re.compile(
            rf"\b(?:(?:{calls}|ai[a-z]+){_AFTER_A_NAME}|(?:{bare}|ai[a-z]+){_BARE}|(?:{words})\b)",
            re.IGNORECASE | re.ASCII,
        )

    def is_outside(self, name: str) -> bool:
        """Whether a function or an engine, in lower case, reaches outside."""
        return name in self._outside

    def check_settings(self, settings: Iterable[Setting]) -> None:
        for setting in settings:
            if setting.name in SETTINGS and setting.value and (setting.name, setting.value) not in _PLAIN_SETTINGS:
                raise _refused(f"Setting {setting.name}")

    def is_plain(self, sql: str) -> bool:
        """Whether the text alone shows that nothing in it can reach outside: no name of what could."""
        return _COMMON.match(sql) is not None and not self._is_suspect(sql)

    def _is_suspect(self, sql: str) -> bool:
        if ";" in sql.rstrip("; \t\r\n"):
            return True  # the engine runs what follows
        if "\\x" in sql:
            return True  # a text that the engine parses later may be written with escapes: a structure
        if "\\" in sql and ("`" in sql or '"' in sql or not sql.isascii()):
            return True  # a name may be written with escapes
        # In pieces, because a search holds the interpreter and all other clients with it.
        starts = range(0, max(len(sql), 1), _WINDOW - _OVERLAP)
        return any(self._suspect.search(sql[start : start + _WINDOW]) for start in starts)

    def check(self, connection: EngineConnection, statement: Statement) -> None:
        """`connection` is one no client has a hand in: it runs nothing but the parser."""
        sql = _whole(statement)
        if _DEFAULTS.search(statement.structure) or "\\x" in statement.structure:
            raise _refused("A structure of input() with defaults")
        if self.is_plain(sql):
            return
        if statement.kind is Kind.INSERT_BLOCKS and "$" in sql:
            # Parts of it are asked about alone, and what is a heredoc in the whole may be none in a part.
            raise _refused("An INSERT with $, which names what may reach outside,")
        self._check_parsed(connection, sql)

    def _check_parsed(self, connection: EngineConnection, sql: str) -> None:
        question = f"SELECT parseQueryToJSON({literal(sql)}) AS tree, length(tree) > {_MAX_TREE} AS is_large"
        try:
            row = connection.describe(f"SELECT if(is_large, '', tree) AS tree FROM ({question})")[0]
        except EngineError as error:
            if _INLINE in str(error):
                self._check_inline(connection, sql)
            elif _OUTLINE in str(error):
                self._check_outline(connection, sql)
            else:
                raise EngineError(_without_scope(str(error)), error.code, error.name) from None
            return
        if not row["tree"]:
            raise _refused("A statement too long to be looked through, which names what may reach outside,")
        tree = msgspec.json.decode(row["tree"].encode("utf-8", "replace"))
        if tree["type"] not in TYPES:
            raise _refused(f"A statement of type {tree['type']}")
        for node in _nodes(tree):
            self._check_node(node)

    def _check_node(self, node: dict[str, Any]) -> None:
        kind = node.get("type")
        if kind == "Function":
            self._check_name(node["name"])
            self._check_first_argument(node)
        elif kind == "ColumnsApplyTransformer":
            self._check_name(node.get("func_name", ""))
        elif kind == "SetQuery":
            _check_changes(node)
        elif kind == "CreateQuery" and (node.get("attach") or node.get("is_dictionary")):
            raise _refused("ATTACH" if node.get("attach") else "CREATE DICTIONARY")
        elif kind == "SystemQuery" and not _is_harmless(node.get("query_type", "")):
            raise _refused(f"SYSTEM {node.get('query_type', '')}")
        if "infile" in node or "out_file" in node:
            raise _refused("FROM INFILE" if "infile" in node else "INTO OUTFILE")
        if isinstance(node.get("table_function"), dict):
            _check_structure(node["table_function"])

    def _check_name(self, name: str) -> None:
        if name.lower() in self._outside or _ASKS_A_MODEL.match(name):
            raise _refused(f"{name}()")

    def _check_first_argument(self, node: dict[str, Any]) -> None:
        """`arrayMap(file, paths)`: the name of a function without its parenthesis."""
        arguments = node.get("arguments", {}).get("children", [])
        if len(arguments) > 1 and arguments[0].get("type") == "Identifier" and _TAKES_A_FUNCTION.match(node["name"]):
            self._check_name(arguments[0]["name"])

    def _check_outline(self, connection: EngineConnection, sql: str) -> None:
        """A statement with a part the parser gives only an outline of, such as the arguments of a JSON type."""
        root, *nodes = list(ast_of(connection, sql).walk())[1:]
        if not _OUTLINED.match(root.text):
            raise _refused(f"A statement of type {root.text.split(' ')[0]}")
        if re.search(r"\b(?:infile|outfile)\b", sql, re.IGNORECASE):
            raise _refused("FROM INFILE or INTO OUTFILE")
        for node in nodes:
            if node.text.startswith("Function "):
                self._check_name(node.text.split(" ")[1])
            if node.text.startswith(_HIDING):
                self._check_words(sql)
            if node.text.startswith("TableExpression"):
                for child in node.children:
                    if re.match(rf"Function (?:{'|'.join(STRUCTURED)})\b", child.text, re.IGNORECASE):
                        raise _refused("A structure beside a JSON type")

    def _check_words(self, sql: str) -> None:
        """Where settings and engines are not in the outline, their names must not be in the text."""
        words = set(re.findall(r"\w+", sql.lower()))
        if "\\" in sql or words & (SETTINGS | self._outside | {"disk", "source"}):
            raise _refused("A setting or an engine beside a JSON type")

    def _check_inline(self, connection: EngineConnection, sql: str) -> None:
        """INSERT … VALUES: the rows are expressions too, and the parser does not read them. Its lexer does."""
        if len(sql) > _MAX_INLINE:
            raise _refused("An INSERT of that length with its rows in the text, which names what may reach outside,")
        followed = _lexed(connection, sql, "i > 1 AND kinds[i] = 'OpeningRoundBracket'", "i - 1")
        words = _lexed(connection, sql, "kinds[i] = 'BareWord'", "i")
        if _lexed(connection, sql, "i > 1 AND kinds[i - 1] = 'Semicolon' AND kinds[i] != 'Semicolon'", "i"):
            raise EngineError.make(
                62, "SYNTAX_ERROR", f"Syntax error (Multi-statements are not allowed), {_MULTI_HINT}"
            )
        if _lexed(connection, sql, "i > 1 AND kinds[i] IN ('Comment', 'HereDoc')", "i", skipped="'Whitespace'"):
            # Where a row is read by its column's type, a comment or heredoc is none: it would hide what follows.
            raise _refused("A comment or heredoc beside rows in the text")
        for name in followed:
            if "\\" in name:
                raise _refused("A name with escapes beside rows in the text")
            self._check_name(name.strip('`"“”'))
            if name.strip('`"“”').lower() == "input":
                raise _refused("input() beside rows in the text")
        for word in words:
            if word.lower() in SETTINGS or word.lower() == "infile":
                raise _refused(word)

    def is_inside(self, connection: EngineConnection, sql: str) -> bool:
        """Whether a statement that is stored may stay."""
        try:
            self.check(connection, Statement(Kind.OTHER, sql))
        except EngineError:
            return False
        return True


_PLAIN_SETTINGS = (("dialect", "clickhouse"), ("additional_table_filters", "{}"))


def _outside_names(connection: EngineConnection) -> Iterator[str]:
    yield from OUTSIDE_FUNCTIONS
    inside = {"table_functions": TABLE_FUNCTIONS, "table_engines": ENGINES, "database_engines": DATABASE_ENGINES}
    allowed = frozenset[str]().union(*inside.values())
    for table, listed in inside.items():
        for row in connection.describe(f"SELECT lower(name) AS name FROM system.{table}"):
            # One set of names for all three: the same word is on no side in one and on the other in another.
            if row["name"] not in listed and row["name"] not in allowed:
                yield row["name"]
    for row in connection.describe("SELECT lower(name) AS name FROM system.functions WHERE origin LIKE 'Executable%'"):
        yield row["name"]


def _outside_user_functions(connection: EngineConnection, outside: frozenset[str]) -> set[str]:
    """Functions somebody has defined by such functions, or by functions defined so."""
    rows = connection.describe(
        "SELECT lower(name) AS name, lower(create_query) AS sql FROM system.functions WHERE origin = 'SQLUserDefined'"
    )
    found: set[str] = set()
    while True:
        names = outside | found
        more = {row["name"] for row in rows if names & set(re.findall(r"\w+", row["sql"]))} - found
        if not more:
            return found
        found |= more


def _whole(statement: Statement) -> str:
    """The statement as the engine runs it; for an INSERT of blocks, with something in the place of the blocks."""
    blocks = statement.kind is Kind.INSERT_BLOCKS and not statement.structure
    return f"{statement.sql}\nSELECT 1" if blocks else statement.sql


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _check_changes(node: dict[str, Any]) -> None:
    for change in node.get("changes", ()):
        value = change.get("value")
        if not isinstance(value, dict) or value.get("field_type") == "CustomType":
            raise _refused(f"{change['name']} = {change['name']}(…)")  # a disk of the statement's own
        if change["name"] in SETTINGS and (change["name"], value.get("value")) not in _PLAIN_SETTINGS:
            raise _refused(f"Setting {change['name']}")


def _check_structure(function: dict[str, Any]) -> None:
    """Defaults that stand in a text are computed, and so are the rows of `format(Values, …)`."""
    name = function.get("name", "").lower()
    arguments = function.get("arguments", {}).get("children", [])
    if name not in STRUCTURED or not arguments:
        return
    if name == "format":
        if _text_of(arguments[0]).lower() in ("", "values"):
            raise _refused("format() of Values, or of a format that is computed,")
        if len(arguments) < 3:
            return
    structure = arguments[1 if name == "format" else 0]
    if name == "values" and not _text_of(structure):
        return  # the first row: only a text would be a structure
    if name == "generaterandom" and structure.get("type") == "Literal" and not _text_of(structure):
        return  # a seed
    text = structure.get("value", {}).get("value") if structure.get("type") == "Literal" else None
    if not isinstance(text, str) or _DEFAULTS.search(text):
        raise _refused(f"A structure of {name}() that is computed, or has defaults,")


def _text_of(argument: dict[str, Any]) -> str:
    """An argument that is a name or a string; "" for an expression."""
    text = argument.get("name") if argument.get("type") == "Identifier" else argument.get("value", {}).get("value")
    return text if isinstance(text, str) else ""


def _is_harmless(query_type: str) -> bool:
    return _SYSTEM.fullmatch(query_type) is not None and _NOT_SYSTEM.fullmatch(query_type) is None


def _lexed(
    connection: EngineConnection, sql: str, condition: str, index: str, skipped: str = "'Whitespace', 'Comment'"
) -> list[str]:
    """The different tokens of a text, of those that fulfil a condition, without spaces and comments."""
    text = f"substring(sql, ts[{index}].1 + 1, ts[{index}].2 - ts[{index}].1)"
    rows = connection.describe(
        f"WITH {literal(sql)} AS sql, arrayMap(t -> toString(t.3), ts) AS kinds, "
        f"arrayFilter(t -> t.3 NOT IN ({skipped}), tokenizeQuery(sql)) AS ts, "
        f"arrayFilter(i -> {condition}, arrayEnumerate(ts)) AS found "
        f"SELECT arrayJoin(arrayDistinct(arrayMap(i -> {text}, found))) AS token"
    )
    return [row["token"] for row in rows]


def _without_scope(text: str) -> str:
    """The parser's error without the question it was asked with."""
    return re.sub(r": In scope SELECT .*(?=\. \(\w+\))", "", text, flags=re.DOTALL)


def _refused(what: str) -> EngineError:
    return EngineError.make(
        497, "ACCESS_DENIED", f"{what} may reach files, other hosts or programs: refused ({WAY_OUT})"
    )

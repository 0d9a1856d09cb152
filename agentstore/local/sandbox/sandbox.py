"""What statements may not do: reach files, other hosts or programs through the engine.

chdb gives every session all rights: ``file()`` reads and writes whatever the process may, and grants and
``user_files_path`` do not hold there. So a statement that reaches outside of the store is refused before it runs,
unless the server was told to allow it. What is inside is listed; what the engine knows besides is outside, so that a
table function or engine of a newer version is refused until it is listed here.

Decided by the engine's own parser, never by the text: a text that names a suspect (or is not of a common kind) is
parsed, and the names are looked for where the parser put them. A word in a literal costs half a millisecond.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from agentstore.local.engine.connection import EngineConnection
from agentstore.local.engine.errors import EngineError
from agentstore.local.protocol.packets import Setting
from agentstore.local.sandbox.inline_rows import check_inline_rows
from agentstore.local.sandbox.names import OUTSIDE_FUNCTIONS, OUTSIDE_SETTINGS, STRUCTURED
from agentstore.local.sandbox.outline import check_outline
from agentstore.local.sandbox.outside import outside_names
from agentstore.local.sandbox.refusal import refused
from agentstore.local.sandbox.rules import DEFAULTS, Rules, check_setting
from agentstore.local.sql.quoting import literal
from agentstore.local.sql.statement import Kind, Statement

# Statements that can do harm only by what ``_suspect`` finds. All that begin otherwise are parsed.
_COMMON = re.compile(
    r"\s*(?:SELECT|WITH|INSERT|SET|USE|SHOW|DESCRIBE|DESC|EXISTS|DROP|TRUNCATE|OPTIMIZE|CHECK|DELETE|VALUES)\b",
    re.IGNORECASE | re.ASCII,
)
# The parenthesis of a call, or what may stand before it: a comment, a space of Unicode. Or the end, since texts are
# looked through in pieces: there the parenthesis may be in the next one.
_AFTER_A_NAME = r"\b[`\"]?\s*(?:[(/#]|--|[^\x09-\x7e]|\Z)"
# The name of a function as an argument of another one.
_AS_ARGUMENT = r"\b[`\"]?\s*[,)]"
# What the boundaries of the names above see as one word.
_WORD = re.compile(r"\w+", re.ASCII)
# The overlap is longer than any name that is looked for: cut in two, it would be found in neither piece.
_WINDOW, _OVERLAP = 1 << 16, 256
_MAX_TREE = 16 << 20
# What the parser says where it makes no JSON of a statement. After any other error the statement is not run.
_NO_JSON_MESSAGE = "does not support JSON serialization"
_INLINE_ROWS_MESSAGE = "INSERT with inline data"


class Sandbox:
    """Shared by all sessions of a server. Methods block for as long as a small query, and raise EngineError (497)."""

    def __init__(self, connection: EngineConnection) -> None:
        """Asks the engine what it knows of."""
        # Once: functions that users define from now on are checked then, so they call nothing that reaches outside.
        outside = outside_names(connection)
        self._rules = Rules(outside)
        calls = "|".join(re.escape(name) for name in sorted(outside | STRUCTURED - {"values"}))
        settings = OUTSIDE_SETTINGS | {"apply", "infile", "outfile", "parallel"}
        words = "|".join(sorted(settings))
        executed = "SELECT lower(name) AS name FROM system.functions WHERE origin != 'System'"
        functions = OUTSIDE_FUNCTIONS | outside & {row["name"] for row in connection.describe(executed)}
        bare = "|".join(re.escape(name) for name in sorted(functions))
        self._names = {name.lower() for name in (outside | STRUCTURED | functions | settings) - {"values"}}
        self._suspect = re.compile(
            rf"\b(?:(?:{calls}|ai[a-z]+){_AFTER_A_NAME}|(?:{bare}|ai[a-z]+){_AS_ARGUMENT}|(?:{words})\b)",
            re.IGNORECASE | re.ASCII,
        )

    def is_outside(self, name: str) -> bool:
        """Whether a function or an engine, in lower case, reaches outside."""
        return name in self._rules.outside

    def check_settings(self, settings: Iterable[Setting]) -> None:
        for setting in settings:
            if setting.value:
                check_setting(setting.name, setting.value)

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
        return any(self._is_suspect_piece(sql[start : start + _WINDOW]) for start in starts)

    def _is_suspect_piece(self, piece: str) -> bool:
        # All words first: to try every name at every word takes a millisecond for the fifty ids of a list.
        words = {word.lower() for word in _WORD.findall(piece)}
        if words.isdisjoint(self._names) and not any(word.startswith("ai") for word in words):
            return False
        return self._suspect.search(piece) is not None

    def check(self, connection: EngineConnection, statement: Statement) -> None:
        """Refuse a statement that reaches outside. Raises EngineError.

        ``connection`` is no client's: its settings could change what the parser does. It runs the parser only.
        """
        sql = _as_it_runs(statement)
        if DEFAULTS.search(statement.structure) or "\\x" in statement.structure:
            raise refused("A structure of input() with defaults")
        if self.is_plain(sql):
            return
        if statement.kind is Kind.INSERT_BLOCKS and "$" in sql:
            # The engine is later asked about parts of it alone: its target, its columns. What is within a heredoc in
            # the whole, and so is not looked at here, may be outside of one in a part.
            raise refused("An INSERT with $, which names what may reach outside,")
        self._check_parsed(connection, sql)

    def _check_parsed(self, connection: EngineConnection, sql: str) -> None:
        question = f"SELECT parseQueryToJSON({literal(sql)}) AS tree, length(tree) > {_MAX_TREE} AS is_large"
        # The engine keeps back a tree that is too large: to decode it would hold the interpreter, and all clients.
        try:
            row = connection.describe(f"SELECT if(is_large, '', tree) AS tree FROM ({question})")[0]
        except EngineError as error:
            if _INLINE_ROWS_MESSAGE in str(error):
                check_inline_rows(connection, sql, self._rules)
            elif _NO_JSON_MESSAGE in str(error):
                check_outline(connection, sql, self._rules)
            else:
                raise EngineError(_without_scope(str(error)), error.code, error.name) from None
            return
        if not row["tree"]:
            raise refused("A statement too long to be looked through, which names what may reach outside,")
        try:
            self._rules.check_tree(msgspec.json.decode(row["tree"].encode("utf-8", "replace")))
        except RecursionError:
            # The engine's parser goes deeper than ours: what was not looked at must not run.
            raise refused(
                "A statement too deeply nested to be looked through, which names what may reach outside,"
            ) from None

    def is_inside(self, connection: EngineConnection, sql: str) -> bool:
        """Whether a statement that is stored may stay. One that cannot be parsed may not."""
        try:
            self.check(connection, Statement(Kind.OTHER, sql))
        except EngineError:
            return False
        return True


def _as_it_runs(statement: Statement) -> str:
    """The statement as the engine runs it; for an INSERT of blocks, with something in the place of the blocks."""
    # On a line of its own: after a comment at the end it would be part of that.
    blocks = statement.kind is Kind.INSERT_BLOCKS and not statement.structure
    return f"{statement.sql}\nSELECT 1" if blocks else statement.sql


def _without_scope(text: str) -> str:
    """The parser's error without the question it was asked with."""
    return re.sub(r": In scope SELECT .*(?=\. \(\w+\))", "", text, flags=re.DOTALL)

"""INSERT … VALUES with its rows in the text. They are expressions, too, and the parser does not read them."""

from __future__ import annotations

from agentstore.local.engine.connection import EngineConnection
from agentstore.local.engine.errors import EngineError
from agentstore.local.sandbox.names import OUTSIDE_SETTINGS
from agentstore.local.sandbox.refusal import refused
from agentstore.local.sandbox.rules import Rules
from agentstore.local.sql.quoting import literal

_MAX_INLINE = 1 << 20


def check_inline_rows(connection: EngineConnection, sql: str, rules: Rules) -> None:
    """Refuse rows that name what reaches outside, by the tokens of the engine's own lexer. Raises EngineError.

    Tokens tell less than a tree. So it refuses what only may hide a name: comments, escapes, more statements.
    """
    if len(sql) > _MAX_INLINE:
        raise refused("An INSERT of that length with its rows in the text, which names what may reach outside,")
    # Names before a parenthesis, which may be calls: whatever else they are, they are judged as such.
    followed = _lexed(connection, sql, "i > 1 AND kinds[i] = 'OpeningRoundBracket'", "i - 1")
    words = _lexed(connection, sql, "kinds[i] = 'BareWord'", "i")
    if _lexed(connection, sql, "i > 1 AND kinds[i - 1] = 'Semicolon' AND kinds[i] != 'Semicolon'", "i"):
        raise EngineError.make(
            62, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed), send one statement at a time"
        )
    if _lexed(connection, sql, "i > 1 AND kinds[i] IN ('Comment', 'HereDoc')", "i", skipped="'Whitespace'"):
        # Where a value is read by its column's type there are no comments and heredocs: what the lexer takes for one,
        # and passes over, may be the next value, and a call.
        raise refused("A comment or heredoc beside rows in the text")
    for name in followed:
        # The token is as it was written: with escapes it would not be found among the names.
        if "\\" in name:
            raise refused("A name with escapes beside rows in the text")
        rules.check_name(name.strip('`"“”'))
        if name.strip('`"“”').lower() == "input":
            raise refused("input() beside rows in the text")
    for word in words:
        if word.lower() in OUTSIDE_SETTINGS or word.lower() == "infile":
            raise refused(word)


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

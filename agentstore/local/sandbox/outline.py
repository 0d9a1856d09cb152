"""Statements that the parser tells only an outline of: what it leaves out must not be able to reach outside."""

from __future__ import annotations

import re

from agentstore.local.engine.connection import EngineConnection
from agentstore.local.engine.syntax_tree import ast_of
from agentstore.local.sandbox.names import OUTSIDE_SETTINGS, STRUCTURED
from agentstore.local.sandbox.refusal import refused
from agentstore.local.sandbox.rules import Rules

# Statements that may have parts of which it tells the outline only.
_OUTLINED_STATEMENTS = re.compile(
    r"(?:(?:Describe|Exists|Show|DropFunction|Undrop)\w*|(?:Create|Alter|Delete|Update|SelectWithUnion)Query"
    r"|Explain)\b"
)
_INCOMPLETE_NODES = ("Set", "ViewTargets", "Dictionary definition", "ColumnsApplyTransformer")


def check_outline(connection: EngineConnection, sql: str, rules: Rules) -> None:
    """A statement with a part the parser gives only an outline of, such as the arguments of a JSON type."""
    root, *nodes = list(ast_of(connection, sql).walk())[1:]
    if not _OUTLINED_STATEMENTS.match(root.text):
        raise refused(f"A statement of type {root.text.split(' ')[0]}")
    if re.search(r"\b(?:infile|outfile)\b", sql, re.IGNORECASE):
        raise refused("FROM INFILE or INTO OUTFILE")
    for node in nodes:
        if node.text.startswith("Function "):
            rules.check_name(node.text.split(" ")[1])
        if node.text.startswith(_INCOMPLETE_NODES):
            _check_words(sql, rules)
        if node.text.startswith("TableExpression"):
            for child in node.children:
                if re.match(rf"Function (?:{'|'.join(STRUCTURED)})\b", child.text, re.IGNORECASE):
                    raise refused("A structure beside a JSON type")


def _check_words(sql: str, rules: Rules) -> None:
    """Where settings and engines are not in the outline, their names must not be in the text."""
    words = set(re.findall(r"\w+", sql.lower()))
    if "\\" in sql or words & (OUTSIDE_SETTINGS | rules.outside | {"disk", "source"}):
        raise refused("A setting or an engine beside a JSON type")

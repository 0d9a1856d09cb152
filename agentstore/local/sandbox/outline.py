"""Statements of which the parser gives only an outline (EXPLAIN AST): what it leaves out must not reach outside."""

from __future__ import annotations

import re

from agentstore.local.engine.connection import EngineConnection
from agentstore.local.engine.syntax_tree import ast_of
from agentstore.local.sandbox.names import OUTSIDE_SETTINGS, STRUCTURED
from agentstore.local.sandbox.refusal import refused
from agentstore.local.sandbox.rules import Rules

# Statements that are judged by their outline. Of others too little is in it, and they are refused.
_OUTLINED_STATEMENTS = re.compile(
    r"(?:(?:Describe|Exists|Show|DropFunction|Undrop)\w*|(?:Create|Alter|Delete|Update|SelectWithUnion)Query"
    r"|Explain)\b"
)
# Nodes whose names, settings or sources are not in the outline.
_INCOMPLETE_NODES = ("Set", "ViewTargets", "Dictionary definition", "ColumnsApplyTransformer")


def check_outline(connection: EngineConnection, sql: str, rules: Rules) -> None:
    """Refuse what may reach outside in a statement that has no JSON, such as one with arguments of a JSON type."""
    root, *nodes = list(ast_of(connection, sql).walk())[1:]
    if not _OUTLINED_STATEMENTS.match(root.text):
        raise refused(f"A statement of type {root.text.split(' ')[0]}")
    # In the text, since the outline may leave them out: a literal with such a word is refused with it.
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
    """Settings and engines that are not in the outline must not be in the text, nor escapes that could write them."""
    words = set(re.findall(r"\w+", sql.lower()))
    if "\\" in sql or words & (OUTSIDE_SETTINGS | rules.outside | {"disk", "source"}):
        raise refused("A setting or an engine beside a JSON type")

"""What the engine's own parser makes of a statement. Nothing is run for it, no table is looked up.

Asked where the text of a statement names something that may matter: a word says nothing, since it may stand in a
literal, a comment or a name. Costs about half a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from agentstore.local.engine.connection import EngineConnection


@dataclass(slots=True)
class Node:
    """One node as the engine writes it, without its indentation: ``Function file (alias f) (children 1)``.

    A line break in a name shows as more nodes, so a statement can make nodes up. It cannot hide one: every node
    begins a line of its own.
    """

    text: str
    children: list[Node] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in the order of the text. Not recursive: statements are nested at will."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += reversed(node.children)


def ast_of(connection: EngineConnection, sql: str) -> Node:
    """The statement as the parser sees it, of any kind. Raises EngineError, with code 62 if it cannot be parsed."""
    return _explained(connection, f"EXPLAIN AST {sql}")


def query_tree_of(connection: EngineConnection, sql: str) -> Node:
    """A SELECT before any name in it is resolved; says more of clauses than the AST. Raises EngineError."""
    return _explained(connection, f"EXPLAIN QUERY TREE run_passes = 0 {sql}")


def _explained(connection: EngineConnection, sql: str) -> Node:
    rows = connection.describe(sql)
    return _nested(line for row in rows for line in row["explain"].split("\n"))


def _nested(lines: Iterator[str]) -> Node:
    """The lines by their indentation, under a root without text."""
    root = Node("")
    open_nodes: list[tuple[int, Node]] = [(-1, root)]
    for line in lines:
        text = line.lstrip(" ")
        indent = len(line) - len(text)
        while open_nodes[-1][0] >= indent:
            open_nodes.pop()
        node = Node(text)
        open_nodes[-1][1].children.append(node)
        open_nodes.append((indent, node))
    return root

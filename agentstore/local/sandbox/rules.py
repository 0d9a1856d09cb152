"""The rules for one statement, as the engine's parser has taken it apart: which of its parts reach outside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from agentstore.local.sandbox.names import OUTSIDE_SETTINGS, STATEMENT_TYPES, STRUCTURED
from agentstore.local.sandbox.refusal import refused

_ASKS_A_MODEL = re.compile(r"(?:ai|AI)[A-Z]")
_HARMLESS_SYSTEM = re.compile(
    r"(?:STOP|START)_\w+|(?:CLEAR|DROP)_\w*CACHE|FLUSH_LOGS|(?:REFRESH|WAIT|CANCEL)_VIEW|SYNC_\w+|RELOAD_DICTIONAR\w+"
    r"|(?:LOAD|UNLOAD)_PRIMARY_KEY|WAIT_LOADING_PARTS"
)
_HARMFUL_SYSTEM = re.compile(r"\w*LISTEN\w*|\w*THREAD_FUZZER|\w*FILE_CACHE\w*|\w*CLUSTER\w*|\w*KEEPER\w*")
# Functions whose first argument may be the bare name of another one.
_TAKES_A_FUNCTION = re.compile(r"(?:array|map|tuple)\w*", re.IGNORECASE)
DEFAULTS = re.compile(r"\b(?:DEFAULT|MATERIALIZED|ALIAS|EPHEMERAL)\b", re.IGNORECASE)
_PLAIN_SETTINGS = (("dialect", "clickhouse"), ("additional_table_filters", "{}"))


class Rules:
    """What may not be in a statement, such as the names ``outside`` of functions and engines: else EngineError."""

    def __init__(self, outside: frozenset[str]) -> None:
        self.outside = outside

    def check_tree(self, tree: Any) -> None:
        """A statement as the parser's JSON."""
        if tree["type"] not in STATEMENT_TYPES:
            raise refused(f"A statement of type {tree['type']}")
        # Every node, wherever it stands: a rule for each place would miss the place that a newer parser adds.
        for node in _nodes(tree):
            self._check_node(node)

    def check_name(self, name: str) -> None:
        """The name of a function."""
        if name.lower() in self.outside or _ASKS_A_MODEL.match(name):
            raise refused(f"{name}()")

    def _check_node(self, node: dict[str, Any]) -> None:
        kind = node.get("type")
        if kind == "Function":
            self.check_name(node["name"])
            self._check_first_argument(node)
        elif kind == "ColumnsApplyTransformer":
            self.check_name(node.get("func_name", ""))
        elif kind == "SetQuery":
            _check_changes(node)
        elif kind == "CreateQuery" and (node.get("attach") or node.get("is_dictionary")):
            raise refused("ATTACH" if node.get("attach") else "CREATE DICTIONARY")
        elif kind == "SystemQuery" and not _is_harmless(node.get("query_type", "")):
            raise refused(f"SYSTEM {node.get('query_type', '')}")
        if "infile" in node or "out_file" in node:
            raise refused("FROM INFILE" if "infile" in node else "INTO OUTFILE")
        if isinstance(node.get("table_function"), dict):
            _check_structure(node["table_function"])

    def _check_first_argument(self, node: dict[str, Any]) -> None:
        """``arrayMap(file, paths)``: the name of a function without a parenthesis. To the parser it is a column."""
        arguments = node.get("arguments", {}).get("children", [])
        if len(arguments) > 1 and arguments[0].get("type") == "Identifier" and _TAKES_A_FUNCTION.match(node["name"]):
            self.check_name(arguments[0]["name"])


def check_setting(name: str, value: object) -> None:
    """A setting and its value, in a statement or beside it. Raises EngineError."""
    if name in OUTSIDE_SETTINGS and (name, value) not in _PLAIN_SETTINGS:
        raise refused(f"Setting {name}")


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    # A list of what is still to be seen, and no recursion, which would end at Python's limit.
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
            raise refused(f"{change['name']} = {change['name']}(…)")  # a disk of the statement's own
        check_setting(change["name"], value.get("value"))


def _check_structure(function: dict[str, Any]) -> None:
    """Refuse a structure with defaults, and rows of ``format(Values, …)``: both are expressions in a text.

    A structure that is itself an expression is refused, too. What it will be is known only when it runs.
    """
    name = function.get("name", "").lower()
    arguments = function.get("arguments", {}).get("children", [])
    if name not in STRUCTURED or not arguments:
        return
    if name == "format":
        if _text_of(arguments[0]).lower() in ("", "values"):
            raise refused("format() of Values, or of a format that is computed,")
        if len(arguments) < 3:
            return
    structure = arguments[1 if name == "format" else 0]
    if name == "values" and not _text_of(structure):
        return  # the first row: only a text would be a structure
    if name == "generaterandom" and structure.get("type") == "Literal" and not _text_of(structure):
        return  # a seed
    text = structure.get("value", {}).get("value") if structure.get("type") == "Literal" else None
    if not isinstance(text, str) or DEFAULTS.search(text):
        raise refused(f"A structure of {name}() that is computed, or has defaults,")


def _text_of(argument: dict[str, Any]) -> str:
    """An argument that is a name or a string; "" for an expression."""
    text = argument.get("name") if argument.get("type") == "Identifier" else argument.get("value", {}).get("value")
    return text if isinstance(text, str) else ""


def _is_harmless(query_type: str) -> bool:
    # By both lists: the first one has patterns, and some of what they match is to be refused all the same.
    return _HARMLESS_SYSTEM.fullmatch(query_type) is not None and _HARMFUL_SYSTEM.fullmatch(query_type) is None

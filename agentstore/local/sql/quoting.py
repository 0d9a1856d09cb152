"""Values and names as the engine's SQL writes them."""

from __future__ import annotations


def literal(value: str) -> str:
    """A string literal with this value."""
    # The backslash first: those of the escaped quotes would be doubled, and the quotes end the literal.
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(name: str) -> str:
    """A quoted identifier with this name."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"

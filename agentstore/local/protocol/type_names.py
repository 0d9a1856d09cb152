"""ClickHouse type names as a tree: ``Map(String, Array(Nullable(UInt8)))`` and all else a block header may hold."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_DEPTH = 64

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>'(?:[^'\\]|\\.|'')*')
      | (?P<quoted>`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")
      | (?P<word>[A-Za-z_][A-Za-z0-9_.]*)
      | (?P<number>[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)
      | (?P<mark>[(),=])
    )\s*""",
    re.VERBOSE | re.DOTALL,
)


class TypeNameError(ValueError):
    """Not a type name."""


@dataclass(frozen=True, slots=True)
class TypeName:
    """``name(arguments)``. An argument is a type, or text: a number, a quoted string, or ``'a' = 1``.

    ``field`` is the name the type has inside a named Tuple or a Nested, without its quotes.
    """

    name: str
    arguments: tuple[TypeName | str, ...] = ()
    field: str = ""

    def types(self) -> tuple[TypeName, ...]:
        """The arguments that are types."""
        return tuple(argument for argument in self.arguments if isinstance(argument, TypeName))

    def number(self, index: int) -> int:
        """The argument at ``index``, which must be a whole number."""
        try:
            return int(str(self.arguments[index]))
        except (IndexError, ValueError):
            raise TypeNameError(f"{self.name} needs a number as argument {index + 1}") from None


def parse_type(text: str) -> TypeName:
    """Raises TypeNameError for text that is not one type name."""
    tokens = _tokens(text)
    if not tokens or tokens[0][0] != "word":
        raise TypeNameError(f"not a type name: {text[:200]!r}")
    parsed, position = _type(tokens, 0, 0)
    if position != len(tokens):
        raise TypeNameError(f"not a type name: {text[:200]!r}")
    return parsed


_Token = tuple[str, str]


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise TypeNameError(f"not a type name: {text[:200]!r}")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return tokens


def _type(tokens: list[_Token], position: int, depth: int) -> tuple[TypeName, int]:
    # This and what is built from it are recursive: a deeper name would overflow Python's stack.
    if depth > MAX_DEPTH:
        raise TypeNameError(f"a type is nested more than {MAX_DEPTH} deep")
    name = tokens[position][1]
    position += 1
    if not _is(tokens, position, "("):
        return TypeName(name), position
    arguments: list[TypeName | str] = []
    position += 1
    while not _is(tokens, position, ")"):
        argument, position = _argument(tokens, position, depth + 1)
        arguments.append(argument)
        if _is(tokens, position, ","):
            position += 1
        elif not _is(tokens, position, ")"):
            raise TypeNameError(f"the arguments of {name} do not end")
    return TypeName(name, tuple(arguments)), position + 1


def _argument(tokens: list[_Token], position: int, depth: int) -> tuple[TypeName | str, int]:
    if position >= len(tokens):
        raise TypeNameError("a type name ends too early")
    kind, value = tokens[position]
    following = tokens[position + 1] if position + 1 < len(tokens) else ("", "")
    if (kind, value) == ("word", "SKIP") and following[0] in ("word", "quoted"):
        # Of a JSON: paths that are left out, by name or by a regular expression in a string.
        last = position + 1 if following[1] != "REGEXP" else position + 2
        return f"SKIP {following[1]}", last + 1
    if kind in ("word", "quoted") and following[0] == "word":
        inner, position = _type(tokens, position + 1, depth)
        return TypeName(inner.name, inner.arguments, _unquoted(value)), position
    if kind == "word" and following[1] != "=":
        return _type(tokens, position, depth)
    if following[1] == "=" and following[0] == "mark":
        number = tokens[position + 2][1] if position + 2 < len(tokens) else ""
        return f"{value} = {number}", position + 3
    if kind in ("string", "number"):
        return value, position + 1
    raise TypeNameError(f"a type name does not go on with {value[:50]!r}")


def _is(tokens: list[_Token], position: int, mark: str) -> bool:
    return position < len(tokens) and tokens[position] == ("mark", mark)


def _unquoted(name: str) -> str:
    return name[1:-1] if name[:1] in ('"', "`") else name

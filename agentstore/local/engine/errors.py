"""What the engine says when a statement fails, as an error with ClickHouse's code and name."""

from __future__ import annotations

import re

# What chdb raises where a statement fails, or does not say what went wrong.
FAILURES = (RuntimeError, OSError, UnicodeDecodeError)
BEGINS_ERROR = re.compile(r"Code: (\d+)\. (.*)", re.DOTALL)
_STACK_TRACE = re.compile(
    r",? ?Stack trace \(when copying[^)]*\):\s.*?(?=\s*\.? \([A-Z][A-Z0-9_]+\)\s*\Z|\Z)", re.DOTALL
)
_NAME = re.compile(r".*\(([A-Z][A-Z0-9_]+)\)", re.DOTALL)


class EngineError(Exception):
    """A statement failed. ``code`` and ``name`` are ClickHouse's; the text is all the engine said."""

    def __init__(self, message: str, code: int, name: str) -> None:
        super().__init__(message)
        self.code = code
        self.name = name

    @classmethod
    def make(cls, code: int, name: str, text: str) -> EngineError:
        """An error of the server's own, in the form of the engine's."""
        return cls(f"DB::Exception: {text}. ({name})", code, name)

    @classmethod
    def no_space(cls, error: Exception) -> EngineError:
        """The one that a client may try again: space can come back."""
        return cls.make(243, "NOT_ENOUGH_SPACE", str(error))

    @classmethod
    def parse(cls, text: str) -> EngineError:
        """From the engine's own text: ``Code: 81. DB::Exception: … (UNKNOWN_DATABASE)``.

        It ends with the name, unless chdb cut it: at the first NUL, which a message may quote from a statement or from
        data. Then that is said. Addresses in the engine's code are of no use to anybody here.
        """
        match = BEGINS_ERROR.search(text)
        if match is None:
            return cls(text, 1002, "UNKNOWN_EXCEPTION")
        message = _STACK_TRACE.sub("", match[2])
        name = _NAME.match(message)
        if name is None:
            return cls(f"{message}… (the rest of the engine's message is cut off)", int(match[1]), "UNKNOWN_EXCEPTION")
        return cls(message, int(match[1]), name[1])


def chdb_text(error: BaseException) -> str:
    """What chdb said. Where it quotes data that is not UTF-8, chdb trips over its own message; the bytes are there,
    and shown as escapes, because clients trip as well."""
    for raised in (error, error.__cause__):
        if isinstance(raised, UnicodeDecodeError):
            return raised.object.decode("utf-8", "backslashreplace")
    return str(error)

"""Whatever may end a command, as an exit code and a sentence."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import TextIO

from agentstore.cli.failing import FAILED, FOUND, INTERRUPTED, NOBODY_READS, CommandError, PagerLeft
from agentstore.faces import safe


def keep_outputs() -> None:
    """Give a closed stdout or stderr a number of its own: a file opened later would be taken for it and written to."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # Read-only: what is written fails, as it would in a program that does not look.
            while (opened := os.open(os.devnull, os.O_RDONLY)) < number:
                pass
            if opened != number:
                os.dup2(opened, number)
            mode = "r" if number == 0 else "w"
            setattr(sys, name, open(number, mode, closefd=False, encoding="utf-8"))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal of another encoding shows what it can.
            stream.reconfigure(errors="backslashreplace")


def ended(call: Callable[[], object], *, debug: bool = False, on_interrupt: Callable[[], None] = lambda: None) -> int:
    """Call it, and say on stderr what went wrong. ``on_interrupt`` is called first where it is Ctrl-C."""
    try:
        code = call()
        sys.stdout.flush()
    except KeyboardInterrupt as error:
        on_interrupt()
        _forget(sys.stdout)  # it may be what was waited for
        said = str(error)
        return _ended(INTERRUPTED, said or "interrupted", [], error if debug else None)
    except PagerLeft:
        return FOUND
    except BrokenPipeError:
        _forget(sys.stdout)
        return NOBODY_READS
    except CommandError as error:
        hints = [error.hint, *error.candidates]
        return _ended(error.code, error.message, hints, error if debug else None)
    except Exception as error:
        if isinstance(error, OSError):
            _forget(sys.stdout)
        message, hint = _foreign(error)
        return _ended(FAILED, message, [hint], error if debug else None)
    return code if isinstance(code, int) else FOUND


def _foreign(error: Exception) -> tuple[str, str]:
    """The sentence and the hint of an error of the library, or of none that was foreseen."""
    from agentstore.errors import AgentStoreError

    if isinstance(error, AgentStoreError):
        return error.message, error.hint
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror, ""
    name = type(error).__name__
    return f"{name}: {error}" if str(error) else name, "this is a fault of agentstore: --debug shows where"


def _ended(code: int, message: str, hints: Sequence[str], error: BaseException | None) -> int:
    if error is not None:
        traceback.print_exception(error)
    try:
        sys.stderr.write(f"agentstore: {safe.line(message)}\n")
        sys.stderr.writelines(f"  {safe.line(hint)}\n" for hint in hints if hint)
        sys.stderr.flush()
    except OSError:  # nobody is told; the exit code still says it
        _forget(sys.stderr)
    return code


def _forget(stream: TextIO) -> None:
    """What is still buffered cannot be written: without this the interpreter would try at its end, and end with 120."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
    except (OSError, ValueError):
        pass

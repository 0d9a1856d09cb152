"""Changing the configuration file: one key at a time, what else stands in it stays as it is."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import tempfile
import tomllib

from agentstore.cli.config import VARIABLES, read_file
from agentstore.cli.failing import CommandError


def write_key(path: pathlib.Path, key: str, value: str | None) -> bool:
    """Set a key, or (None) remove it; False if the file says so already.

    The file is its owner's alone: a store's DSN may hold a password.
    """
    before = read_file(path)
    after = {name: text for name, text in {**before, key: value}.items() if text is not None}
    if after == before:
        return False
    text = path.read_text(encoding="utf-8") if before or path.exists() else ""
    _replace(path, changed(text, key, value, after))
    return True


def changed(text: str, key: str, value: str | None, after: dict[str, str]) -> str:
    """The text with one key as it is to be. Where a line is not enough to change, all of it is written anew. Pure."""
    line = re.compile(rf"""^[ \t]*["']?{re.escape(key)}["']?[ \t]*=.*(?:\n|\Z)""", re.MULTILINE)
    new = "" if value is None else f"{key} = {_toml(key, value)}\n"
    if line.search(text):
        tried = line.sub(lambda _: new, text, count=1)
    else:
        tried = text + ("" if not text or text.endswith("\n") else "\n") + new
    with contextlib.suppress(tomllib.TOMLDecodeError):
        told = {name: str(one).lower() if isinstance(one, bool) else one for name, one in tomllib.loads(tried).items()}
        if told == after:
            return tried
    return "".join(f"{name} = {_toml(name, one)}\n" for name, one in after.items())


def known(key: str) -> None:
    """A ``CommandError`` where there is no such key."""
    if key not in VARIABLES:
        raise CommandError(f"there is no key {key!r}", hint=f"known: {', '.join(VARIABLES)}")


def check(key: str, value: str) -> str:
    """The value as it is written; a ``CommandError`` where no command could use it."""
    known(key)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise CommandError(f"{key}: the value is no valid text") from None
    if "\0" in value or (not value and key != "tz"):
        raise CommandError(f"{key}: the value is empty or holds a NUL", hint=f"agentstore config unset {key}")
    if key == "store":
        from agentstore.settings import resolve_target

        resolve_target(value, {})
    elif key == "tz" and value:
        from agentstore.faces.times import zone_of

        zone_of(value)
    elif key == "mask":
        from agentstore.cli.importing.whose import is_on

        return str(is_on(value)).lower()
    return value


def _toml(key: str, value: str) -> str:
    if key == "mask" and value in ("true", "false"):
        return value
    # JSON's escapes are TOML's, too; but there DEL may not stand as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _replace(path: pathlib.Path, text: str) -> None:
    """In one step, and for the owner only. A link to the file stays one."""
    real = pathlib.Path(os.path.realpath(path))
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        number, name = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
        try:
            with open(number, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.replace(name, real)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
    except OSError as error:
        raise CommandError(f"the configuration {path} cannot be written: {error.strerror}") from None

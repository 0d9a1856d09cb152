"""``agentstore config``: what is configured, and where each value comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, CommandError, NothingFound
from agentstore.cli.options import Common

if TYPE_CHECKING:
    from agentstore.cli.config import Settings, Value

Action = Literal["show", "set", "unset", "path"]


def config(
    action: Annotated[Action, Parameter(help="show [KEY], set KEY VALUE, unset KEY, path")] = "show",
    key: Annotated[str, Parameter(help="store, org, user, user_name, machine, mask or tz")] = "",
    value: Annotated[str | None, Parameter(help="what it is to be")] = None,
    /,
    *,
    json: Annotated[bool, Parameter(help="as JSON: by key the value, its origin, and what names it")] = False,
    common: Common = Common(),
) -> int:
    """Show what is configured and where it comes from, or change the configuration file.

    A flag wins over the environment, that over the file, and that over the default. Passwords are not shown.
    """
    from agentstore.cli.opening import settings_of
    from agentstore.cli.terminal.screen import screen_of

    settings = settings_of(common)
    screen = screen_of()
    if action == "show":
        _check_usage(value is None, "agentstore config show KEY")
        return _show(settings, key, json=json)
    if action == "path":
        _check_usage(not key, "agentstore config path")
        screen.line(str(settings.path))
        return FOUND
    from agentstore.cli.config_file import check, known, write_key

    _check_usage(bool(key) and (value is None) == (action == "unset"), f"agentstore config {action} KEY", value="VALUE")
    if value is not None:
        write_key(settings.path, key, check(key, value))
    else:
        known(key)
        if not write_key(settings.path, key, None):
            raise NothingFound(f"the configuration {settings.path} does not say {key}")
    _warn_of_others(settings, key)
    return FOUND


def _show(settings: Settings, key: str, *, json: bool) -> int:
    from agentstore.cli.config import VARIABLES
    from agentstore.cli.config_file import known
    from agentstore.cli.terminal.jsons import print_json
    from agentstore.cli.terminal.screen import Piece, screen_of
    from agentstore.cli.terminal.tables import Column, table

    if key:
        known(key)
    screen = screen_of()
    values = {name: _shown(name, settings.value(name)) for name in ([key] if key else VARIABLES)}
    if json:
        print_json(screen, {name: one._asdict() for name, one in values.items()})
    elif key:
        screen.line(values[key].text)
    else:
        table(
            screen,
            [Column("key", style="cyan"), Column("value", least=12, good=30), Column("from", least=8, rank=1)],
            [
                (name, one.text, (Piece(one.origin), Piece(f" {one.detail}" if one.detail else "", "dim")))
                for name, one in values.items()
            ],
        )
        screen.fold(f"file: {settings.path}", style="dim")
    return FOUND


def _shown(key: str, value: Value) -> Value:
    from agentstore.cli.config import without_password

    return value._replace(text=without_password(value.text)) if key == "store" else value


def _check_usage(is_right: bool, usage: str, *, value: str = "") -> None:
    if not is_right:
        raise CommandError("this is not how config is used", hint=f"{usage} {value}".rstrip())


def _warn_of_others(settings: Settings, key: str) -> None:
    """What is set in the file does not hold while something else says otherwise."""
    import sys

    from agentstore.cli.config import Settings

    found = Settings({}, path=settings.path).value(key)
    if found.origin == "environment":
        sys.stderr.write(f"agentstore: {found.detail} is set in the environment, and wins over the file\n")

"""What is configured, and where each value comes from: flag, environment, file or default, the first that says it."""

from __future__ import annotations

import getpass
import os
import pathlib
import subprocess
import tomllib
from collections.abc import Mapping
from typing import Literal, NamedTuple

from platformdirs import user_config_path

from agentstore.cli.failing import CommandError

FILE_VARIABLE = "AGENTSTORE_CONFIG"
# Each key with the environment variable that also says it; "" where none does.
VARIABLES = {
    "store": "AGENTSTORE_DSN",
    "org": "AGENTSTORE_ORG",
    "user": "AGENTSTORE_USER",
    "user_name": "AGENTSTORE_USER_NAME",
    "machine": "AGENTSTORE_MACHINE",
    "mask": "AGENTSTORE_MASK",
    "tz": "AGENTSTORE_TZ",
}
DEFAULT_ORG = "local"
SECONDS = 5.0

Origin = Literal["flag", "environment", "file", "default"]


class Value(NamedTuple):
    """One value. ``detail`` names the variable or file it comes from; a store's text may hold a password."""

    text: str
    origin: Origin
    detail: str = ""


def config_path() -> pathlib.Path:
    """The configuration file: what ``AGENTSTORE_CONFIG`` names, else where this system keeps such files."""
    named = os.environ.get(FILE_VARIABLE)
    return pathlib.Path(named) if named else user_config_path("agentstore") / "config.toml"


def read_file(path: pathlib.Path) -> dict[str, str]:
    """What the file says; nothing where there is none."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CommandError(f"the configuration {path} cannot be read: {reason}", hint="mend it or remove it") from None
    unknown = sorted(set(told) - set(VARIABLES))
    if unknown:
        raise CommandError(f"{path}: unknown key {unknown[0]!r}", hint=f"known: {', '.join(VARIABLES)}")
    values = {}
    for key, value in told.items():
        if not isinstance(value, str | bool):
            raise CommandError(f"{path}: {key} is no text", hint=f'{key} = "…"')
        values[key] = str(value).lower() if isinstance(value, bool) else value
    return values


class Settings:
    """Every value, looked up when it is first asked for: the user's name is a process of git away."""

    def __init__(
        self,
        flags: Mapping[str, str | None],
        environment: Mapping[str, str] = os.environ,
        path: pathlib.Path | None = None,
        *,
        debug: bool = False,
    ) -> None:
        self.debug = debug
        self.path = path or config_path()
        self._flags = flags
        self._environment = environment
        self._file: dict[str, str] | None = None

    def value(self, key: str) -> Value:
        """What holds for a key of ``VARIABLES``."""
        flag = self._flags.get(key)
        if flag is not None:
            return Value(flag, "flag", f"--{key.replace('_', '-')}")
        variable = VARIABLES[key]
        if told := self._environment.get(variable):
            return Value(told, "environment", variable)
        if self._file is None:
            self._file = read_file(self.path)
        if key in self._file:
            return Value(self._file[key], "file", str(self.path))
        return Value(default_of(key), "default")

    def __getitem__(self, key: str) -> str:
        return self.value(key).text


def default_of(key: str) -> str:
    """What holds where nobody has said anything."""
    if key == "store":
        from agentstore.settings import default_local_path

        return f"local:{default_local_path()}"
    if key == "org":
        return DEFAULT_ORG
    if key == "user":
        return _git("user.email") or _login()
    if key == "user_name":
        return _git("user.name") or _login()
    if key == "machine":
        import platform

        return platform.node()
    return "true" if key == "mask" else ""


def without_password(target: str) -> str:
    """A store's DSN as it may be shown. What cannot be read as one is not shown at all."""
    from agentstore.errors import ConfigError
    from agentstore.settings import resolve_target

    try:
        options = resolve_target(target, {})
    except ConfigError:
        return "(not a DSN)"
    return f"local:{options.local_path}" if options.local_path else f"{options.where}/{options.database}"


def _git(key: str) -> str:
    try:
        told = subprocess.run(
            ["git", "config", "--get", key], capture_output=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.decode("utf-8", errors="replace").strip() if told.returncode == 0 else ""


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that nobody gave a name
        return "you"

"""Where the store is and how to talk to it: ``ConnectOptions``, and its text form, the DSN.

``clickhouse://user:password@host:9000/database?option=value``, ``clickhouses://…:9440/…`` (TLS) or ``local:PATH``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from agentstore.errors import ConfigError

DSN_VARIABLE = "AGENTSTORE_DSN"
NATIVE_PORT = 9000
NATIVE_TLS_PORT = 9440
_HTTP_PORTS = {8123: NATIVE_PORT, 8443: NATIVE_TLS_PORT}


class ConnectOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything needed to reach a store. The same names are the options of a DSN and the overrides of the store.

    ``local_path`` names a local store; host, port, user and password are then found in its directory. ``fsync`` is for
    the local server that is started here: whether an insert is answered only once it would survive a power cut (None:
    the environment variable ``AGENTSTORE_LOCAL_FSYNC``, else not); one that runs already keeps its own. ``compression``
    is "", "lz4" or "zstd" ("" is right on loopback and in one data centre). ``cluster`` names the ClickHouse cluster
    the schema is created on, "" for none. ``pool_size`` bounds the connections of one store.

    ``read_your_writes``: on replicated tables a write is acknowledged once most replicas have it, and a replica that
    does not have everything acknowledged refuses to read. Its price: an insert takes as long as the replication to a
    majority, one table takes one insert at a time whoever sends it (others are tried again), nothing is written without
    a majority, and a replica that lags, or has lost its Keeper, answers no reads. It changes nothing without replicas.

    A write is sent when ``batch_rows`` rows or ``batch_bytes`` bytes of its table wait, or ``linger_milliseconds``
    after it was accepted (0: as soon as nothing else of the table is in flight). At most ``waiting_rows`` rows and
    ``waiting_bytes`` bytes wait per table; then callers wait. A write that is not stored ``write_timeout_seconds``
    after it was accepted fails with ``WriteError``; ``aclose()`` goes on sending for ``close_timeout_seconds``.
    """

    host: str = "localhost"
    port: int = 0  # 0: 9000, or 9440 with TLS
    user: str = "default"
    password: str = ""
    database: str = "agentstore"
    secure: bool = False
    verify: bool = True
    ca_certs: str = ""
    local_path: str = ""
    fsync: bool | None = None
    cluster: str = ""
    read_your_writes: bool = False
    compression: str = ""
    pool_size: int = 8
    connect_timeout_seconds: float = 10.0
    query_timeout_seconds: float = 300.0
    write_timeout_seconds: float = 60.0
    close_timeout_seconds: float = 10.0
    idle_timeout_seconds: float = 300.0
    linger_milliseconds: float = 0.0
    batch_rows: int = 50_000
    batch_bytes: int = 16 * 1024 * 1024
    waiting_rows: int = 200_000
    waiting_bytes: int = 64 * 1024 * 1024

    def __post_init__(self) -> None:
        self._check_port()
        if not self.database:
            raise ConfigError("database: must not be empty")
        if self.compression not in ("", "lz4", "zstd"):
            raise ConfigError(f"compression: {self.compression!r} is none of '', 'lz4', 'zstd'")
        if self.pool_size < 1:
            raise ConfigError(f"pool_size: {self.pool_size} is less than 1")
        for name in self.__struct_fields__:
            if name.endswith(("_seconds", "_rows", "_bytes")) and not getattr(self, name) > 0:
                raise ConfigError(f"{name}: must be more than 0")
        if not self.linger_milliseconds >= 0:
            raise ConfigError("linger_milliseconds: must not be negative")

    def _check_port(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port: {self.port} is not a port")
        if self.port in _HTTP_PORTS:
            raise ConfigError(
                f"port {self.port} speaks HTTP, and this library the native protocol",
                hint=f"the native port is {_HTTP_PORTS[self.port]}",
            )

    @property
    def native_port(self) -> int:
        """The port with the default filled in."""
        return self.port or (NATIVE_TLS_PORT if self.secure else NATIVE_PORT)

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        shown["password"] = "***" if self.password else ""
        return f"ConnectOptions({', '.join(f'{k}={v!r}' for k, v in shown.items())})"

    __str__ = __repr__

    def __rich_repr__(self) -> Any:
        yield from ((name, getattr(self, name)) for name in self.__struct_fields__ if name != "password")


def resolve_target(target: str | ConnectOptions | None, overrides: Mapping[str, Any]) -> ConnectOptions:
    """Options from a DSN, from options, or from ``AGENTSTORE_DSN``, else the user's local store; overrides win."""
    if target is None:
        target = os.environ.get(DSN_VARIABLE) or f"local:{default_local_path()}"
    if isinstance(target, ConnectOptions):
        return _convert(msgspec.structs.asdict(target) | dict(overrides))
    if not isinstance(target, str):
        raise ConfigError(f"target: expected a DSN or ConnectOptions, got {type(target).__name__}")
    return _convert(_parse(target) | dict(overrides))


def default_local_path() -> Path:
    """The local store of this user: ``agentstore`` in the platform's directory for user data."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "agentstore"
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "agentstore"


def _parse(dsn: str) -> dict[str, Any]:
    scheme, colon, rest = dsn.partition(":")
    if scheme == "local" and colon:
        return _parse_local(rest)
    if scheme in ("clickhouse", "clickhouses") and rest.startswith("//"):
        return _parse_url(dsn)
    # The text itself stays out of the message: a mistyped scheme may be followed by a password.
    raise ConfigError(
        "the DSN is none of clickhouse://…, clickhouses://…, local:PATH",
        hint="clickhouse://user:password@host:9000/database",
    )


def _parse_local(rest: str) -> dict[str, Any]:
    path, _, query = rest.partition("?")
    if not path:
        raise ConfigError("local: needs a path", hint="local:/var/lib/agentstore")
    return {"local_path": path} | _parse_query(query)


def _parse_url(dsn: str) -> dict[str, Any]:
    try:
        url = urlsplit(dsn)
        port = url.port
    except ValueError:
        # The parser's own message quotes what it could not read, which may be a password.
        raise ConfigError("the DSN's host or port cannot be read", hint="percent-encode /, @, : and # in it") from None
    found: dict[str, Any] = {"secure": url.scheme == "clickhouses"}
    if url.fragment:
        raise ConfigError("the DSN has a fragment", hint="percent-encode # in the password")
    if "@" in url.path or "@" in url.query:
        # Most likely a / or ? that cut the password in two: its end would be shown as a database's or option's name.
        raise ConfigError("the DSN has an @ behind its host", hint="percent-encode /, ?, @ and # in the password")
    if url.hostname:
        found["host"] = unquote(url.hostname)
    if port is not None:
        found["port"] = port
    if url.username:
        found["user"] = unquote(url.username)
    if url.password:
        found["password"] = unquote(url.password)
    if url.path.strip("/"):
        found["database"] = unquote(url.path.strip("/"))
    return found | _parse_query(url.query)


def _parse_query(query: str) -> dict[str, Any]:
    try:
        return dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True)) if query else {}
    except ValueError:
        raise ConfigError("the DSN's options cannot be read", hint="?name=value&name=value") from None


def _convert(values: dict[str, Any]) -> ConnectOptions:
    known = ConnectOptions.__struct_fields__
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ConfigError(f"unknown option {unknown[0]!r}", hint=f"known: {', '.join(known)}")
    try:
        return msgspec.convert(values, ConnectOptions, strict=False)
    except msgspec.ValidationError as error:
        cause = error.__cause__
        if isinstance(cause, ConfigError):
            raise cause from None
        raise ConfigError(str(error)) from None

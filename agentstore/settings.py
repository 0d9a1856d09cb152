"""Where the store is and how to talk to it: ``ConnectOptions``, and its text form, the DSN.

``clickhouse://user:password@host:9000/database?option=value``, ``clickhouses://…:9440/…`` (TLS) or ``local:PATH``.
Several hosts stand in a list: ``clickhouse://user:password@host1:9000,host2:9001/database``.
"""

from __future__ import annotations

import ipaddress
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import msgspec

from agentstore.errors import ConfigError

DSN_VARIABLE = "AGENTSTORE_DSN"
NATIVE_PORT = 9000
NATIVE_TLS_PORT = 9440
_HTTP_PORTS = {8123: NATIVE_PORT, 8443: NATIVE_TLS_PORT}
# No name or address of a host holds one; percent-encoded they could say more than one host, or a port.
_NOT_IN_NAMES = frozenset(",:/@[]?# \t\r\n")


class Host(NamedTuple):
    """A host as it was named, and the port of its native protocol; 0 where none was named."""

    name: str
    port: int

    def __str__(self) -> str:
        name = f"[{self.name}]" if ":" in self.name else self.name
        return f"{name}:{self.port}" if self.port else name


class ConnectOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything needed to reach a store. The same names are the options of a DSN and the overrides of the store.

    ``host`` may be a list, ``"host1:9000,host2,[::1]:9001"``: servers that hold the same database. ``port`` is that of
    the hosts that name none. New connections go to any of them (``host_order``: "random"), or to the first that answers
    in the order given ("in_order"); one that failed is left alone for a growing while. Connecting takes
    ``connect_timeout_seconds`` at most, whatever the number of hosts. A read whose host dies or stalls is asked of
    another one, and a batch is sent again to another one, the same rows under the same token: harmless where the hosts
    are replicas, which know the token. **Servers that do not replicate each other must not be listed together**: a
    batch whose answer was lost may then be stored on two of them, and each shows only what it holds.

    ``local_path`` names a local store; host, port, user and password are then found in its directory. ``fsync`` is for
    the local server that is started here: whether an insert is answered only once it would survive a power cut (None:
    the environment variable ``AGENTSTORE_LOCAL_FSYNC``, else not); one that runs already keeps its own. ``compression``
    is "", "lz4" or "zstd" ("" is right on loopback and in one data centre). ``cluster`` names the ClickHouse cluster
    the schema is created on, "" for none.

    ``pool_size`` bounds the connections that reads use. Searches, analytics and iterators use at most
    ``pool_heavy_size`` of them (0: half), so that small reads do not wait behind them. A read that finds no connection
    free waits ``pool_timeout_seconds`` for one, then it fails with ``PoolTimeoutError``; a search waits as long for its
    turn before that. The writer has up to a dozen connections of its own, opened when they are needed.

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
    host_order: str = "random"
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
    pool_heavy_size: int = 0  # 0: half of pool_size
    pool_timeout_seconds: float = 30.0
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
        self._check_hosts()
        if not self.database:
            raise ConfigError("database: must not be empty")
        if self.compression not in ("", "lz4", "zstd"):
            raise ConfigError(f"compression: {self.compression!r} is none of '', 'lz4', 'zstd'")
        if self.pool_size < 1:
            raise ConfigError(f"pool_size: {self.pool_size} is less than 1")
        if not 0 <= self.pool_heavy_size < max(2, self.pool_size):
            raise ConfigError(
                f"pool_heavy_size: {self.pool_heavy_size} is not less than pool_size={self.pool_size}", hint="0 is half"
            )
        for name in self.__struct_fields__:
            if name.endswith(("_seconds", "_rows", "_bytes")) and not getattr(self, name) > 0:
                raise ConfigError(f"{name}: must be more than 0")
        if not self.linger_milliseconds >= 0:
            raise ConfigError("linger_milliseconds: must not be negative")

    def _check_hosts(self) -> None:
        if not 0 <= self.port <= 65535:
            raise ConfigError(f"port: {self.port} is not a port")
        if self.host_order not in ("random", "in_order"):
            raise ConfigError(f"host_order: {self.host_order!r} is none of 'random', 'in_order'")
        if "@" in self.host:  # what stands before it may be a password: the message does not quote it
            raise ConfigError("host: no host's name holds an @", hint="user and password are options of their own")
        try:
            named = _hosts_of(self.host)
        except ValueError as error:
            raise ConfigError(f"host: {error}", hint="host1:9000,host2,[::1]:9001") from None
        if self.port and all(host.port for host in named):
            raise ConfigError("port: every host names one of its own")
        for port in (self.port, *(host.port for host in named)):
            if port in _HTTP_PORTS:
                raise ConfigError(
                    f"port {port} speaks HTTP, and this library the native protocol",
                    hint=f"the native port is {_HTTP_PORTS[port]}",
                )

    @property
    def native_port(self) -> int:
        """The port of the hosts that name none, with the default filled in."""
        return self.port or (NATIVE_TLS_PORT if self.secure else NATIVE_PORT)

    @property
    def heavy_size(self) -> int:
        """How many searches, analytics and iterators may have a statement under way."""
        return self.pool_heavy_size or max(1, self.pool_size // 2)

    @property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts with their ports, each once, in the order given."""
        named = _hosts_of(self.host)
        return tuple(dict.fromkeys(Host(host.name, host.port or self.native_port) for host in named))

    @property
    def where(self) -> str:
        """The store's place as one shows it: its directory, or its hosts."""
        return self.local_path or ",".join(map(str, self.hosts))

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
        return _convert(_merged(msgspec.structs.asdict(target), overrides))
    if not isinstance(target, str):
        raise ConfigError(f"target: expected a DSN or ConnectOptions, got {type(target).__name__}")
    return _convert(_merged(_parse(target), overrides))


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
    # The text itself stays out of the message where it may hold a password: a mistyped scheme, a user before an @.
    if dsn and dsn.isprintable() and not set(dsn) & set(":@?#%"):
        raise ConfigError(f"{dsn!r} is no DSN", hint=f"for a local store in that directory: local:{dsn}")
    raise ConfigError(
        "the DSN is none of clickhouse://…, clickhouses://…, local:PATH",
        hint="clickhouse://user:password@host:9000/database",
    )


def _parse_local(rest: str) -> dict[str, Any]:
    path, _, query = rest.partition("?")
    if not path:
        raise ConfigError("local: needs a path", hint="local:/var/lib/agentstore")
    return {"local_path": path} | _parse_query(query)


def _merged(found: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides win; hosts that name their ports do not inherit that of the host they replace."""
    host = overrides.get("host")
    if isinstance(host, str) and "port" not in overrides and (":" in host or "," in host):
        try:
            if all(one.port for one in _hosts_of(host)):
                found = {**found, "port": 0}
        except ValueError:
            pass  # refused with its reason where the options are checked
    return found | dict(overrides)


def _parse_url(dsn: str) -> dict[str, Any]:
    """The parts of ``scheme://user:password@hosts/database?options``.

    By hand, since what ``urllib.parse`` takes for a URL holds one host, and newer versions refuse more.
    """
    scheme, _, rest = dsn.partition("://")
    rest, has_fragment, _ = rest.partition("#")
    rest, _, query = rest.partition("?")
    place, _, path = rest.partition("/")
    if has_fragment:
        raise ConfigError("the DSN has a fragment", hint="percent-encode # in the password")
    if "@" in path or "@" in query:
        # Most likely a / or ? that cut the password in two: its end would be shown as a database's or option's name.
        raise ConfigError("the DSN has an @ behind its host", hint="percent-encode /, ?, @ and # in the password")
    account, _, hosts = place.rpartition("@")
    user, _, password = account.partition(":")
    found: dict[str, Any] = {"secure": scheme == "clickhouses", **_parse_hosts(account, hosts)}
    for name, text in (("user", user), ("password", password), ("database", path.strip("/"))):
        if text:
            found[name] = unquote(text)
    return found | _parse_query(query)


def _parse_hosts(account: str, text: str) -> dict[str, Any]:
    # What cannot be read may be a part of a password: no message quotes it.
    unreadable = ConfigError("the DSN's host or port cannot be read", hint="percent-encode /, @, : and # in it")
    if any(character in account for character in "[]@"):
        raise unreadable
    if not text:
        return {}
    entries = (f"localhost{text}" if text.startswith(":") else text).split(",")
    if any(entry.count(":") > 1 and not entry.startswith("[") for entry in entries):
        raise unreadable  # an address of IPv6 stands in brackets, as in every URL: this is rather a password
    try:
        # As host names were always taken: in lower case, percent-encoded characters as they are.
        hosts = [_host_of(entry.lower(), decode=True) for entry in entries]
    except ValueError:
        raise unreadable from None
    if len(hosts) > 1:
        return {"host": ",".join(map(str, hosts))}
    return {"host": hosts[0].name} | ({"port": hosts[0].port} if hosts[0].port else {})


def _hosts_of(text: str) -> list[Host]:
    """The hosts of a list, or ``ValueError`` that says what is wrong with it."""
    return [_host_of(entry.strip()) for entry in text.split(",")]


def _host_of(entry: str, *, decode: bool = False) -> Host:
    """One host: ``name``, ``name:port``, ``[address]:port``, or an address of IPv6 alone."""
    if entry.startswith("["):
        name, closed, port = entry[1:].partition("]")
        if not closed or (port and not port.startswith(":")):
            raise ValueError(f"{entry!r} has no ] where the address ends")
        port = port[1:]
    elif entry.count(":") > 1:
        name, port = entry, ""
    else:
        name, _, port = entry.partition(":")
    name = unquote(name) if decode else name
    if not name:
        raise ValueError("must not be empty")
    if entry.startswith("[") or ":" in name:
        ipaddress.IPv6Address(name)
    elif not _NOT_IN_NAMES.isdisjoint(name):
        raise ValueError(f"{name!r} is no name of a host")
    if port and not (port.isascii() and port.isdigit() and int(port) <= 65535):
        raise ValueError(f"{port!r} is not a port")
    return Host(name, int(port or 0))


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
        reason, _, name = str(error).partition(" - at `$.")
        name, reason = name.rstrip("`"), reason.replace("`", "")
        raise ConfigError(f"{name}: {reason[:1].lower()}{reason[1:]}" if name in known else reason) from None

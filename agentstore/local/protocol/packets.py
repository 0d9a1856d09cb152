"""Packets of the ClickHouse native protocol, revisions 54032 to 54453, as a server sees them.

Pure: readers turn a client's bytes into values, functions turn answers into bytes. Which fields a packet has follows
from the revision both sides speak, always the smaller of the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from agentstore.local.protocol.wire import (
    ByteBuffer,
    PacketTooLargeError,
    ProtocolError,
    Reader,
    read_blob,
    read_bytes,
    read_text,
    read_uint,
    read_varint,
    text,
    varint,
)

SERVER_REVISION = 54453
OLDEST_REVISION = 54032

TIMEZONE = 54058
QUOTA_KEY = 54060
DISPLAY_NAME = 54372
VERSION_PATCH = 54401
COLUMN_DEFAULTS = 54410
WRITE_INFO = 54420
SETTINGS_AS_STRINGS = 54429
INTERSERVER_SECRET = 54441
OPEN_TELEMETRY = 54442
DISTRIBUTED_DEPTH = 54448
QUERY_START_TIME = 54449
PARALLEL_REPLICAS = 54453

MAX_HELLO_STRING = 4096
MAX_SMALL_STRING = 1 << 20
MAX_SETTINGS = 10_000
MAX_QUERY = 64 << 20  # the text is held several times while it is looked at, and counts for no bound of all
MAX_TABLES = 100_000

STAGE_COMPLETE = 2
INTERFACE_TCP = 1
IMPORTANT = 1


class ClientPacket(IntEnum):
    HELLO = 0
    QUERY = 1
    DATA = 2
    CANCEL = 3
    PING = 4
    TABLES_STATUS_REQUEST = 5
    KEEP_ALIVE = 6
    SCALAR = 7


class ServerPacket(IntEnum):
    HELLO = 0
    DATA = 1
    EXCEPTION = 2
    PROGRESS = 3
    PONG = 4
    END_OF_STREAM = 5
    PROFILE_INFO = 6
    TOTALS = 7
    EXTREMES = 8
    TABLES_STATUS_RESPONSE = 9
    TABLE_COLUMNS = 11


@dataclass(frozen=True, slots=True)
class Hello:
    client_name: str
    major: int
    minor: int
    revision: int
    database: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Setting:
    name: str
    value: str
    important: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    query_id: str
    settings: tuple[Setting, ...]
    stage: int
    compression: bool
    sql: str


# A setting's name to how an old client writes its value: "uint", "int", "string"; None if unknown.
SettingKind = Callable[[str], str | None]


def unexpected(packet: int, expected: str = "") -> ProtocolError:
    """The error for a packet that has no place here."""
    wanted = f", expected {expected}" if expected else ""
    return ProtocolError(f"Unexpected packet {packet} from client{wanted}", 101, "UNEXPECTED_PACKET_FROM_CLIENT")


def read_packet_type(buffer: ByteBuffer) -> Reader[int]:
    return (yield from read_varint(buffer))


def read_hello(buffer: ByteBuffer) -> Reader[Hello]:
    name = yield from read_text(buffer, MAX_HELLO_STRING, "the client's name")
    major = yield from read_varint(buffer)
    minor = yield from read_varint(buffer)
    revision = yield from read_varint(buffer)
    database = yield from read_text(buffer, MAX_HELLO_STRING, "the database name")
    user = yield from read_text(buffer, MAX_HELLO_STRING, "the user name")
    password = yield from read_text(buffer, MAX_HELLO_STRING, "the password")
    return Hello(name, major, minor, revision, database, user, password)


def read_query(buffer: ByteBuffer, revision: int, limit: int, kind_of: SettingKind) -> Reader[Query]:
    query_id = yield from read_text(buffer, MAX_SMALL_STRING, "the query id")
    yield from _skip_client_info(buffer, revision)
    if revision >= SETTINGS_AS_STRINGS:
        settings = yield from _read_settings(buffer)
    else:
        settings = yield from _read_typed_settings(buffer, kind_of)
    if revision >= INTERSERVER_SECRET:
        yield from read_blob(buffer, MAX_SMALL_STRING, "the interserver secret")
    stage = yield from read_varint(buffer)
    compression = yield from read_varint(buffer)
    sql = yield from read_text(buffer, min(limit, MAX_QUERY), "the query")
    return Query(query_id, settings, stage, bool(compression), sql)


def _skip_client_info(buffer: ByteBuffer, revision: int) -> Reader[None]:
    if (yield from read_uint(buffer, 1)) == 0:
        return
    for what in ("initial user", "initial query id", "initial address"):
        yield from read_blob(buffer, MAX_SMALL_STRING, what)
    if revision >= QUERY_START_TIME:
        yield from read_bytes(buffer, 8)
    interface = yield from read_uint(buffer, 1)
    if interface == INTERFACE_TCP:
        yield from _skip_strings(buffer, 3)
        yield from _skip_varints(buffer, 3)
    elif interface == 2:
        yield from read_bytes(buffer, 1)
        yield from _skip_strings(buffer, 1 if revision < 54443 else 3 if revision >= 54447 else 2)
    if revision >= QUOTA_KEY:
        yield from _skip_strings(buffer, 1)
    if revision >= DISTRIBUTED_DEPTH:
        yield from _skip_varints(buffer, 1)
    if revision >= VERSION_PATCH and interface == INTERFACE_TCP:
        yield from _skip_varints(buffer, 1)
    if revision >= OPEN_TELEMETRY and (yield from read_uint(buffer, 1)):
        yield from read_bytes(buffer, 24)
        yield from _skip_strings(buffer, 1)
        yield from read_bytes(buffer, 1)
    if revision >= PARALLEL_REPLICAS:
        yield from _skip_varints(buffer, 3)


def _skip_strings(buffer: ByteBuffer, count: int) -> Reader[None]:
    for _ in range(count):
        yield from read_blob(buffer, MAX_SMALL_STRING, "a field of the client info")


def _skip_varints(buffer: ByteBuffer, count: int) -> Reader[None]:
    for _ in range(count):
        yield from read_varint(buffer)


def _read_settings(buffer: ByteBuffer) -> Reader[tuple[Setting, ...]]:
    settings: list[Setting] = []
    while name := (yield from read_text(buffer, MAX_SMALL_STRING, "a setting's name")):
        flags = yield from read_varint(buffer)
        value = yield from read_text(buffer, MAX_SMALL_STRING, "a setting's value")
        _check_count("the number of settings", len(settings) + 1, MAX_SETTINGS)
        settings.append(Setting(name, value, bool(flags & IMPORTANT)))
    return tuple(settings)


def _read_typed_settings(buffer: ByteBuffer, kind_of: SettingKind) -> Reader[tuple[Setting, ...]]:
    settings: list[Setting] = []
    while name := (yield from read_text(buffer, MAX_SMALL_STRING, "a setting's name")):
        kind = kind_of(name)
        # It cannot be skipped: only its type tells how long the value is.
        if kind is None:
            raise ProtocolError(f"Unknown setting {name}", 115, "UNKNOWN_SETTING")
        _check_count("the number of settings", len(settings) + 1, MAX_SETTINGS)
        settings.append(Setting(name, (yield from _read_typed_value(buffer, kind)), important=True))
    return tuple(settings)


def _read_typed_value(buffer: ByteBuffer, kind: str) -> Reader[str]:
    if kind == "string":
        return (yield from read_text(buffer, MAX_SMALL_STRING, "a setting's value"))
    number = yield from read_varint(buffer)
    return str(number if kind == "uint" else (number >> 1) ^ -(number & 1))


def read_tables_status_request(buffer: ByteBuffer) -> Reader[list[tuple[str, str]]]:
    count = yield from read_varint(buffer)
    _check_count("the number of tables", count, MAX_TABLES)
    tables: list[tuple[str, str]] = []
    for _ in range(count):
        database = yield from read_text(buffer, MAX_SMALL_STRING, "a database name")
        table = yield from read_text(buffer, MAX_SMALL_STRING, "a table name")
        tables.append((database, table))
    return tables


def _check_count(what: str, count: int, limit: int) -> None:
    if count > limit:
        raise PacketTooLargeError(what, count, limit)


def server_hello(revision: int, version: tuple[int, int, int], timezone: str, display_name: str) -> bytes:
    out = bytes((ServerPacket.HELLO,)) + text("ClickHouse") + varint(version[0]) + varint(version[1])
    out += varint(SERVER_REVISION)
    if revision >= TIMEZONE:
        # UTC has many names, and clients compare it with the plain one.
        out += text("UTC" if timezone == "Etc/UTC" else timezone)
    if revision >= DISPLAY_NAME:
        out += text(display_name)
    if revision >= VERSION_PATCH:
        out += varint(version[2])
    return out


def exception(code: int, message: str) -> bytes:
    """One exception, nothing nested. ``message`` is the engine's whole text."""
    out = bytes((ServerPacket.EXCEPTION,)) + (code & 0xFFFFFFFF).to_bytes(4, "little")
    return out + text("DB::Exception") + text(message) + text("") + b"\x00"


def progress(revision: int, rows: int, size: int, total: int = 0, written: tuple[int, int] = (0, 0)) -> bytes:
    """An increment: rows and bytes read since the last one, and the total expected."""
    out = bytes((ServerPacket.PROGRESS,)) + varint(rows) + varint(size) + varint(total)
    return out + varint(written[0]) + varint(written[1]) if revision >= WRITE_INFO else out


def profile_info(rows: int, blocks: int, size: int, rows_before_limit: int | None = None) -> bytes:
    """``rows_before_limit`` is None where no limit was applied, or none is known of."""
    out = bytes((ServerPacket.PROFILE_INFO,)) + varint(rows) + varint(blocks) + varint(size)
    out += b"\x00\x00" if rows_before_limit is None else b"\x01" + varint(rows_before_limit)
    # The last byte: this has been worked out. Old C++ clients crash on a 0 there, because they then try to work it out
    # themselves.
    return out + b"\x01"


def table_columns(description: str) -> bytes:
    return bytes((ServerPacket.TABLE_COLUMNS,)) + text("") + text(description)


def tables_status_response(tables: Sequence[tuple[str, str]]) -> bytes:
    """Every table is replicated (1) with no delay: what a client that balances load reads as usable."""
    out = bytes((ServerPacket.TABLES_STATUS_RESPONSE,)) + varint(len(tables))
    for database, table in tables:
        out += text(database) + text(table) + b"\x01" + varint(0)
    return out


def block_prefix(packet: ServerPacket) -> bytes:
    """What comes before a block: the packet type and the empty name of the main table."""
    return bytes((packet, 0))


PONG = bytes((ServerPacket.PONG,))
END_OF_STREAM = bytes((ServerPacket.END_OF_STREAM,))

"""Packets, byte for byte: what real clients sent, what they were answered, and what a cut does."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from agentstore.local.protocol import packets as protocol
from agentstore.local.protocol.blocks import read_block
from agentstore.local.protocol.wire import (
    NEED_MORE,
    ByteBuffer,
    PacketTooLargeError,
    ProtocolError,
    blob,
    complete,
    read_blob,
    read_text,
    read_varint,
    text,
    varint,
)
from tests.local import golden
from tests.local.conftest import ServerThread
from tests.local.golden import Packet, load, read_client_packet, read_server_packet, revision_of, split
from tests.local.talk import query_packet

CONVERSATIONS = {name: load(name) for name in golden.NAMES}
PACKETS = [
    pytest.param(revision_of(packets), packet, id=f"{name}-{index}")
    for name, packets in CONVERSATIONS.items()
    for index, packet in enumerate(packets)
]


def reader_of(packet: Packet) -> golden.Read:
    return read_client_packet if packet.from_client else read_server_packet


@pytest.mark.parametrize(("revision", "packet"), PACKETS)
def test_golden_packet_says_what_its_twin_says(revision: int, packet: Packet) -> None:
    assert list(split(packet.data, revision, reader_of(packet))) == [(packet.data, packet.twin)]


@pytest.mark.parametrize(("revision", "packet"), PACKETS)
def test_every_strict_prefix_of_a_packet_wants_more(revision: int, packet: Packet) -> None:
    for end in range(len(packet.data)):
        with pytest.raises(ProtocolError, match="ends too early"):
            complete(reader_of(packet)(ByteBuffer(packet.data[:end]), revision))


@pytest.mark.parametrize(("revision", "packet"), PACKETS)
def test_packet_in_single_bytes_is_read_the_same(revision: int, packet: Packet) -> None:
    buffer = ByteBuffer()
    reader = reader_of(packet)(buffer, revision)
    for byte in packet.data:
        assert next(reader) is NEED_MORE
        buffer.feed(bytes((byte,)))
    with pytest.raises(StopIteration) as stop:
        next(reader)
    assert stop.value.value == packet.twin


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerThread]:
    with ServerThread(tmp_path_factory.mktemp("golden") / "db", user="golden", password="not secret") as server:
        golden.prepare(server.port)
        yield server


@pytest.mark.parametrize("name", golden.NAMES)
def test_recorded_client_gets_the_recorded_answers(name: str, recorded: ServerThread) -> None:
    packets = CONVERSATIONS[name]
    revision = revision_of(packets)
    expected = [packet.twin for packet in packets if not packet.from_client]
    answers: list[str] = []
    with socket.create_connection(("127.0.0.1", recorded.port), 20) as client:
        client.sendall(b"".join(packet.data for packet in packets if packet.from_client))
        received = b""
        while len(answers) < len(expected):
            received += client.recv(65536)
            answers = whole_packets(received, revision)
    assert answers[0].startswith("HELLO ClickHouse [")
    assert answers[1:] == expected[1:]


def whole_packets(data: bytes, revision: int) -> list[str]:
    buffer = ByteBuffer(data)
    twins: list[str] = []
    while buffer.unread:
        try:
            twins.append(complete(read_server_packet(buffer, revision)))
        except ProtocolError:
            break
    return twins


@pytest.mark.parametrize(
    ("revision", "end"),
    [
        (54453, text("UTC") + text("shown") + b"\x03"),
        (54412, text("UTC") + text("shown") + b"\x03"),
        (54400, text("UTC") + text("shown")),
        (54060, text("UTC")),
        (54032, b""),
    ],
)
def test_server_hello(revision: int, end: bytes) -> None:
    hello = protocol.server_hello(revision, (26, 9, 3), "Etc/UTC", "shown")
    assert hello == b"\x00" + text("ClickHouse") + b"\x1a\x09" + b"\xb5\xa9\x03" + end


def test_exception() -> None:
    message = "DB::Exception: no"
    assert protocol.exception(516, message) == (
        b"\x02" + b"\x04\x02\x00\x00" + text("DB::Exception") + text(message) + b"\x00" + b"\x00"
    )
    assert protocol.exception(-1, "")[1:5] == b"\xff\xff\xff\xff"


def test_counters() -> None:
    assert protocol.progress(54453, 300, 5, 7, (1, 2)) == b"\x03\xac\x02\x05\x07\x01\x02"
    assert protocol.progress(54412, 300, 5, 7, (1, 2)) == b"\x03\xac\x02\x05\x07"
    assert protocol.profile_info(300, 1, 2) == b"\x06\xac\x02\x01\x02\x00\x00\x01"


def test_tables_status() -> None:
    tables = [("db", "t"), ("", "ü")]
    request = varint(2) + b"".join(text(database) + text(table) for database, table in tables)
    assert complete(protocol.read_tables_status_request(ByteBuffer(request))) == tables
    answer = protocol.tables_status_response(tables)
    assert answer == b"\x09\x02" + b"".join(text(d) + text(t) + b"\x01\x00" for d, t in tables)


def test_table_columns() -> None:
    assert protocol.table_columns("x") == b"\x0b\x00\x01x"


@pytest.mark.parametrize("interface", [1, 2, 6])
@pytest.mark.parametrize(
    "revision", [54032, 54058, 54060, 54401, 54429, 54441, 54442, 54443, 54447, 54448, 54449, 54453]
)
def test_query_of_every_revision_and_interface(interface: int, revision: int) -> None:
    info = b"\x01" + text("user") + text("id") + text("addr")
    info += bytes(8) if revision >= 54449 else b""
    info += bytes((interface,))
    if interface == 1:
        info += text("os") + text("host") + text("name") + varint(1) + varint(2) + varint(54453)
    if interface == 2:
        info += b"\x01" + text("agent") + (text("for") if revision >= 54443 else b"")
        info += text("referer") if revision >= 54447 else b""
    info += text("quota") if revision >= 54060 else b""
    info += varint(1) if revision >= 54448 else b""
    info += varint(300) if revision >= 54401 and interface == 1 else b""
    info += b"\x01" + bytes(24) + text("state") + b"\x01" if revision >= 54442 else b""
    info += varint(1) * 3 if revision >= 54453 else b""
    settings = text("a") + (b"\x01" + text("7") if revision >= 54429 else varint(7)) + text("")
    end = (text("") if revision >= 54441 else b"") + varint(2) + varint(1) + text("SELECT 1")
    packet = text("qid") + info + settings + end
    read = protocol.read_query(ByteBuffer(packet), revision, 100, lambda name: "uint")
    expected = protocol.Query("qid", (protocol.Setting("a", "7", True),), 2, True, "SELECT 1")
    assert complete(read) == expected


@pytest.mark.parametrize(
    ("kind", "data", "value"), [("uint", varint(300), "300"), ("int", varint(3), "-2"), ("string", text("1.5"), "1.5")]
)
def test_settings_of_old_clients_are_typed(kind: str, data: bytes, value: str) -> None:
    packet = text("") + b"\x00" + text("a") + data + text("") + varint(2) + varint(0) + text("")
    query = complete(protocol.read_query(ByteBuffer(packet), 54412, 100, lambda name: kind))
    assert query.settings == (protocol.Setting("a", value, True),)


def test_a_typed_setting_nobody_knows_ends_the_packet() -> None:
    packet = text("") + b"\x00" + text("nosuch") + varint(1)
    with pytest.raises(ProtocolError, match="Unknown setting nosuch") as caught:
        complete(protocol.read_query(ByteBuffer(packet), 54412, 100, lambda name: None))
    assert caught.value.code == 115


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 1 << 32, (1 << 64) - 1])
def test_varint_round_trip(value: int) -> None:
    assert complete(read_varint(ByteBuffer(varint(value)))) == value


def test_varint_that_never_ends() -> None:
    with pytest.raises(ProtocolError, match="longer than 64 bits"):
        complete(read_varint(ByteBuffer(b"\xff" * 11)))


def test_text_survives_bytes_that_are_not_utf8() -> None:
    value = complete(read_text(ByteBuffer(blob(b"a\xff\xc3\xa4")), 10))
    assert text(value) == blob(b"a\xff\xc3\xa4")


def test_length_over_its_limit_is_refused_before_the_bytes_come() -> None:
    with pytest.raises(PacketTooLargeError, match="the limit is 10"):
        complete(read_blob(ByteBuffer(varint(11)), 10))


def test_no_password_in_a_repr() -> None:
    hello = complete(protocol.read_hello(ByteBuffer(text("") + bytes(3) + text("") + text("u") + text("secret"))))
    assert hello.password == "secret"
    assert "secret" not in repr(hello)


def test_consumed_bytes_can_be_taken_or_dropped() -> None:
    buffer = ByteBuffer(b"abcdef")
    buffer.pos = 2
    assert (buffer.take(), buffer.unread, buffer.offset) == (b"ab", 4, 2)
    buffer.pos = 10
    assert (buffer.take(), buffer.unread, buffer.pos, buffer.offset) == (b"cdef", 0, 6, 12)
    buffer.feed(b"x" * 7)
    assert (buffer.consumable, buffer.unread) == (6, 1)
    buffer.drop()
    assert bytes(buffer.data) == b"x"


def test_end_of_data_is_a_block_without_columns() -> None:
    shape = complete(read_block(ByteBuffer(bytes.fromhex("01 00 02 ff ff ff ff 00 00 00")), 100))
    assert shape.is_end


def test_the_text_of_a_query_has_a_limit_of_its_own() -> None:
    whole = query_packet("SELECT 1")[1:]
    too_large = whole[: -len(text("SELECT 1"))] + varint(protocol.MAX_QUERY + 1)
    with pytest.raises(PacketTooLargeError, match="the query"):
        complete(protocol.read_query(ByteBuffer(too_large), 54453, 1 << 30, lambda name: None))

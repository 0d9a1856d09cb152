"""Compressed frames: what is written can be read, by us and by the drivers; what was changed on the way cannot."""

from __future__ import annotations

import socket
import struct

import pytest
from clickhouse_driver import Client
from hypothesis import given
from hypothesis import strategies as st

from agentstore.local.protocol.compression import (
    HEADER,
    CompressionMethod,
    CorruptFrameError,
    checksum,
    compress,
    open_frame,
    read_frame_header,
)
from agentstore.local.protocol.wire import (
    ByteBuffer,
    PacketTooLargeError,
    ProtocolError,
    Reader,
    complete,
    read_bytes,
    text,
    varint,
)
from tests.local.conftest import PASSWORD, ServerThread

LIMIT = 1 << 26
METHODS = list(CompressionMethod)


def read_frame(buffer: ByteBuffer, limit: int) -> Reader[bytes]:
    header = yield from read_frame_header(buffer, limit)
    return open_frame(header, (yield from read_bytes(buffer, header.body_size)))


def read_all(data: bytes) -> bytes:
    buffer = ByteBuffer(data)
    out = b""
    while buffer.unread:
        out += complete(read_frame(buffer, LIMIT))
    return out


@given(data=st.binary(min_size=1, max_size=5000), method=st.sampled_from(METHODS))
def test_round_trip(data: bytes, method: CompressionMethod) -> None:
    assert read_all(compress(method, data)) == data


@pytest.mark.parametrize("method", METHODS)
def test_large_data_goes_in_several_frames(method: CompressionMethod) -> None:
    data = bytes(range(256)) * 12_000
    frames = compress(method, data)
    assert read_all(frames) == data
    first = ByteBuffer(frames)
    assert len(complete(read_frame(first, LIMIT))) == 1 << 20


def test_golden_frame() -> None:
    # CityHash128 of the rest; the method (not compressed); 9 + 3 bytes in all; 3 inside.
    frame = compress(CompressionMethod.NONE, b"abc")
    assert frame[16:] == b"\x02" + struct.pack("<II", 12, 3) + b"abc"
    assert frame[:16] == checksum(frame[16:])
    assert frame[:16].hex(" ") == GOLDEN_CHECKSUM


GOLDEN_CHECKSUM = "c3 c1 56 a6 6b 08 83 dc 19 61 b8 4f 7d 1a 8a 0d"


@pytest.mark.parametrize("method", METHODS)
def test_any_changed_byte_is_noticed(method: CompressionMethod) -> None:
    frame = compress(method, b"some bytes, some bytes, some bytes")
    for position in range(len(frame)):
        broken = bytearray(frame)
        broken[position] ^= 0x40
        with pytest.raises(ProtocolError):
            complete(read_frame(ByteBuffer(bytes(broken)), LIMIT))


@pytest.mark.parametrize("method", METHODS)
def test_every_strict_prefix_wants_more(method: CompressionMethod) -> None:
    frame = compress(method, b"some bytes")
    for end in range(len(frame)):
        with pytest.raises(ProtocolError, match="ends too early"):
            complete(read_frame(ByteBuffer(frame[:end]), LIMIT))


def framed(method: int, body: bytes, size: int, inside: int) -> bytes:
    rest = struct.pack("<BII", method, size, inside) + body
    return checksum(rest) + rest


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (framed(0x02, b"", 1 << 31, 5), PacketTooLargeError),
        (framed(0x82, b"", HEADER + 1, 1 << 31), PacketTooLargeError),
        (framed(0x82, b"\x00" * 10, HEADER + 10, LIMIT), CorruptFrameError),  # would need 64 MiB, cannot fill it
        (framed(0x90, b"\x00" * 10, HEADER + 10, 100), CorruptFrameError),
        (framed(0x02, b"abc", HEADER + 3, 4), CorruptFrameError),
        (framed(0x02, b"", HEADER, 0), CorruptFrameError),
        (framed(0x02, b"", 3, 1), CorruptFrameError),
        (framed(0x55, b"abc", HEADER + 3, 3), CorruptFrameError),
    ],
)
def test_lying_frames_are_refused(frame: bytes, error: type[ProtocolError]) -> None:
    with pytest.raises(error):
        complete(read_frame(ByteBuffer(frame), LIMIT))


def test_zstd_bomb_is_refused() -> None:
    import zstandard

    bomb = zstandard.ZstdCompressor().compress(b"\x00" * LIMIT)
    with pytest.raises(CorruptFrameError):
        complete(read_frame(ByteBuffer(framed(0x90, bomb, HEADER + len(bomb), 1000)), LIMIT))


@pytest.mark.parametrize("method", [CompressionMethod.LZ4, CompressionMethod.ZSTD])
@pytest.mark.parametrize("size", [1, 100, 900_000])
def test_server_answers_in_the_method_asked_for(local: ServerThread, method: CompressionMethod, size: int) -> None:
    client = Client("127.0.0.1", port=local.port, password=PASSWORD, compression=method.name.lower())
    try:
        # Two of the largest size make more than one frame. The driver reads what the server sends, whatever the method.
        settings = {"network_compression_method": method.name}
        got = client.execute(f"SELECT repeat('x', {size}), repeat('y', {size})", settings=settings)
        client.execute("CREATE TABLE IF NOT EXISTS frames (a String) ENGINE = Memory")
        client.execute("TRUNCATE TABLE frames")
        client.execute("INSERT INTO frames VALUES", [("z" * size,)] * 3)
        back = client.execute("SELECT a FROM frames")
    finally:
        client.disconnect()
    assert got == [("x" * size, "y" * size)]
    assert back == [("z" * size,)] * 3


def test_a_wrong_checksum_ends_the_connection_and_not_the_server(local: ServerThread) -> None:
    client = Client("127.0.0.1", port=local.port, password=PASSWORD, compression="lz4")
    client.execute("CREATE TABLE IF NOT EXISTS frames (a String) ENGINE = Memory")
    with socket.create_connection(("127.0.0.1", local.port), 20) as raw:
        block = b"\x01\x00\x02\xff\xff\xff\xff\x00" + b"\x01\x01\x01a\x06String\x01x"
        frame = bytearray(compress(CompressionMethod.LZ4, block))
        frame[3] ^= 1
        end = compress(CompressionMethod.LZ4, b"\x01\x00\x02\xff\xff\xff\xff\x00\x00\x00")
        raw.sendall(hello(PASSWORD) + insert("INSERT INTO frames VALUES", compressed=True) + b"\x02\x00" + end)
        raw.sendall(b"\x02\x00" + bytes(frame))
        answer = b""
        while data := raw.recv(65536):
            answer += data
    assert b"CHECKSUM_DOESNT_MATCH" in answer
    assert client.execute("SELECT 1") == [(1,)]
    client.disconnect()


def hello(password: str) -> bytes:
    return b"\x00" + text("test") + varint(1) + varint(1) + varint(54400) + text("") + text("default") + text(password)


def insert(sql: str, *, compressed: bool) -> bytes:
    return b"\x01" + text("") + b"\x00" + text("") + varint(2) + varint(compressed) + text(sql)

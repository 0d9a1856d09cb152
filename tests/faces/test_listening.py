"""The socket of a face answers at once, and says clearly where it cannot be had."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from agentstore.errors import ConfigError
from agentstore.faces.listening import listening


async def test_no_answer_waits_for_the_one_before_it_to_be_acknowledged() -> None:
    heard = asyncio.get_running_loop().create_future()

    def on_connect(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.set_result(writer)

    async with await asyncio.start_server(on_connect, sock=listening("127.0.0.1", 0)) as server:
        _, asking = await asyncio.open_connection(*server.sockets[0].getsockname())
        answering = await heard
        assert answering.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for one in (asking, answering):
            one.close()
            await one.wait_closed()


def test_a_port_that_is_taken_is_said() -> None:
    with contextlib.closing(listening("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} cannot be listened on"):
            listening("127.0.0.1", port)


@pytest.mark.parametrize("port", [-1, 65536])
def test_what_is_no_port_is_said(port: int) -> None:
    with pytest.raises(ConfigError, match=f"{port} is no port"):
        listening("127.0.0.1", port)

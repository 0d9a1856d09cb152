"""The socket that a face listens on."""

from __future__ import annotations

import socket

from agentstore.errors import ConfigError

_BACKLOG = 128


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections; ``ConfigError`` where it cannot be had. Port 0: one that is free."""
    if not 0 <= port < 2**16:
        raise ConfigError(f"{port} is no port: 0 … 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        hint = "another one may be running: --port 0 takes one that is free" if port else ""
        raise ConfigError(f"{host}:{port} cannot be listened on: {error.strerror or error}", hint=hint) from None
    # Connections have it from the socket that takes them. asyncio sets it only on sockets that know the number of their
    # protocol, which this one does not: an answer in two pieces would wait 40 ms for the first to be acknowledged.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock

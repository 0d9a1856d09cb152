"""The servers the live tests can run against, each reached by a DSN."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentstore.local.client.acquire import stop as stop_local

# The version is chosen as in compose.yaml.
DOCKER_IMAGE = f"clickhouse/clickhouse-server:{os.environ.get('CLICKHOUSE_VERSION', '26.8')}"


@dataclass(frozen=True)
class Server:
    """A running server: its DSN without a database, and how to end it."""

    dsn: str
    stop: Callable[[], None]


def start_server(kind: str, directory: Path) -> Server:
    """The server of this kind; skips with the reason where it cannot run here."""
    return {"local": _local, "docker": _docker, "dsn": _dsn}[kind](directory)


def _local(directory: Path) -> Server:
    def stop() -> None:
        stop_local(directory)

    return Server(f"local:{directory}", stop)


def _dsn(directory: Path) -> Server:
    dsn = os.environ.get("AGENTSTORE_TEST_DSN")
    if not dsn:
        pytest.skip("AGENTSTORE_TEST_DSN is not set")
    return Server(dsn, lambda: None)


def _docker(directory: Path) -> Server:
    import docker
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    try:
        docker.from_env().ping()
    except docker.errors.DockerException as error:
        pytest.skip(f"no Docker engine answers: {error}")
    container = (
        DockerContainer(DOCKER_IMAGE)
        .with_exposed_ports(9000)
        .with_env("CLICKHOUSE_PASSWORD", "test")
        .waiting_for(LogMessageWaitStrategy("Ready for connections"))
    )
    container.start()
    host, port = container.get_container_host_ip(), container.get_exposed_port(9000)
    return Server(f"clickhouse://default:test@{host}:{port}/default", container.stop)

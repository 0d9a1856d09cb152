"""A local server that can be killed and started again under the same name and password."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
from pathlib import Path

from tests.local.server_processes import start_python

PASSWORD = "not a secret"
_STARTS_WITHIN_SECONDS = 60.0


class KillableServer:
    """``python -m agentstore.local`` on one directory, as often as it takes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    async def start(self, port: int = 0) -> None:
        """Start it and wait until it listens; ``port`` is another one each time, unless one is asked for."""
        self._process = process = start_python(
            "-m",
            "agentstore.local",
            "--path",
            str(self._directory),
            "--port",
            str(port),
            environment={"AGENTSTORE_SERVE_PASSWORD": PASSWORD},
        )
        assert process.stdout is not None
        async with asyncio.timeout(_STARTS_WITHIN_SECONDS):
            line = await asyncio.to_thread(process.stdout.readline)
        found = re.search(r":(\d+),", line)
        assert found, f"the server said {line!r}"
        self.port = int(found[1])

    async def kill(self) -> None:
        """kill -9."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Ask it to end, and wait."""
        await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            await asyncio.to_thread(process.communicate)

    def dsn(self, database: str, *ports: int) -> str:
        """How to reach it, by another port where something stands between, or by several as if they were replicas."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports or (self.port,))
        return f"clickhouse://default:{PASSWORD.replace(' ', '%20')}@{hosts}/{database}"

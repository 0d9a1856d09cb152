"""Processes that a benchmark of the pages runs: ``agentstore web``, and an import beside it that goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

ROOT = Path(__file__).resolve().parent.parent
_ADDRESS = re.compile(rb"(http://\S+?)/")
_SECONDS = 60
_SAID = "said"


@dataclass(frozen=True)
class Target:
    """The store that the processes are started on, and the folder that they may write to."""

    dsn: str
    org: str
    home: Path
    user: str = "bench"

    @property
    def environment(self) -> Mapping[str, str]:
        """Nothing of who runs this is configured there."""
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "AGENTSTORE_CONFIG": str(self.home / "config.toml"),
            "AGENTSTORE_DSN": self.dsn,
            "AGENTSTORE_ORG": self.org,
            "AGENTSTORE_USER": self.user,
        }


@dataclass(frozen=True)
class Pages:
    """Pages that are served: by which process, where, and the token that lets in."""

    process: asyncio.subprocess.Process
    address: str
    token: str

    def resident(self) -> float:
        """The megabytes that the process has in memory; 0 where the system does not say."""
        try:
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        except OSError:
            return 0.0
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextlib.asynccontextmanager
async def served(target: Target) -> AsyncIterator[Pages]:
    """The pages, on a free port, until the end of the block."""
    token = secrets.token_hex(24)
    file = target.home / "token"
    _keep(file, token)
    async with _process(target, "web", "--port", "0", "--token-file", str(file)) as process:
        assert process.stdout is not None
        async with asyncio.timeout(_SECONDS):
            while (found := _ADDRESS.search(line := await process.stdout.readline())) is None:
                if not line:
                    raise RuntimeError(f"agentstore web did not start:\n{_said(target)}")
        yield Pages(process, found[1].decode(), token)


@contextlib.asynccontextmanager
async def importing(target: Target, folder: Path) -> AsyncIterator[None]:
    """An import of this folder that goes on with what is written into it."""
    async with _process(target, "import", str(folder), "--watch") as process:
        yield
        if process.returncode is not None:
            raise RuntimeError(f"the import has ended with {process.returncode}:\n{_said(target)}")


@contextlib.asynccontextmanager
async def _process(target: Target, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    with _open_said(target) as said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "agentstore", *arguments),
            env=target.environment,
            cwd=target.home,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if arguments[0] == "web" else said,
            stderr=said,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()


def _keep(file: Path, token: str) -> None:
    file.touch(mode=0o600)
    file.write_text(token)


def _open_said(target: Target) -> BinaryIO:
    return (target.home / _SAID).open("ab")


def _said(target: Target) -> str:
    """The end of what the processes have said."""
    return (target.home / _SAID).read_text(errors="replace")[-2000:]

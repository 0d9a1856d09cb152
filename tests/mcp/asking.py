"""The SDK's own client, with a server that is a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import TextContent

ROOT = Path(__file__).resolve().parents[2]


def environment(home: Path, dsn: str, org: str = "local") -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error",
        "AGENTSTORE_CONFIG": str(home / "config.toml"), "AGENTSTORE_DSN": dsn, "AGENTSTORE_ORG": org,
        "AGENTSTORE_LOCAL_IDLE_SECONDS": "20", "TZ": "UTC",
    }  # fmt: skip


class Agent:
    """Calls tools, and counts the characters that come back."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.read = 0

    async def __call__(self, tool: str, **arguments: Any) -> str:
        text, is_error = await self.answered(tool, **arguments)
        assert not is_error, text
        return text

    async def answered(self, tool: str, **arguments: Any) -> tuple[str, bool]:
        result = await self.client.call_tool(tool, arguments)
        (content,) = result.content
        assert isinstance(content, TextContent)
        assert result.structured_content is None
        self.read += len(content.text)
        return content.text, result.is_error


@asynccontextmanager
async def agent(home: Path, dsn: str, *, cwd: Path | None = None, org: str = "local") -> AsyncIterator[Agent]:
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "agentstore", "mcp"], env=environment(home, dsn, org), cwd=cwd or home
    )
    async with Client(stdio_client(server)) as client:
        yield Agent(client)


def handles(text: str) -> list[str]:
    """The handles of messages in an answer, in their order."""
    return [line.split(" ")[0] for line in text.split("\n") if "#" in line.split(" ")[0] and not line.startswith("#")]

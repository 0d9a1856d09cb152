"""The server: the SDK's, with our tools, over stdio or HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import mcp_types as types
from mcp.server.lowlevel import Server

from agentstore.errors import AgentStoreError, OperationTimeoutError
from agentstore.faces import safe
from agentstore.mcp.asking import arguments_of, schema_of
from agentstore.mcp.holding import SECONDS, Holder, told
from agentstore.mcp.quoting import cut
from agentstore.mcp.tools import INSTRUCTIONS, TOOLS
from agentstore.version import __version__

_READ_ONLY = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
_MOST = 500  # characters of an error: it may repeat what was asked for


def server_of(holder: Holder) -> Server[Any]:
    """The SDK's server with the tools on this store."""
    listed = [
        types.Tool(
            name=tool.name, description=tool.about, input_schema=schema_of(tool.arguments), annotations=_READ_ONLY
        )
        for tool in TOOLS.values()
    ]

    async def list_tools(context: Any, params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=listed)

    async def call_tool(context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        text, is_error = await called(holder, params.name, params.arguments)
        return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=is_error)

    return Server(
        "agentstore",
        version=__version__,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def called(holder: Holder, name: str, given: dict[str, Any] | None) -> tuple[str, bool]:
    """What a tool answers, and whether that is an error. Nothing raises: an agent reads errors and goes on."""
    tool = TOOLS.get(name)
    if tool is None:
        return f"there is no such tool; there are {', '.join(TOOLS)}", True
    try:
        async with asyncio.timeout(SECONDS):
            return await tool.run(holder, arguments_of(tool.arguments, given)), False
    except AgentStoreError as error:
        return cut(safe.line(told(error)), _MOST), True
    except TimeoutError:
        return safe.line(told(OperationTimeoutError(f"no answer within {SECONDS:.0f} seconds"))), True
    except Exception as error:
        # Its text may hold anything; the name says enough to report it.
        return f"this is a fault of agentstore ({type(error).__name__})", True


def serve_stdio(holder: Holder) -> int:
    """Serve whoever started this process, until it closes stdin, or a signal comes."""
    return asyncio.run(_stdio(holder))


async def _stdio(holder: Holder) -> int:
    from mcp.server.stdio import stdio_server

    server = server_of(holder)

    async def served() -> None:
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    async with signals() as (asked, numbers):
        serving, waiting = asyncio.ensure_future(served()), asyncio.ensure_future(asked.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if serving.done():
            await holder.aclose()
            _check_ended(serving.exception())
            return 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await holder.aclose()
        # A thread of the SDK's reads stdin, and nothing but a line of it or its end would wake it up.
        sys.stderr.flush()
        os._exit(130 if numbers == [signal.SIGINT] else 0)


def _check_ended(error: BaseException | None) -> None:
    """Raise what ended it; a client that reads no more is an end like another."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if error is not None and not isinstance(error, BrokenPipeError):
        raise error


@contextlib.asynccontextmanager
async def signals() -> AsyncIterator[tuple[asyncio.Event, list[int]]]:
    """Within it SIGINT and SIGTERM set the event; the list says which came."""
    loop, asked, numbers = asyncio.get_running_loop(), asyncio.Event(), list[int]()

    def heard(number: int) -> None:
        numbers.append(number)
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, heard, number)
    try:
        yield asked, numbers
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

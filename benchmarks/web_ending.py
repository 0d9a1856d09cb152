"""SIGTERM while everybody asks: who asked before it is answered, who asks after it is answered or refused whole."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections import Counter

import httpx

from benchmarks.web_process import Pages, Target, served
from benchmarks.web_viewers import Aim, browser, log_in

_SECONDS = 3.0
_STREAMS = 3
_PATIENCE = 30.0


class Asker:
    """Asks without a pause until it is refused. ``told`` counts what came of it."""

    def __init__(self, client: httpx.AsyncClient, addresses: list[str], told: Counter[str]) -> None:
        self._client = client
        self._addresses = addresses
        self._told = told
        self.ends_at = float("inf")

    async def ask(self) -> None:
        """One address after the other."""
        number = 0
        while True:
            address = self._addresses[number % len(self._addresses)]
            number += 1
            asked_at = time.perf_counter()
            try:
                answer = await self._client.get(address)
            except httpx.ConnectError:
                self._told["refused" if asked_at > self.ends_at else "refused too early"] += 1
                return
            except httpx.RemoteProtocolError as error:
                # Nothing at all came back: a browser asks again by itself. Half of an answer is something else.
                is_whole = "without sending a response" in str(error)
                known = "refused" if is_whole and asked_at > self.ends_at else f"cut: {error}"
                self._told[known] += 1
                return
            except httpx.HTTPError as error:
                self._told["refused" if asked_at > self.ends_at else f"{type(error).__name__}"] += 1
                return
            self._told["answered" if answer.status_code in (200, 503) else f"{answer.status_code}"] += 1


async def _stream(client: httpx.AsyncClient, told: Counter[str]) -> None:
    """An event stream, which has to end as a whole."""
    try:
        async with client.stream("GET", "/live", timeout=None) as answer:
            async for _ in answer.aiter_lines():
                pass
        told["streams ended"] += 1
    except httpx.HTTPError as error:
        told[f"a stream was cut: {type(error).__name__}"] += 1


async def ending(target: Target, aim: Aim, clients: int) -> bool:
    """The run with SIGTERM in its middle. Whether all went well."""
    told = Counter[str]()
    addresses = ["/sessions?since=all", *(f"/sessions/{id}" for id in aim.ids[-3:]), f"/search?q={aim.needles[0]}"]
    async with contextlib.AsyncExitStack() as stack:
        pages = await stack.enter_async_context(served(target))
        browsers = [await stack.enter_async_context(browser(pages.address)) for _ in range(clients + 1)]
        for one in browsers:
            await log_in(one, pages.token)
        askers = [
            Asker(client, addresses[number % 3 :] + addresses, told) for number, client in enumerate(browsers[1:])
        ]
        tasks = [asyncio.create_task(one.ask()) for one in askers]
        tasks += [asyncio.create_task(_stream(browsers[0], told)) for _ in range(_STREAMS)]
        await asyncio.sleep(_SECONDS)
        code, seconds = await _ended(pages, askers)
        await asyncio.wait_for(asyncio.gather(*tasks), _PATIENCE)
    wrong = {name: count for name, count in told.items() if name not in ("answered", "refused", "streams ended")}
    print(f"\nSIGTERM while {clients} clients ask without a pause: ended after {seconds:.1f} s with {code};", end=" ")
    print(
        f"{told['answered']} answered, {told['refused']} refused, {told['streams ended']} streams ended; wrong: {wrong}"
    )
    return code == 0 and not wrong and told["streams ended"] == _STREAMS


async def _ended(pages: Pages, askers: list[Asker]) -> tuple[int, float]:
    """The exit code, and how long it took."""
    began = time.perf_counter()
    for one in askers:
        one.ends_at = began
    pages.process.send_signal(signal.SIGTERM)
    code = await asyncio.wait_for(pages.process.wait(), _PATIENCE)
    return code, time.perf_counter() - began

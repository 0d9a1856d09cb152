"""A store used from another event loop, thread or process says so at once, does nothing, and stays whole at home."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from agentstore import AsyncClickHouseStore, NotFoundError, WriteError, WrongLoopError
from tests.builders import message, session
from tests.live.test_tenancy import ALL_READS, WRITES
from tests.servers import Server

ROOT = Path(__file__).resolve().parent.parent.parent
Factory = Callable[[], asyncio.AbstractEventLoop]


async def first_of(iterator: Any) -> Any:
    return await anext(iterator)


async def called(submit: Callable[..., Any], *args: Any) -> Any:
    return submit(*args)


CASES: dict[str, Callable[[AsyncClickHouseStore, str, str], Any]] = {
    **WRITES,
    **ALL_READS,
    "submit_session": lambda store, org, mark: called(store.submit_session, org, session("s")),
    "submit_batch": lambda store, org, mark: called(store.submit_batch, org, [session("s")]),
    "submit_git_links": lambda store, org, mark: called(store.submit_git_links, org, []),
    "submit_file_touches": lambda store, org, mark: called(store.submit_file_touches, org, []),
    "pipeline": lambda store, org, mark: called(store.pipeline),
    "arrow": lambda store, org, mark: store.arrow.list_sessions(org),
    "iter_sessions": lambda store, org, mark: first_of(store.iter_sessions(org)),
    "iter_messages": lambda store, org, mark: first_of(store.iter_messages(org)),
    "mark": lambda store, org, mark: store.mark(),
    "flush": lambda store, org, mark: store.flush(),
    "ping": lambda store, org, mark: store.ping(),
    "ensure_schema": lambda store, org, mark: store.ensure_schema(),
    "reset_database": lambda store, org, mark: store.reset_database(store.options.database),
    "aclose": lambda store, org, mark: store.aclose(),
}


def test_every_method_has_a_case() -> None:
    public = {name for name in dir(AsyncClickHouseStore) if not name.startswith("_")}
    assert set(CASES) == public - {"connect", "open", "statistics"}


async def refusals(store: AsyncClickHouseStore, org: str) -> set[str]:
    """What the store says to every method; all of it must be our error."""
    said = set()
    for name, case in CASES.items():
        with pytest.raises(WrongLoopError) as caught:
            await asyncio.wait_for(case(store, org, name), 20)
        said.add(str(caught.value))
    assert store.statistics()["messages"].table == "messages"
    return said


async def still_whole(store: AsyncClickHouseStore, org: str) -> None:
    """At home everything goes on, and nothing of what was refused has been done."""
    with pytest.raises(NotFoundError):
        await store.get_session(org, "s")
    await store.write_session(org, session("home"), [message(0)])
    assert (await store.get_session(org, "home")).id == "home"


@pytest.fixture(params=[asyncio.SelectorEventLoop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def home(request: pytest.FixtureRequest) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner


@pytest.fixture
def opened(home: asyncio.Runner, server: Server, database: str) -> Iterator[AsyncClickHouseStore]:
    store = home.run(AsyncClickHouseStore.connect(server.dsn, database=database))
    yield store
    home.run(store.aclose())
    home.run(store.aclose())


def test_another_loop(home: asyncio.Runner, opened: AsyncClickHouseStore, org: str) -> None:
    (said,) = asyncio.run(refusals(opened, org))
    assert said == "this store was opened in another event loop (open one store per loop)"
    home.run(still_whole(opened, org))


def test_another_thread(home: asyncio.Runner, opened: AsyncClickHouseStore, org: str) -> None:
    said: list[str] = []

    def elsewhere() -> None:
        try:
            said.extend(asyncio.run(refusals(opened, org)))
            opened.submit_session(org, session("s"))
        except WrongLoopError as error:
            said.append(str(error))

    thread = threading.Thread(target=elsewhere, name="elsewhere")
    thread.start()
    thread.join()
    with_a_loop, without = said
    assert with_a_loop == without
    assert "in thread 'MainThread', and this is thread 'elsewhere'" in without
    home.run(still_whole(opened, org))


def test_no_loop_at_all(opened: AsyncClickHouseStore, org: str) -> None:
    with pytest.raises(WrongLoopError, match="not running now"):
        opened.submit_session(org, session("s"))
    with pytest.raises(WrongLoopError, match="no asyncio event loop"):
        AsyncClickHouseStore().open().send(None)


def test_a_loop_that_has_ended(server: Server, database: str, org: str) -> None:
    store = asyncio.run(AsyncClickHouseStore.connect(server.dsn, database=database))
    (said,) = asyncio.run(refusals(store, org))
    assert said.startswith("this store was opened in an event loop that has ended (")
    with pytest.raises(WrongLoopError, match="has ended"):
        store.submit_session(org, session("s"))


def test_a_receipt_that_is_awaited_elsewhere(home: asyncio.Runner, opened: AsyncClickHouseStore, org: str) -> None:
    async def awaited(receipt: Any) -> Any:
        return await asyncio.wait_for(receipt, 20)

    receipt = home.run(called(opened.submit_session, org, session("home")))
    assert not receipt.done()
    with pytest.raises(WrongLoopError, match="another event loop"):
        asyncio.run(awaited(receipt))
    assert home.run(awaited(receipt)) is receipt
    assert asyncio.run(awaited(receipt)) is receipt  # what is known may be told anywhere


def test_a_receipt_that_outlives_its_loop(server: Server, database: str, org: str) -> None:
    async def left_open() -> Any:
        store = await AsyncClickHouseStore.connect(server.dsn, database=database)
        return store.submit_session(org, session("s"))

    receipt = asyncio.run(left_open())

    async def awaited() -> None:
        await receipt

    with pytest.raises(WriteError, match="cancelled"):
        asyncio.run(awaited())


def test_an_iterator_that_is_continued_elsewhere(home: asyncio.Runner, opened: AsyncClickHouseStore, org: str) -> None:
    home.run(opened.write_batch(org, [], [message(0, session_id="a"), message(0, session_id="b")]))
    messages = home.run(called(opened.iter_messages, org))
    assert home.run(first_of(messages)).session_id == "a"
    assert asyncio.run(first_of(messages)).session_id == "b"  # fetched together with the first one
    with pytest.raises(WrongLoopError, match="another event loop"):
        asyncio.run(first_of(messages))


FORK = """
import asyncio, os, signal, sys
from agentstore import AsyncClickHouseStore, WrongLoopError
from tests.builders import session
from tests.live.test_home import refusals, still_whole
dsn, database, org, loop = sys.argv[1:]

async def main():
    async with AsyncClickHouseStore(dsn, database=database) as store:
        receipt = store.submit_session(org, session("home"))
        child = os.fork()
        if not child:
            signal.alarm(60)
            try:
                await in_the_child(store, receipt)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        print("child", os.waitstatus_to_exitcode(status))
        await receipt
        await still_whole(store, org)

async def in_the_child(store, receipt):
    # First without any loop, as Python leaves the child of a task; then in one of its own.
    try:
        store.submit_session(org, session("s"))
    except WrongLoopError as error:
        assert f"and this is process {os.getpid()}" in str(error), error
    try:
        await receipt
    except WrongLoopError as error:
        print(error.hint, flush=True)
    asyncio.set_event_loop(None)
    own = asyncio.new_event_loop()
    (said,) = own.run_until_complete(refusals(store, org))
    assert f"and this is process {os.getpid()}" in said, said
    os._exit(0)

def factory():
    import uvloop
    return uvloop.new_event_loop() if loop == "uvloop" else asyncio.SelectorEventLoop()

with asyncio.Runner(loop_factory=factory) as runner:
    runner.run(main())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_forked_child(loop: str, server: Server, database: str, org: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK, server.dsn, database, org, loop],
        cwd=ROOT, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    hint = "open a store of its own in each process, after the fork"
    assert (done.stdout, done.returncode) == (f"{hint}\nchild 0\n", 0), done.stdout + done.stderr

"""Receipts: awaited once, twice, late, never, and when the loop is gone."""

from __future__ import annotations

import asyncio
import gc

import pytest

from agentstore.errors import AgentStoreError, ConnectionFailedError, WriteError
from agentstore.write.receipt import Receipt


async def succeeds() -> None:
    await asyncio.sleep(0)


async def fails() -> None:
    await asyncio.sleep(0)
    raise ConnectionFailedError("lost")


async def until_done(receipt: Receipt) -> None:
    await asyncio.wait([receipt.task])
    await asyncio.sleep(0)  # its callbacks


@pytest.fixture
def reported() -> list[BaseException]:
    return []


async def test_awaiting_gives_the_receipt_itself(reported: list[BaseException]) -> None:
    receipt = Receipt(succeeds(), reported.append)
    assert not receipt.done()
    assert await receipt is receipt
    assert await receipt is receipt
    assert receipt.done()


async def test_a_failure_is_raised_to_everyone_who_asks(reported: list[BaseException]) -> None:
    receipt = Receipt(fails(), reported.append)
    for _ in range(2):
        with pytest.raises(ConnectionFailedError, match="lost"):
            await receipt
    del receipt
    gc.collect()
    assert reported == []


async def test_a_failure_that_is_asked_for_late_is_not_reported(reported: list[BaseException]) -> None:
    receipt = Receipt(fails(), reported.append)
    await until_done(receipt)
    with pytest.raises(ConnectionFailedError):
        await receipt
    del receipt
    gc.collect()
    assert reported == []


async def test_a_failure_nobody_asks_for_is_reported_once(reported: list[BaseException]) -> None:
    receipt = Receipt(fails(), reported.append)
    await until_done(receipt)
    assert reported == []  # somebody still may
    del receipt
    gc.collect()
    assert [str(error) for error in reported] == ["lost"]


async def test_a_failure_after_the_receipt_was_thrown_away_is_reported(reported: list[BaseException]) -> None:
    receipt = Receipt(fails(), reported.append)
    task = receipt.task
    del receipt
    gc.collect()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert [str(error) for error in reported] == ["lost"]


async def test_a_mistake_of_ours_is_reported_like_any_failure(reported: list[BaseException]) -> None:
    async def stumbles() -> None:
        raise ZeroDivisionError

    receipt = Receipt(stumbles(), reported.append)
    await until_done(receipt)
    del receipt
    gc.collect()
    assert [type(error) for error in reported] == [ZeroDivisionError]


async def test_success_is_never_reported(reported: list[BaseException]) -> None:
    receipt = Receipt(succeeds(), reported.append)
    await until_done(receipt)
    del receipt
    gc.collect()
    assert reported == []


async def test_a_cancelled_wait_leaves_the_write_alone_and_unobserved(reported: list[BaseException]) -> None:
    receipt = Receipt(fails(), reported.append)

    async def wait(found: Receipt) -> None:
        await found

    waiting = asyncio.create_task(wait(receipt))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await until_done(receipt)
    del receipt, waiting, wait
    gc.collect()
    assert [str(error) for error in reported] == ["lost"]


async def test_a_write_that_was_cancelled_is_a_write_error(reported: list[BaseException]) -> None:
    receipt = Receipt(asyncio.Event().wait(), reported.append)  # type: ignore[arg-type]  # whatever hangs
    await asyncio.sleep(0)
    receipt.task.cancel()
    with pytest.raises(WriteError, match="cancelled"):
        await receipt


def test_a_receipt_outlives_its_loop(reported: list[BaseException]) -> None:
    async def make() -> list[Receipt]:
        receipts = [Receipt(succeeds(), reported.append), Receipt(fails(), reported.append)]
        await asyncio.wait([receipt.task for receipt in receipts])
        return receipts

    async def ask(receipt: Receipt) -> Receipt:
        return await receipt

    good, bad = asyncio.run(make())
    assert asyncio.run(ask(good)) is good
    with pytest.raises(AgentStoreError, match="lost"):
        asyncio.run(ask(bad))

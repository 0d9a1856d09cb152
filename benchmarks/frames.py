"""10,000 messages as a frame: from the server's columns to Arrow, beside Structs and what a notebook makes of them.

python -m benchmarks.frames local:/tmp/frames
"""

from __future__ import annotations

import argparse
import asyncio
import uuid

import msgspec
import pandas
import pyarrow

from agentstore import AsyncClickHouseStore, Message, Session
from agentstore.frames import pandas_of, to_arrow
from benchmarks.timing import medians

_MESSAGES = 10_000


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="a DSN; the rows go into an organisation of their own")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    org = f"frames-{uuid.uuid4().hex[:8]}"
    async with AsyncClickHouseStore(options.target) as store:
        await store.ensure_schema()
        messages = [
            Message(ordinal=n, role="assistant", content=f"message {n} " * 20, model="m", output_tokens=n)
            for n in range(_MESSAGES)
        ]
        await store.write_session(org, Session(id="s", user_message_count=1), messages)

        async def structs() -> object:
            return await store.get_session_messages(org, "s")

        async def through_structs() -> object:
            found = await store.get_session_messages(org, "s")
            return pandas.DataFrame([msgspec.structs.asdict(one) for one in found])

        async def through_structs_to_arrow() -> object:
            found = await store.get_session_messages(org, "s")
            frame = pandas.DataFrame([msgspec.structs.asdict(one) for one in found])
            return pyarrow.Table.from_pandas(frame)

        async def structs_to_arrow() -> object:
            return to_arrow(await store.get_session_messages(org, "s"), Message)

        async def arrow() -> object:
            return await store.arrow.get_session_messages(org, "s")

        async def arrow_to_pandas() -> object:
            return pandas_of(await store.arrow.get_session_messages(org, "s"))

        sides = {
            "Structs alone": structs,
            "Structs, then a pandas frame of their fields": through_structs,
            "Structs, a pandas frame, then Arrow": through_structs_to_arrow,
            "`to_arrow` of Structs": structs_to_arrow,
            "`store.arrow`": arrow,
            "`store.arrow`, then pandas": arrow_to_pandas,
        }
        times = await medians(*sides.values(), rounds=options.rounds)
        await store.delete_sessions(org, ["s"])
    base = times[2]
    print(f"| {_MESSAGES:,} messages | | faster |\n|---|---|---|")
    for name, seconds in zip(sides, times, strict=True):
        print(f"| {name} | {seconds * 1e3:,.0f} ms | {base / seconds:.1f} × |")


if __name__ == "__main__":
    asyncio.run(main())

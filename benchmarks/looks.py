"""What a look at the server's clock costs (``agentstore/write/versions.py``), beside the cheapest statement there is.

While a store writes it looks every two to four seconds. The rows it asks for are those above what the clock has
reached, and the smallest and largest version of some thousand rows at a time tell the server where there are none: so
the time does not grow with the table. Run it on corpora of several sizes.

python -m benchmarks.looks local:/tmp/corpus
"""

from __future__ import annotations

import argparse
import asyncio

from agentstore import AsyncClickHouseStore
from agentstore.connection.dial import new_pool
from agentstore.connection.sql import sql
from agentstore.write.versions import look_statement
from benchmarks.timing import medians


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", help="the DSN of a loaded corpus")
    parser.add_argument("--database", default="corpus")
    parser.add_argument("--rounds", type=int, default=31)
    options = parser.parse_args()
    async with AsyncClickHouseStore(options.target, database=options.database) as store:
        pool = new_pool(store.options)
        try:
            (((rows,),), ((now,),)) = await asyncio.gather(
                pool.fetch(sql("SELECT count() FROM messages")),
                pool.fetch(sql("SELECT toUInt64(toUnixTimestamp64Nano(now64(9)))")),
            )
            looking, cheapest = await medians(
                lambda: pool.fetch(look_statement(now, 0)), lambda: pool.fetch(sql("SELECT 1")), rounds=options.rounds
            )
            print(f"{rows:,} messages: a look {looking * 1e3:.1f} ms, SELECT 1 {cheapest * 1e3:.1f} ms")
        finally:
            await pool.aclose()


if __name__ == "__main__":
    asyncio.run(main())

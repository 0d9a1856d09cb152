"""How long the command line takes to start, as ratios to an interpreter that does nothing.

::

    python -m benchmarks.startup [STORE]     # a local store with something in it, served meanwhile; default: the sample

Every command runs as a process, in turns, so that what else the machine does hits all of them alike.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

from agentstore import AsyncClickHouseStore
from agentstore.ingest import ingest

ROUNDS = 15
ROOT = str(Path(__file__).resolve().parent.parent)
SAMPLE = str(files("agentstore") / "samples")
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import cyclopts": ["-c", "import cyclopts"],
    "import of the store": ["-c", "import agentstore; agentstore.AsyncClickHouseStore"],
    "agentstore --version": ["-m", "agentstore", "--version"],
    "agentstore --help": ["-m", "agentstore", "--help"],
    "agentstore sessions --help": ["-m", "agentstore", "sessions", "--help"],
    "agentstore sessions": ["-m", "agentstore", "sessions"],
    "agentstore sessions --json": ["-m", "agentstore", "sessions", "--json"],
}


def took(arguments: list[str], environment: dict[str, str]) -> float:
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=False)
    seconds = time.perf_counter() - begun
    if done.returncode != 0:
        raise SystemExit(f"{arguments}: {done.stderr.decode(errors='replace')}")
    return seconds


async def measure(target: str, *, fill: bool) -> dict[str, list[float]]:
    """The seconds of every command, while the store is open here, so that its server runs."""
    environment = {**os.environ, "AGENTSTORE_DSN": target, "PYTHONPATH": ROOT}
    async with AsyncClickHouseStore(target) as store:
        if fill:
            await store.ensure_schema()
            async for _ in ingest(store, "local", places=SAMPLE, mask=False):
                pass
        seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(ROUNDS):
            for name, arguments in COMMANDS.items():
                seconds[name].append(await asyncio.to_thread(took, arguments, environment))
    return seconds


def main() -> None:
    if sys.argv[1:]:
        seconds = asyncio.run(measure(sys.argv[1], fill=False))
    else:
        with tempfile.TemporaryDirectory(prefix="agentstore-bench-") as directory:
            seconds = asyncio.run(measure(f"local:{directory}/store", fill=True))
    bare = statistics.median(seconds["python -c pass"])
    for name, all_of_it in seconds.items():
        median = statistics.median(all_of_it)
        print(f"{name:<28} {median * 1000:6.0f} ms  least {min(all_of_it) * 1000:5.0f}  × {median / bare:5.1f}")


if __name__ == "__main__":
    main()

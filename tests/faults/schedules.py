"""Random schedules: what some writers do, and what the network and the server do to them. All drawn from one seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Literal

from tests.faults.proxy import Fault

# Said by a server that may have committed, or will take the same block later.
RETRIABLE = (159, 209, 210, 241, 242, 252, 319, 999)
UNKNOWN = (159, 209, 210, 319)
# Said of a batch for its data: it is cut, and its parts are sent on their own.
REFUSALS = (27, 53, 117, 469)
STATEMENT = (60, 497)

Kind = Literal["write", "submit", "cancel", "flush", "links"]


@dataclass(frozen=True)
class Step:
    """One call of a writer: what it writes, and how it treats the call.

    ``submit`` awaits the receipts only at the end; ``cancel`` cancels the call after so many seconds.
    """

    kind: Kind
    session: int = 0
    first: int = 0
    messages: int = 0
    calls: int = 0
    after: float = 0.0


@dataclass(frozen=True)
class Schedule:
    """Everything that happens in one run."""

    seed: int
    options: dict[str, Any]
    writers: list[list[Step]]
    # What the n-th insert meets, and the n-th connection.
    inserts: list[Fault | None]
    connections: list[Literal["", "refuse", "stall", "cut"]]
    kill_after_inserts: int | None
    cut_all_after_inserts: int | None
    close_after_inserts: int | None


def draw(seed: int) -> Schedule:
    """The schedule of a seed."""
    rng = random.Random(seed)
    kills = rng.random() < 0.06
    harm = rng.choice([0.1, 0.3, 0.5])
    closes = rng.random() < 0.25
    return Schedule(
        seed=seed,
        options=_options(rng, kills),
        writers=[_steps(rng) for _ in range(rng.randint(2, 5))],
        inserts=[_fault(rng) if rng.random() < harm else None for _ in range(60)],
        connections=[rng.choice(["refuse", "cut", "stall"]) if rng.random() < harm / 3 else "" for _ in range(40)],
        kill_after_inserts=rng.randint(1, 8) if kills else None,
        cut_all_after_inserts=rng.randint(1, 10) if rng.random() < 0.3 else None,
        close_after_inserts=rng.randint(1, 8) if closes else None,
    )


def _options(rng: random.Random, kills: bool) -> dict[str, Any]:
    return {
        # A killed server is back within seconds; otherwise short, so that calls also run into their deadlines.
        "write_timeout_seconds": 30.0 if kills else rng.choice([0.5, 1.5, 4.0]),
        "close_timeout_seconds": rng.choice([0.3, 3.0]),
        "connect_timeout_seconds": 0.5,
        "linger_milliseconds": rng.choice([0, 0, 2, 10]),
        "batch_rows": rng.choice([3, 20, 50_000]),
        "batch_bytes": rng.choice([2_000, 16 * 1024 * 1024]),
        "waiting_rows": rng.choice([5, 40, 200_000]),
        "waiting_bytes": rng.choice([3_000, 64 * 1024 * 1024]),
        "pool_size": rng.choice([2, 8]),
        "compression": rng.choice(["", "", "lz4"]),
    }


def _steps(rng: random.Random) -> list[Step]:
    return [_step(rng) for _ in range(rng.randint(2, 6))]


def _step(rng: random.Random) -> Step:
    kinds: list[Kind] = ["write", "submit", "cancel", "flush", "links"]
    return Step(
        kind=rng.choices(kinds, [5, 4, 2, 1, 2])[0],
        session=rng.randrange(2),
        first=rng.randrange(4),
        messages=rng.choice([0, 1, 3, 12]),
        calls=rng.choice([0, 0, 2, 5]),
        after=rng.choice([0.0, 0.001, 0.01, 0.05]),
    )


def _fault(rng: random.Random) -> Fault:
    kind = rng.choices(
        ["cut", "cut_answer", "stall", "stall_answer", "slow", "refuse", "refuse_committed"], [4, 4, 2, 2, 1, 4, 2]
    )[0]
    if kind == "refuse":
        return Fault("refuse", code=rng.choice(rng.choice([RETRIABLE, REFUSALS, STATEMENT])))
    if kind == "refuse_committed":
        return Fault("refuse_committed", code=rng.choice(UNKNOWN))
    seconds = rng.choice([0.02, 0.2, 1.0])
    return Fault(kind, at_byte=rng.choice([0, 1, 30, 300, 3000]), seconds=seconds)  # type: ignore[arg-type]  # of the list

"""Random schedules: what some writers of two stores do, and what the network, the server and the clocks do to them.

All is drawn from one seed.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any, Literal

from tests.faults.clocks import ClockFault
from tests.faults.proxy import REFUSED_DATA, Fault

# Said by a server that may have committed, or will take the same block later.
RETRIABLE = (159, 209, 210, 241, 242, 252, 319, 999)
UNKNOWN = (159, 209, 210, 319)
STATEMENT = (60, 497)

STORES = 2
SESSIONS = ("s0", "s1")
HOUR = 3600.0

Kind = Literal["write", "submit", "cancel", "flush", "links", "delete", "purge"]


@dataclass(frozen=True)
class Step:
    """One call of a writer: through which store, what it writes, and how it treats the call.

    ``submit`` awaits the receipts only at the end; ``cancel`` cancels the call after so many seconds. ``marked``: it
    replaces what is older than a mark that is asked for right before.
    """

    kind: Kind
    store: int = 0
    session: str = SESSIONS[0]
    first: int = 0
    messages: int = 0
    calls: int = 0
    replace: bool = False
    after: float = 0.0

    @property
    def marked(self) -> bool:
        """By what is drawn anyway: the schedule of a seed stays what it was."""
        return self.replace and self.kind in ("write", "cancel") and self.first % 2 == 1


@dataclass(frozen=True)
class HostEnd:
    """What becomes of one of two hosts, at which insert, and at which later one it is back.

    ``die``: its connections are cut and new ones refused. ``hang``: it accepts connections, and nothing moves.
    """

    kind: Literal["die", "hang"]
    host: int
    after_inserts: int
    back_after_inserts: int


@dataclass(frozen=True)
class Schedule:
    """Everything that happens in one run.

    ``two_hosts``: each store knows the server by two addresses, as if they were replicas, and the faults of the network
    meet either; ``host_ends`` is what becomes of one of them.

    ``last_words`` are made when the network is healed and each store has looked once more; ``late_first`` says whether
    what is late arrives before them. ``sweeps``: at the end the floors are swept away, and reads must stay the same.
    """

    seed: int
    options: list[dict[str, Any]]
    one_proxy: bool
    writers: list[list[Step]]
    last_words: list[Step]
    # What the n-th insert meets, and the n-th connection.
    inserts: list[Fault | None]
    connections: list[Literal["", "refuse", "stall", "cut"]]
    clock: ClockFault
    kill_after_inserts: int | None
    cut_all_after_inserts: int | None
    close_after_inserts: int | None
    closes: int
    late_first: bool
    sweeps: bool
    two_hosts: bool
    host_ends: HostEnd | None

    @property
    def purges(self) -> bool:
        """Whether a session is purged, which needs the server to rewrite parts."""
        return any(step.kind == "purge" for steps in self.writers for step in steps)


def draw(seed: int) -> Schedule:
    """The schedule of a seed."""
    rng = random.Random(seed)
    kills = rng.random() < 0.06
    harm = rng.choice([0.1, 0.3, 0.5])
    closes = rng.random() < 0.25
    writers = [_steps(rng) for _ in range(rng.randint(2, 5))]
    if rng.random() < 0.05:
        rng.choice(writers).append(Step("purge", rng.randrange(STORES), rng.choice(SESSIONS)))
    schedule = Schedule(
        seed=seed,
        options=[_options(rng, kills) for _ in range(STORES)],
        one_proxy=rng.random() < 0.5,
        writers=writers,
        last_words=[_last_word(rng, store) for store in range(STORES) if rng.random() < 0.5],
        inserts=[_fault(rng) if rng.random() < harm else None for _ in range(80)],
        connections=[rng.choice(["refuse", "cut", "stall"]) if rng.random() < harm / 3 else "" for _ in range(40)],
        clock=_clock(rng),
        kill_after_inserts=rng.randint(1, 8) if kills else None,
        cut_all_after_inserts=rng.randint(1, 10) if rng.random() < 0.3 else None,
        close_after_inserts=rng.randint(1, 8) if closes else None,
        closes=rng.randrange(STORES),
        late_first=rng.random() < 0.5,
        sweeps=rng.random() < 0.2,
        two_hosts=False,
        host_ends=None,
    )
    # Drawn last, so that the other seeds are what they were.
    return _with_two_hosts(schedule, rng) if rng.random() < 0.35 else schedule


def _with_two_hosts(schedule: Schedule, rng: random.Random) -> Schedule:
    order, ends = rng.choice(["random", "in_order"]), None
    if rng.random() < 0.7:
        after = rng.randint(1, 8)
        ends = HostEnd(rng.choice(["die", "hang"]), rng.randrange(2), after, after + rng.randint(1, 12))
    options = [{**one, "host_order": order} for one in schedule.options]
    return replace(schedule, options=options, two_hosts=True, host_ends=ends)


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
    kinds: list[Kind] = ["write", "submit", "cancel", "flush", "links", "delete"]
    return Step(
        kind=rng.choices(kinds, [6, 4, 2, 1, 2, 2])[0],
        store=rng.randrange(STORES),
        session=rng.choice(SESSIONS),
        first=rng.randrange(4),
        messages=rng.choice([0, 1, 3, 12]),
        calls=rng.choice([0, 0, 2, 5]),
        replace=rng.random() < 0.35,
        after=rng.choice([0.0, 0.001, 0.01, 0.05]),
    )


def _last_word(rng: random.Random, store: int) -> Step:
    kinds: list[Kind] = ["write", "write", "delete"]
    return Step(rng.choice(kinds), store, SESSIONS[0], rng.randrange(4), 3, 2, replace=rng.random() < 0.5)


def _fault(rng: random.Random) -> Fault:
    kind = rng.choices(
        ["cut", "cut_answer", "stall", "stall_answer", "slow", "refuse", "refuse_committed", "late", "late_cut"],
        [4, 4, 2, 2, 1, 4, 2, 2, 4],
    )[0]
    if kind == "refuse":
        return Fault("refuse", code=rng.choice(rng.choice([RETRIABLE, REFUSED_DATA, STATEMENT])))
    if kind == "refuse_committed":
        return Fault("refuse_committed", code=rng.choice(UNKNOWN))
    seconds = rng.choice([0.02, 0.2, 1.0])
    if kind in ("late", "late_cut"):
        seconds = rng.choice([0.05, 0.5, 2.0, HOUR])  # the last: when all else is over
    return Fault(kind, at_byte=rng.choice([0, 1, 30, 300, 3000]), seconds=seconds)  # type: ignore[arg-type]  # of the list


def _clock(rng: random.Random) -> ClockFault:
    after = rng.randint(1, 8)
    kind = rng.choices(["", "wall", "suspend", "stopped", "ahead", "behind", "far behind"], [8, 2, 2, 2, 2, 2, 2])[0]
    if kind == "wall":
        return ClockFault("wall", rng.choice([-HOUR, -3.0, 3.0, HOUR]), after)
    if kind == "suspend":
        return ClockFault("suspend", rng.choice([3.0, 2 * HOUR]), after)
    if kind == "stopped":
        return ClockFault("stopped", 3.0, after)
    if kind == "ahead":
        return ClockFault("ahead", HOUR, rng.choice([0, after]))
    if kind == "behind":
        return ClockFault("behind", rng.choice([0.05, 0.3]))
    return ClockFault("behind", HOUR) if kind else ClockFault()

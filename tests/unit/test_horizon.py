"""The horizon, by times that are made up: it lies behind all that may be under way, whatever clocks do."""

from __future__ import annotations

import random

from agentstore.read.horizon import Horizon
from agentstore.write.clock import ARRIVED_AFTER_SECONDS

SECOND = 10**9
BEHIND = ARRIVED_AFTER_SECONDS * SECOND
SERVER = 1_800_000_000 * SECOND


def test_without_an_answer_it_is_unknown() -> None:
    assert Horizon().reached(now=5) is None


def test_it_follows_the_server_at_a_distance() -> None:
    horizon = Horizon()
    assert horizon.learn(SERVER, answered=7) == SERVER - BEHIND
    assert horizon.reached(now=7 + 3 * SECOND) == SERVER + 3 * SECOND - BEHIND


def test_an_old_answer_holds_until_the_next_one_is_old() -> None:
    horizon = Horizon()
    horizon.learn(SERVER, answered=0)
    now = 3 * BEHIND
    assert horizon.reached(now=now) == SERVER + now - BEHIND
    # Set forward, nobody knows when.
    assert horizon.learn(SERVER + 5 * BEHIND, answered=now) == SERVER + now - BEHIND


def test_a_step_forward_counts_when_what_was_under_way_has_arrived() -> None:
    horizon = Horizon()
    horizon.learn(SERVER, answered=0)
    stepped = SERVER + 5 * BEHIND
    for second in range(1, ARRIVED_AFTER_SECONDS + 1, 10):
        now = second * SECOND
        # A row accepted before the step, at most so long ago, has a version above this.
        assert horizon.learn(stepped + now - second, answered=now) == SERVER + now - BEHIND
    # Answers that take a little longer each time, or clocks that drift, do not put that off.
    now = BEHIND + 2 * SECOND
    assert horizon.learn(stepped + now, answered=now) > stepped + now - BEHIND - SECOND


def test_a_step_back_counts_at_once_and_a_slow_answer_for_no_more() -> None:
    horizon = Horizon()
    horizon.learn(SERVER, answered=0)
    assert horizon.learn(SERVER - 3600 * SECOND, answered=SECOND) == SERVER - 3600 * SECOND - BEHIND
    other = Horizon()
    other.learn(SERVER, answered=0)
    # Said two seconds before it was heard: the earlier answer knows better, this one is the safer.
    assert other.learn(SERVER + SECOND, answered=3 * SECOND) == SERVER + SECOND - BEHIND


def test_it_never_passes_a_row_that_is_under_way() -> None:
    """Random steps of the server's clock, random rows: each still arrives above where the horizon was by then."""
    seed = random.getrandbits(32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    horizon, server, now = Horizon(), SERVER, 0
    horizon.learn(server, answered=now)
    under_way: list[tuple[int, int]] = []
    for _ in range(5_000):
        passed = rng.randrange(1, 30) * SECOND
        now, server = now + passed, server + passed
        if rng.random() < 0.01:
            server += rng.choice([1, -1]) * rng.randrange(2 * BEHIND)
        under_way.append((now + rng.randrange(BEHIND), server))
        reached = horizon.learn(server, answered=now)
        under_way = [(arrives, version) for arrives, version in under_way if arrives > now]
        stepped_back = [version for _, version in under_way if version < reached]
        assert not stepped_back

"""The hybrid clock: the server's time, never backwards, above what is stored, and no version drawn twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentstore.write.clock import HIGHEST_TIME, ID_BITS, HybridClock, local_nanoseconds

SECOND = 1_000_000_000
TICK = 1 << ID_BITS
SERVER = 1_790_000_000 * SECOND


def clock(id: int = 1, *, server: int = SERVER, now: int = 0) -> HybridClock:
    """A clock that learned the server's time in no time at ``now``."""
    made = HybridClock()
    made.use_id(id)
    made.learn(server, asked=now, answered=now, wall=now)
    return made


def test_a_version_is_the_servers_time_carried_on() -> None:
    one = clock()
    assert abs(SERVER - one.draw(now=0)) <= TICK
    assert abs(SERVER + 5 * SECOND - one.draw(now=5 * SECOND)) <= TICK


def test_the_low_bits_are_the_number_of_the_store() -> None:
    assert clock(77).draw(now=123) % TICK == 77
    drawn = {clock(id).draw(now=0) for id in range(TICK)}
    assert len(drawn) == TICK


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("draw"), st.integers(-SECOND, SECOND)),
            st.tuples(st.just("learn"), st.integers(-7200 * SECOND, 7200 * SECOND)),
            st.tuples(st.just("stored"), st.integers(-7200 * SECOND, 7200 * SECOND)),
        ),
        max_size=30,
    )
)
def test_it_never_goes_backwards_whatever_the_clocks_do(steps: list[tuple[str, int]]) -> None:
    """``draw`` moves the local clock by so much, back too; the others are what the server says, or what is stored."""
    one, now, last, seen = clock(), 10 * SECOND, 0, 0
    for kind, amount in steps:
        if kind == "draw":
            now += amount
            drawn = one.draw(now=now)
            assert drawn > max(last, seen)
            assert drawn % TICK == 1
            last = drawn
        elif kind == "learn":
            one.learn(SERVER + now + amount, asked=now, answered=now, wall=now)
        else:
            seen = max(seen, SERVER + now + amount)
            one.rise_above(SERVER + now + amount, now=now)


def test_a_hundred_thousand_draws_in_one_moment_stay_within_half_a_second() -> None:
    one = clock()
    drawn = [one.draw(now=0) for _ in range(100_000)]
    assert sorted(set(drawn)) == drawn
    assert drawn[-1] - SERVER < SECOND // 2


def test_what_is_stored_an_hour_ahead_is_risen_above_and_caught_up_with() -> None:
    one, hour = clock(), 3600 * SECOND
    one.rise_above(SERVER + hour, now=0)
    first = one.draw(now=0)
    assert first > SERVER + hour
    # It goes on at half the pace, so that two clocks that are ahead keep the order of their calls …
    assert hour // 2 - SECOND < one.draw(now=hour) - first < hour // 2 + SECOND
    # … and the server's time catches up.
    assert abs(SERVER + 3 * hour - one.draw(now=3 * hour)) <= TICK


def test_it_says_whether_it_is_ahead_of_the_server() -> None:
    one, hour = clock(), 3600 * SECOND
    assert not one.is_ahead(now=0)
    one.rise_above(SERVER - SECOND, now=0)
    assert not one.is_ahead(now=0)
    one.rise_above(SERVER + hour, now=0)
    assert one.is_ahead(now=0)
    assert one.is_ahead(now=hour)
    assert not one.is_ahead(now=3 * hour)


def test_a_version_that_is_no_time_does_not_wedge_the_clock() -> None:
    one = clock()
    for absurd in (HIGHEST_TIME, 2**63 - 1, 2**64 - 1):
        one.rise_above(absurd, now=0)
    assert one.draw(now=0) < SERVER + SECOND


def test_a_slow_answer_says_little() -> None:
    one = clock()
    # Asked at 1 s, answered at 3 s: the server's clock then showed something between; nothing against what is known.
    one.learn(SERVER + SECOND, asked=SECOND, answered=3 * SECOND, wall=3 * SECOND)
    assert abs(SERVER + 3 * SECOND - one.draw(now=3 * SECOND)) <= TICK


def test_a_clock_set_by_a_slow_answer_is_ahead_until_a_quicker_one_comes() -> None:
    """Never behind, wherever on its way the answer lost its time: another store's version would not be passed."""
    for said_at in (SECOND, 2 * SECOND, 3 * SECOND):
        one = HybridClock()
        one.learn(SERVER + said_at, asked=SECOND, answered=3 * SECOND, wall=3 * SECOND)
        assert SERVER + 3 * SECOND - TICK <= one.draw(now=3 * SECOND) <= SERVER + 5 * SECOND + TICK
        one.learn(SERVER + 4 * SECOND, asked=4 * SECOND, answered=4 * SECOND, wall=4 * SECOND)
        assert abs(SERVER + 10 * SECOND - one.draw(now=10 * SECOND)) <= TICK


def test_a_servers_clock_that_was_set_back_is_followed_without_going_back() -> None:
    one = clock()
    before = one.draw(now=0)
    one.learn(SERVER - 60 * SECOND, asked=0, answered=0, wall=0)
    after = one.draw(now=0)
    assert before < after < before + 2 * TICK + SECOND
    assert abs(SERVER + 30 * SECOND - one.draw(now=90 * SECOND)) <= TICK


def test_a_servers_clock_that_was_set_forward_is_followed() -> None:
    one = clock()
    one.learn(SERVER + 60 * SECOND, asked=0, answered=0, wall=0)
    assert abs(SERVER + 60 * SECOND - one.draw(now=0)) <= TICK


def test_another_server_whose_clock_differs_is_followed_without_going_back() -> None:
    """A failover to a replica that is an hour behind, and back: each reconnect is followed by a look."""
    one, hour = clock(), 3600 * SECOND
    before = one.draw(now=0)
    one.learn(SERVER - hour, asked=0, answered=0, wall=0)
    one.rise_above(0, now=0)
    there = one.draw(now=SECOND)
    assert there > before
    assert one.is_ahead(now=SECOND)  # so it looks before each write, until that server's time has caught up
    one.learn(SERVER + 2 * SECOND, asked=2 * SECOND, answered=2 * SECOND, wall=2 * SECOND)
    one.rise_above(0, now=2 * SECOND)
    assert not one.is_ahead(now=2 * SECOND)
    assert abs(SERVER + 2 * SECOND - one.draw(now=2 * SECOND)) <= TICK


def test_a_jump_of_the_wall_clock_is_noticed_and_its_drift_is_not() -> None:
    one = clock()
    assert not one.has_jumped(now=10 * SECOND, wall=10 * SECOND + SECOND // 10)
    assert one.has_jumped(now=10 * SECOND, wall=11 * SECOND)
    assert one.has_jumped(now=10 * SECOND, wall=0)
    one.learn(SERVER, asked=0, answered=10 * SECOND, wall=0)
    assert not one.has_jumped(now=11 * SECOND, wall=SECOND)


def test_what_is_asked_for_is_what_could_shadow_the_next_version() -> None:
    one = clock()
    assert one.reached(now=5 * SECOND) < one.draw(now=5 * SECOND)
    assert one.reached(now=0) >= SERVER + 5 * SECOND - 2 * TICK


def test_the_local_clock_goes_on() -> None:
    first = local_nanoseconds()
    assert local_nanoseconds() >= first

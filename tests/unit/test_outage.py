"""What is said of an outage, and when: decided without a clock."""

from __future__ import annotations

from itertools import pairwise

from agentstore.errors import ConnectionFailedError, QueryError
from agentstore.write.outage import FIRST_SILENCE_SECONDS, LONGEST_SILENCE_SECONDS, Outage

LOST = ConnectionFailedError("lost")


def said(outage: Outage, *moments: float) -> list[float]:
    """The moments among these at which a failed attempt is logged."""
    return [now for now in moments if outage.failed(now, LOST, waiting=7, pause=5.0)]


def test_the_first_failure_says_what_waits_why_and_when_it_goes_on() -> None:
    line = Outage("messages").failed(100.0, LOST, waiting=1234, pause=0.25)
    assert line == (
        "messages: rows cannot be stored; 1234 rows wait, next attempt in 0.2 s: ConnectionFailedError: lost"
    )


def test_silence_doubles_up_to_an_hour() -> None:
    moments = said(Outage("messages"), *(float(second) for second in range(40_000)))
    gaps = [after - before for before, after in pairwise(moments)]
    assert gaps[:7] == [60, 120, 240, 480, 960, 1920, 3600]
    assert set(gaps[6:]) == {LONGEST_SILENCE_SECONDS}
    assert len(moments) == 17


def test_a_later_line_says_for_how_long() -> None:
    outage = Outage("sessions")
    said(outage, 10.0, 11.0, 12.0)
    line = outage.failed(10.0 + FIRST_SILENCE_SECONDS, LOST, waiting=3, pause=5.0)
    assert line.startswith("sessions: no rows stored for 60 s, 4 attempts failed; 3 rows wait, next attempt in 5.0 s: ")


def test_the_end_is_said_once_and_the_next_outage_begins_anew() -> None:
    outage = Outage("messages")
    assert outage.stored(1.0, waiting=5) == ""
    said(outage, 10.0, 50.0, 70.0)
    line = outage.stored(100.0, waiting=5)
    assert line == "messages: rows are stored again after 90 s and 3 failed attempts; 5 rows waited"
    assert outage.stored(101.0, waiting=5) == ""
    assert said(outage, 102.0, 103.0, 161.0, 162.0) == [102.0, 162.0]


def test_an_error_is_one_short_line() -> None:
    error = QueryError("Cannot\nread\n" + "private text " * 100_000, code=241)
    line = Outage("messages").failed(0.0, error, waiting=1, pause=None)
    assert "\n" not in line
    assert len(line) < 400
    assert "not tried again: QueryError: Cannot read private" in line

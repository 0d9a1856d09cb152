"""What some sessions cost, of whose responses there are few enough to be looked at one by one. Pure.

The rules are those of ``costs_sql.py``, step by step; tests hold one against the other.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from agentstore.prices.own import EDITION as OWN
from agentstore.prices.own import OF_THE_TIER
from agentstore.protocols import Columns
from agentstore.read.price_rows_sql import ALWAYS_DAY
from agentstore.read.session_costs_sql import FLOOR, OWN_ROWS

_MICROSECONDS = 1_000_000
_DAY = 24 * 60 * 60
_NEVER = -(2**62)


class Payer(NamedTuple):
    """Who pays for a session, and what is said of that session."""

    id: str
    started_at: int | None
    title: str
    itself: bool


class Response(NamedTuple):
    """A row of a message, as ``session_costs_sql.responses`` has it."""

    session_id: str
    ordinal: int
    version: int
    source_id: str
    model: str
    tier: str
    at: int | None
    input: int
    read: int
    write: int
    hour_write: int
    output: int
    reasoning: int
    context: int
    searches: int
    reported: int

    @property
    def source(self) -> object:
        """What is the same of all rows that tell of one response."""
        return self.source_id or (self.session_id, self.ordinal)

    @property
    def size(self) -> tuple[bool, int, int]:
        """Of several rows the largest counts: with the most output, then the most context."""
        says = self.output > 0 or self.model != ""
        return says, self.output if says else 0, self.context


class Price(NamedTuple):
    """What holds for a model and tier from a day on."""

    valid_from: int
    edition: int
    date: int
    levels: list[int]
    day_parts: list[int]
    kinds: tuple[list[int], ...]

    def at(self, level: int, second: int) -> list[int]:
        """The prices of all kinds, for so much input at this second of the day."""
        part = max(1, bisect_right(self.day_parts, second)) - 1
        place = max(0, part * len(self.levels) + bisect_right(self.levels, level) - 1)
        return [prices[place] for prices in self.kinds]


class Chains:
    """The prices of models by tier, in the order of the days from which they hold."""

    def __init__(self, columns: Columns) -> None:
        self._of: defaultdict[tuple[str, str], list[Price]] = defaultdict(list)
        for model, tier, day, edition, date, levels, parts, *kinds in zip(*columns, strict=True):
            self._of[model, tier].append(Price(day, edition, date, levels, parts, tuple(kinds)))

    def at(self, model: str, tier: str, day: int) -> Price | None:
        """What holds on a day; None where nothing was said before it."""
        chain = self._of.get((model, tier), [])
        place = bisect_right(chain, max(day, ALWAYS_DAY), key=lambda one: one.valid_from)
        return chain[place - 1] if place else None


def spending(columns: Columns) -> dict[str, list[Payer]]:
    """By session who may pay for it, of those that count: ``columns`` as of ``session_costs_sql.payers``."""
    rows = [(id, Payer(*rest)) for id, *rest in zip(*columns, strict=True)]
    deleted = {id for id, payer in rows if not payer.id}
    found: defaultdict[str, list[Payer]] = defaultdict(list)
    for id, payer in rows:
        if not (payer.itself and id in deleted):
            found[id].append(payer)
    return dict(found)


def paying(may_pay: Mapping[str, Sequence[Payer]], itself: Collection[str]) -> dict[str, Payer]:
    """By session who pays for it. ``itself``: sessions that are no subagents any more."""
    # Known as a subagent and by a row that says otherwise it would pay twice: it pays as its row says.
    found: dict[str, Payer] = {}
    for id, payers in may_pay.items():
        for payer in payers:
            if payer.itself or (id not in itself and id not in found):
                found[id] = payer
    return found


def counted(rows: Iterable[Response]) -> Iterator[Response]:
    """Each response once: of those that count, the largest row; it came when the first of its rows did."""
    floors, begins = dict[str, int](), dict[str, int]()
    copied = set[tuple[str, int]]()
    rows = list(rows)
    for row in rows:
        if row.ordinal == FLOOR:
            floors[row.session_id] = row.version
        elif row.ordinal == OWN_ROWS:
            begins[row.session_id] = row.input
            copied.update((row.session_id, int(ordinal)) for ordinal in row.source_id.split())
    of_source: defaultdict[object, list[Response]] = defaultdict(list)
    for row in rows:
        id = row.session_id
        if row.version >= floors.get(id, 0) and row.ordinal >= begins.get(id, 0) and (id, row.ordinal) not in copied:
            of_source[row.source].append(row)
    for several in of_source.values():
        yield several[0] if len(several) == 1 else _one_of(several)


def _one_of(rows: Sequence[Response]) -> Response:
    times = [row.at for row in rows if row.at is not None]
    reported = max(row.reported for row in rows)
    return max(rows, key=lambda row: row.size)._replace(at=min(times, default=None), reported=reported)


class Amounts:
    """What was spent for one key and model: the totals of ``costs_sql.py`` in their order."""

    def __init__(self) -> None:
        self.sums = [0] * 15
        self.edition = 0
        self.date = 0
        self.name = (False, _NEVER, "")

    def add(self, row: Response, price: Price | None, second: int) -> None:
        hour, unseen = min(row.write, row.hour_write), min(row.output, row.reasoning)
        amounts = [row.input, row.read, row.write - hour, hour, row.output - unseen, unseen, row.searches, 1]
        cost = 0
        is_priced = price is not None and bool(price.levels)
        if price is not None and price.levels:
            prices = price.at(row.input + row.read + row.write, second)
            cost = sum(amount * each for amount, each in zip(amounts, prices, strict=True))
        unpriced = [0] * 5 if is_priced else [1, row.input, row.read, row.write, row.output]
        for place, more in enumerate([cost, row.reported, 1, *amounts[:7], *unpriced]):
            self.sums[place] += more
        if price is not None and OF_THE_TIER < price.edition < OWN:
            self.edition, self.date = max(self.edition, price.edition), max(self.date, price.date)


def spent(
    responses: Iterable[Response], payers: Mapping[str, Payer], chains: Chains, tiers: Collection[str]
) -> dict[tuple[str, str], Amounts]:
    """By who pays and model, what it comes to."""
    found: defaultdict[tuple[str, str], Amounts] = defaultdict(Amounts)
    for row in responses:
        if (payer := payers.get(row.session_id)) is not None:
            _pay(found[payer.id, row.model], row, payer, chains, tiers)
    return dict(found)


def _pay(amounts: Amounts, row: Response, payer: Payer, chains: Chains, tiers: Collection[str]) -> None:
    """What says no time came when its session began; what has no time at all pays what was always paid."""
    at = payer.started_at if row.at is None else row.at
    day, second = (ALWAYS_DAY, 0) if at is None else divmod(at // _MICROSECONDS, _DAY)
    amounts.add(row, chains.at(row.model, row.tier if row.tier in tiers else "", day), second)
    started = _NEVER if payer.started_at is None else payer.started_at
    amounts.name = max(amounts.name, (payer.itself, started, payer.title))

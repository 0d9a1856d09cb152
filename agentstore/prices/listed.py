"""The list prices of the package genai-prices, as rows.

The package is loaded when the first price is asked for: that takes half a second, so not in an event loop's thread.
What it says is asked of it, never read out of its data: which model a name means (``DataSnapshot``), and what that
costs at a moment (``ModelInfo.get_prices``).

**Its date.** The package has none: not in its metadata, not in its data, and the files of its wheel are all of 2020.
But notes beside its prices say when somebody looked them up ("checked 2026-10-15", "as of 2026-10-14"). The latest of
these days is taken for the date of the table: it is at most some days before the release, and never after it, which
the days from which prices are valid are not (they may be announced for next year). Two releases of one date are
ordered by their versions.

**Exactness.** Prices are in the package decimal fractions of dollars for a million tokens. All that are meant are whole
picodollars for a token; 28 of some 7,000 in version 0.2.3 are not (thirds that somebody computed, 0.0833333333333333,
and what a float made of 0.18), and are rounded to the nearest: half a dollar in a trillion tokens at most.
"""

from __future__ import annotations

import datetime as dt
import functools
import importlib
import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from agentstore.prices.row import ALWAYS, KINDS, TIERS, PriceRow, Quote

PACKAGE = "genai-prices"

# Longer ones are no names of models, and each is compared with thousands of patterns.
_LONGEST_NAME = 200
_LOOKED_UP = re.compile(r"(?:checked|as of|observed|updated|verified|retrieved)[^.;\d]{0,30}(20\d\d-\d\d-\d\d)", re.I)
# Names of Amazon's: "us.anthropic.claude-…-v1:0".
_BEDROCK = re.compile(r"(?:[a-z-]+\.)?(?:amazon|anthropic|cohere|deepseek|meta|mistral|openai|qwen)\.")
_DAY_SECONDS = 24 * 60 * 60


@functools.cache
def installed() -> str:
    """The version of the package, "" where there is none. Does not load it."""
    # Here, since it takes as long to load as all of the store.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return ""


def source_of(version: str) -> str:
    """What rows out of this version have for their source."""
    return f"{PACKAGE} {version}"


def version_number(version: str) -> int:
    """A version as a number that orders it: 0.2.3 is 2003. What does not look like one is 0."""
    parts = re.match(r"(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?", version)
    return sum(int(part or 0) * 1000**place for place, part in enumerate(reversed(parts.groups()))) if parts else 0


def edition_of(date: dt.date, version: str) -> int:
    """The order of price tables: by date, then by version. 20261103000002003 is that of 0.2.3."""
    return int(date.strftime("%Y%m%d")) * 10**9 + version_number(version)


def can_be_listed(name: str) -> bool:
    """Whether this may be the name of a model."""
    return 0 < len(name) <= _LONGEST_NAME


class PriceList:
    """The prices of the installed package. What it downloads while it runs is not used: two processes would differ."""

    def __init__(self) -> None:
        package = importlib.import_module("genai_prices.data")
        self._types = importlib.import_module("genai_prices.types")
        snapshot = importlib.import_module("genai_prices.data_snapshot").DataSnapshot
        self._snapshot = snapshot(providers=package.providers, from_auto_update=False)
        self.version = installed()
        self.date = _date_of(package.providers)
        self.edition = edition_of(self.date, self.version)
        self._models: dict[str, tuple[Any, Any]] = {}

    def model(self, name: str) -> str:
        """What the package calls the model with this name, "" where it has no prices for it.

        The model's id, where that means the model by itself, else with its provider in front.
        """
        if not (found := self._find(name)) or not self._counts(found[1]):
            return ""
        provider, model = found
        called: str = model.id if self._find(model.id) == found else f"{provider.id}:{model.id}"
        self._models[called] = found
        return called

    def rows(self, name: str) -> list[PriceRow]:
        """The prices of the model with this name since ever, of all its tiers, under the name that the package has for
        it; none where it matches nothing."""
        if not (called := name if name in self._models else self.model(name)):
            return []
        provider, model = self._models[called]
        # As the package does it: what a provider asks for another's model knows no tiers.
        tiers = ("", *TIERS) if any(model is one for one in provider.models) else ("",)
        histories = {tier: self._history(model, tier) for tier in tiers}
        return [
            PriceRow(called, tier, day, self.edition, source_of(self.version), self.date, quote)
            for tier, history in histories.items()
            if not tier or history != histories[""]
            for day, quote in history
        ]

    def _find(self, name: str) -> tuple[Any, Any] | None:
        if not can_be_listed(name):
            return None
        for reference, provider in _references(name):
            try:
                found: tuple[Any, Any] = self._snapshot.find_provider_model(reference, None, provider, None)
            except LookupError:
                continue
            return found
        return None

    def _counts(self, model: Any) -> bool:
        """Whether its tokens have a price, if it is 0: a model that is paid by the page or the hour is not free."""
        prices = model.prices if isinstance(model.prices, list) else [model]
        return any({"input_mtok", "output_mtok"} & vars(one.prices).keys() for one in prices)

    def _history(self, model: Any, tier: str) -> list[tuple[dt.date, Quote]]:
        days = {one.start_date for one in self._constraints(model) if isinstance(one, self._types.StartDateConstraint)}
        history: list[tuple[dt.date, Quote]] = []
        for day in [ALWAYS, *sorted(days)]:
            quote = self._quote(model, tier, day)
            if not history or quote != history[-1][1]:
                history.append((day, quote))
        return history

    def _quote(self, model: Any, tier: str, day: dt.date) -> Quote:
        """What it costs on a day: the package is asked at the beginning of each part of it."""
        # One word says it all: a package that knows "fast" as a speed, and another one as a tier, mean one thing.
        context = {"service_tier": tier, "processing": tier, "speed": tier} if tier else None
        parts = sorted({0, *self._day_parts(model)})
        asked = [dt.datetime.combine(day, _time(part), dt.UTC) for part in parts]
        prices = [{key: price for key, price in vars(model.get_prices(moment, context)).items() if price is not None}
                  for moment in asked]  # fmt: skip
        parts = [part for index, part in enumerate(parts) if not index or prices[index] != prices[index - 1]]
        prices = [one for index, one in enumerate(prices) if not index or one != prices[index - 1]]
        levels = sorted({0, *(tier.start + 1 for one in prices for price in one.values()
                              for tier in getattr(price, "tiers", ()))})  # fmt: skip
        by_place = [_prices_at(one, level) for one in prices for level in levels]
        return Quote(tuple(levels), tuple(parts), tuple(zip(*by_place, strict=True)))

    def _day_parts(self, model: Any) -> Iterator[int]:
        for one in self._constraints(model):
            if isinstance(one, self._types.TimeOfDateConstraint):
                yield from (_seconds(one.start_time), _seconds(one.end_time))

    def _constraints(self, model: Any) -> Iterator[Any]:
        priced = model.prices if isinstance(model.prices, list) else ()
        yield from (one.constraint for one in (*priced, *(model.price_variants or ())))


@functools.cache
def price_list() -> PriceList:
    """The package's prices, loaded once. ``ImportError`` where it is not installed."""
    return PriceList()


def _references(name: str) -> Iterator[tuple[str, str | None]]:
    """How the package may know a name, and as whose: most certain first.

    As it is; with its provider in front, as LiteLLM writes it; as OpenRouter's; as Amazon's.
    """
    yield name, None
    if "/" in name:
        yield name, "litellm"
        provider, _, model = name.partition("/")
        yield model, provider
        yield name, "openrouter"
    if _BEDROCK.match(name):
        yield name, "aws"


def _prices_at(prices: Mapping[str, Any], level: int) -> tuple[int, ...]:
    """By kind, where a response has so much input. What has no price of its own has that of what it is a part of."""

    def price(*keys: str, per: int = 1_000_000, otherwise: int = 0) -> int:
        for key in keys:
            if key in prices:
                return _picodollars(_at_level(prices[key], level), per)
        return otherwise

    input, output = price("input_mtok"), price("output_mtok")
    found = {
        "input": input,
        "cache_read": price("cache_read_mtok", otherwise=input),
        "cache_write": price("cache_write_5m_mtok", "cache_write_mtok", otherwise=input),
        "cache_write_1h": price("cache_write_1h_mtok", "cache_write_mtok", otherwise=input),
        "output": output,
        "reasoning": price("output_reasoning_mtok", otherwise=output),
        "web_search": price("web_searches_kcount", per=1000),
        "request": price("requests_kcount", per=1000),
    }
    return tuple(found[kind] for kind in KINDS)


def _at_level(price: Any, input_tokens: int) -> Decimal:
    """A price, or of one with tiers that of the highest that begins below so much input."""
    if isinstance(price, Decimal):
        return price
    found: Decimal = price.base
    for tier in price.tiers:
        if input_tokens > tier.start:
            found = tier.price
    return found


def _picodollars(dollars: Decimal, per: int) -> int:
    return int((dollars * 10**12 / per).to_integral_value(ROUND_HALF_EVEN))


def _time(seconds: int) -> dt.time:
    return (dt.datetime.min + dt.timedelta(seconds=seconds)).time()


def _seconds(time: dt.time) -> int:
    """Of the day in UTC; a time without a zone is in UTC."""
    offset = time.utcoffset() or dt.timedelta()
    local = dt.timedelta(hours=time.hour, minutes=time.minute, seconds=time.second)
    return int((local - offset).total_seconds()) % _DAY_SECONDS


def _date_of(providers: list[Any]) -> dt.date:
    """The latest day on which somebody looked a price up."""
    notes = (note for one in providers for note in (one.price_comments, *(m.price_comments for m in one.models)))
    found = [day for note in notes if note for day in map(_day, _LOOKED_UP.findall(note)) if day]
    return max(found, default=ALWAYS)


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None

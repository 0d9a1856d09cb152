"""What people who look at pages ask for: the requests of browsers, in a mix, each timed and looked at."""

from __future__ import annotations

import asyncio
import html
import random
import re
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import httpx

from benchmarks.search import NEEDLES, WORDS

LIST, FILTERED, LATER, COSTS = "sessions, first page", "sessions, filtered", "sessions, later page", "costs of a list"
FIRST, LONG, NEXT, PANEL = (
    "session, first window",
    "the long session, first window",
    "session, next window",
    "panel beside a session",
)
SUBSTRING, BY_WORDS, OVERVIEW = "search, substring", "search, words", "panel of the overview"
# How often each is done, of some hundred things.
MIX = {
    LIST: 18,
    FILTERED: 14,
    LATER: 8,
    FIRST: 18,
    LONG: 5,
    NEXT: 8,
    SUBSTRING: 12,
}
# Also what is heavier and asked for less often: statistics, and searches that rank thousands of rows.
WITH_HEAVY = {**MIX, BY_WORDS: 4, OVERVIEW: 3}
_NEXT_PAGE = re.compile(r'<a rel="next" href="([^"]+)"')
_PANEL = re.compile(r'data-part="([^"]+)"')
_COST = re.compile(r'data-cost="([^"]+)"')


@dataclass
class Aim:
    """What there is to be asked for."""

    ids: list[str]
    long_ids: list[str]
    projects: list[str]
    users: list[str]
    agents: list[str]
    panels: list[str] = field(default_factory=list)
    needles: list[str] = field(default_factory=lambda: [needle for needle, _ in NEEDLES.values() if len(needle) > 2])
    words: list[str] = field(default_factory=lambda: list(WORDS.values()))

    def filters(self, rng: random.Random) -> dict[str, str]:
        """One filter of a list, or two."""
        one = {"project": self.projects, "user": self.users, "agent": self.agents}
        chosen = rng.sample(list(one), k=rng.choice((1, 1, 2)))
        extra = rng.choice(({}, {}, {"commits": "1"}, {"text": "the"}))
        return {"since": "all", **{name: rng.choice(one[name]) for name in chosen if one[name]}, **extra}


@dataclass
class Log:
    """How long each kind of request took, and what went wrong."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def clear(self) -> None:
        """What was before is not counted. What went wrong is."""
        self.seconds.clear()

    @property
    def wrong_kinds(self) -> dict[str, dict[str, int]]:
        """The kinds of which any went wrong."""
        return {kind: dict(told) for kind, told in self.wrong.items() if told}

    @property
    def errors(self) -> int:
        """How much went wrong."""
        return sum(one.total() for one in self.wrong.values())


class Viewer:
    """Somebody with a browser, logged in."""

    def __init__(
        self, client: httpx.AsyncClient, aim: Aim, log: Log, number: int, *, scripts: bool, heavy: bool
    ) -> None:
        self._client = client
        self._scripts = scripts
        self._aim = aim
        self._log = log
        self._rng = random.Random(number)
        self._tab = f"tab{number}"
        mix = WITH_HEAVY if heavy else MIX
        self._kinds = {kind: weight for kind, weight in mix.items() if kind != OVERVIEW or aim.panels}
        self._older = ""

    async def look(self) -> None:
        """One thing that they do: a request, and where ``scripts`` run, what those of the page ask for after it."""
        rng, aim = self._rng, self._aim
        kind = rng.choices(list(self._kinds), list(self._kinds.values()))[0]
        if kind == LIST:
            await self._list(kind, "/sessions?since=all")
        elif kind == FILTERED:
            await self._list(kind, "/sessions", aim.filters(rng))
        elif kind == LATER:
            await self._list(kind if self._older else LIST, self._older or "/sessions?since=all")
        elif kind in (FIRST, LONG):
            await self._session(kind, rng.choice(aim.long_ids if kind == LONG else aim.ids))
        elif kind == NEXT:
            await self._get(kind, f"/sessions/{rng.choice(aim.long_ids)}", {"after": str(rng.randrange(80))}, "window")
        elif kind == OVERVIEW:
            await self._get(kind, rng.choice(aim.panels), part="panel")
        else:
            found = (
                {"q": rng.choice(aim.needles)} if kind == SUBSTRING else {"q": rng.choice(aim.words), "mode": "words"}
            )
            await self._get(kind, "/search", found, "hits")

    async def _list(self, kind: str, address: str, filters: dict[str, str] | None = None) -> None:
        """A page of the list, and then what its rows cost, as the script of the page asks."""
        page = await self._get(kind, address, filters)
        older = _NEXT_PAGE.search(page)
        self._older = html.unescape(older[1]) if older else ""
        if self._scripts and (ids := [html.unescape(one) for one in _COST.findall(page)]):
            await self._get(COSTS, "/costs", {"id": ids})

    async def _session(self, kind: str, id: str) -> None:
        """Its page, and then what stands beside the conversation, as the script of the page asks."""
        page = await self._get(kind, f"/sessions/{id}")
        if not self._scripts:
            return
        panels = [html.unescape(one) for one in _PANEL.findall(page)]
        await asyncio.gather(*(self._get(PANEL, address, part="panel") for address in panels))

    async def _get(
        self, kind: str, address: str, query: dict[str, str] | dict[str, list[str]] | None = None, part: str = ""
    ) -> str:
        headers = {"x-part": part} if part else {}
        if kind in (SUBSTRING, BY_WORDS):
            headers["x-tab"] = self._tab
        began = time.perf_counter()
        try:
            answer = await self._client.get(address, params=query, headers=headers)
        except httpx.HTTPError as error:
            self._log.wrong[kind][type(error).__name__] += 1
            return ""
        self._log.seconds[kind].append(time.perf_counter() - began)
        if answer.status_code != 200:
            self._log.wrong[kind][f"{answer.status_code} {answer.text[:200]}"] += 1
        return answer.text


async def looks(viewer: Viewer, phase: float, until: float) -> None:
    """One look a second, from a moment of their own on. Who waits longer than that for an answer misses the next."""
    at = time.perf_counter() + phase
    while at < until:
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        await viewer.look()
        at = max(at + 1.0, time.perf_counter())


def browser(address: str) -> httpx.AsyncClient:
    """A client that says what a browser says of itself."""
    return httpx.AsyncClient(
        base_url=address,
        headers={"accept": "text/html", "sec-fetch-site": "same-origin"},
        timeout=30,
        trust_env=False,
    )


async def log_in(client: httpx.AsyncClient, token: str) -> None:
    """Take the cookie."""
    answer = await client.get("/login", params={"token": token})
    if answer.status_code != 302:
        raise RuntimeError(f"the login was refused: {answer.status_code}")

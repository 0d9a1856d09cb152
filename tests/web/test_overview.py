"""The overview as it is sent: its figures are the store's, and the sessions behind each are as many as it says."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import httpx
import pytest

from agentstore import AsyncClickHouseStore
from agentstore.faces.money import count, dollars
from tests.builders import call, message, session
from tests.cli.running import Cli
from tests.web.attacks import ATTACKS
from tests.web.figures import Elements, cells, panel, rows, total
from tests.web.serving import Pages, served

PANELS = ("totals", "days", "hours", "projects", "tools", "models", "users", "cost")
ZONES = ("Europe/Berlin", "Asia/Tokyo", "America/Los_Angeles", "Asia/Kathmandu")
SPANS = ("since=all", "since=2026-03-02&until=2026-03-05", "since=2026-03-04", "since=all&until=2026-03-03")
T = TypeVar("T")


def asked(cli: Cli, question: Callable[[AsyncClickHouseStore], Awaitable[T]]) -> T:
    """What the store itself answers."""

    async def answer() -> T:
        async with AsyncClickHouseStore(cli.dsn) as store:
            return await question(store)

    return asyncio.run(answer())


@pytest.fixture(scope="module")
def client(sample_pages: Pages) -> Iterator[httpx.Client]:
    with sample_pages.client() as client:
        yield client


def test_the_page_comes_at_once_with_a_place_for_each_panel(client: httpx.Client) -> None:
    answer = client.get("/overview")
    assert answer.status_code == 200
    for name in PANELS:
        assert f'data-panel="/overview/{name}"' in answer.text
        assert f'href="/overview?panel={name}#panel-{name}"' in answer.text
    today = dt.datetime.now(dt.UTC).date()
    assert str((today - dt.timedelta(days=30)).year) in answer.text
    assert "<table" not in answer.text


@pytest.mark.parametrize(("zone", "span"), list(zip(ZONES, SPANS, strict=True)))
def test_each_figure_leads_to_as_many_sessions(client: httpx.Client, zone: str, span: str) -> None:
    client.cookies.set("agentstore_tz", zone)
    assert zone in client.get(f"/overview?{span}").text
    figures = cells(panel(client, "hours", span))
    days = rows(panel(client, "days", span))
    assert sum(number for _, number in figures) == sum(number for _, number in days) > 0
    figures += days
    for name in ("projects", "users"):
        found = rows(panel(client, name, span))
        assert found
        figures += found
    figures += rows(panel(client, "tools", span), number=-1)
    for link, number in figures:
        assert total(client, link) == number, link


def test_figures_are_the_stores_own(client: httpx.Client, sample_cli: Cli) -> None:
    client.cookies.set("agentstore_tz", "Europe/Berlin")
    summary = asked(sample_cli, lambda store: store.summary("local", tz="Europe/Berlin"))
    totals = panel(client, "totals", "since=all")
    for number in (summary.totals.session_count, summary.totals.message_count, summary.totals.commit_count):
        assert re.search(rf"<dd[^>]*>(<a [^>]*>)?{count(number)}(</a>)?</dd>", totals), number
    assert dollars(summary.cost.total.cost_nanodollars) in totals
    for days, measure in ((summary.days, "message_count"), (summary.days, "total_output_tokens")):
        told = panel(client, "days", "since=2026-03-01&until=2026-03-10")
        assert days
        assert all(f">{count(getattr(one, measure))}</td>" in told for one in days)
    tools = panel(client, "tools", "since=all")
    assert all(f">{one.tool_name}<" in tools for one in summary.tools)
    assert [number for _, number in rows(tools)] == [one.usage_count for one in summary.tools]
    models = panel(client, "models", "since=all")
    assert [one.model for one in summary.models if one.model] == re.findall(r">([^<]+)<svg", models)
    costs = panel(client, "cost", "since=all&show=model")
    for row in summary.cost.rows:
        if row.cost_nanodollars:
            assert f">{dollars(row.cost_nanodollars)}</td>" in costs


def test_a_model_leads_to_the_sessions_that_used_it(client: httpx.Client, sample_cli: Cli) -> None:
    told = panel(client, "models", "since=all")
    links = {link for link, _ in ((one, 0) for one in re.findall(r'href="(/sessions[^"]*model=[^"]*)"', told))}
    assert links
    assert sum(total(client, link.replace("&amp;", "&")) for link in links) > 0


def test_filters_narrow_every_panel(client: httpx.Client, sample_cli: Cli) -> None:
    query = "since=all&project_name=tideclock&agent=claude-code"
    days = rows(panel(client, "days", query))
    summary = asked(
        sample_cli, lambda store: store.summary("local", project_name="tideclock", agent_type="claude-code")
    )
    assert sum(number for _, number in days) == summary.totals.session_count > 0
    for link, number in days:
        assert "project_name=tideclock" in link
        assert total(client, link) == number
    assert [number for _, number in rows(panel(client, "tools", query))] == [one.usage_count for one in summary.tools]
    # A project that was chosen in the list of sessions is the same here.
    [tide, *_] = [
        one for one in asked(sample_cli, lambda store: store.list_projects("local")) if one.name == "tideclock"
    ]
    assert rows(panel(client, "projects", f"since=all&project={tide.id}")) == rows(
        panel(client, "projects", "since=all&project_name=tideclock")
    )


def test_bars_can_count_something_else(client: httpx.Client) -> None:
    for show, unit in (("messages", "messages"), ("tokens", "output tokens"), ("cost", "$")):
        told = panel(client, "days", f"since=all&show={show}")
        assert re.search(r"<title>[^<]*</title>", told)
        assert unit in told
        assert re.search(rf'data-show="[^"]*show={show}" aria-current="true"', told)
    for show in ("project", "user", "agent"):
        assert rows_of_cost(panel(client, "cost", f"since=all&show={show}"))


def rows_of_cost(told: str) -> list[str]:
    return re.findall(r'<td class="number main">\$[\d.,]+</td>', told)


def test_a_span_with_nothing_says_so(client: httpx.Client) -> None:
    for name in PANELS:
        assert "Nothing in this time." in panel(client, name, "since=2001-01-01&until=2001-01-02")


def test_what_cannot_be_asked_is_refused(client: httpx.Client) -> None:
    for address, status in (
        ("/overview/nothing", 404),
        ("/overview?panel=nothing", 404),
        ("/overview/days?show=nothing", 400),
        ("/overview/tools?show=cost", 400),
        ("/overview?since=nonsense", 400),
        ("/sessions?weekday=8", 400),
        ("/sessions?hour=24", 400),
        ("/sessions?hour=x", 400),
        ("/sessions?weekday=%C2%B2", 400),
        (f"/sessions?tool={'x' * 1001}", 400),
    ):
        answer = client.get(address)
        assert answer.status_code == status, address
        assert "Traceback" not in answer.text


def test_all_times_there_are_can_be_asked(client: httpx.Client) -> None:
    for span in ("since=0001-01-01&until=9999-12-31", "since=0001-01-01", "since=9999-12-31", "since=50y"):
        for name in PANELS:
            panel(client, name, span)


def test_without_a_script_the_page_has_what_it_is_asked_for(client: httpx.Client) -> None:
    one = client.get("/overview?since=all&panel=tools").text
    assert 'class="ranking"' in one
    assert 'data-panel="/overview/days?since=all"' in one
    all = client.get("/overview?since=all&panel=all").text
    assert "data-panel" not in all
    assert all.count('class="ranking"') >= 5
    assert "As a table" in all
    # A panel by itself is a page, too, for who opens its address.
    alone = client.get("/overview/hours?since=all").text
    assert "<h1>When sessions begin</h1>" in alone


@pytest.fixture(scope="module")
def hostile(module_cli: Cli) -> Iterator[httpx.Client]:
    """Pages of a store in which every name is an attack."""

    async def write() -> None:
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        async with AsyncClickHouseStore(module_cli.dsn) as store:
            await store.ensure_schema()
            for number, text in enumerate(ATTACKS.values()):
                text = text[:2000]
                own = session(
                    f"h{number}", project_id=text, project_name=text, user_id=text, user_name=text, agent_type=text,
                    first_message=text, started_at=now - dt.timedelta(hours=number % 600),
                )  # fmt: skip
                said = message(0, role="assistant", model=text, output_tokens=5, source_id=f"r{number}")
                await store.write_session("local", own, [said], [call(0, tool_name=text, tool_use_id="t")])

    asyncio.run(write())
    with served(module_cli) as pages, pages.client() as client:
        yield client


TAGS = frozenset(
    re.findall(
        r"\w+",
        "html head meta title link script body a header svg path nav form label input kbd button div main section h1 h2"
        " p span select option dl dt dd footer strong dialog details summary table caption thead tbody tr th td rect"
        " line text g defs pattern abbr code ul li",
    )
)


@pytest.mark.parametrize("name", PANELS)
def test_hostile_names_are_text(hostile: httpx.Client, name: str) -> None:
    page = ""
    for show in ("", "&show=project", "&show=user", "&show=agent") if name == "cost" else ("",):
        page = hostile.get(f"/overview?panel={name}{show}").text
        found = Elements(page).found
        assert {tag for tag, _ in found} <= TAGS
        for tag, attributes in found:
            assert not [one for one in attributes if one.startswith("on") or one == "style"], (tag, attributes)
            assert attributes.get("href", "/").startswith(("/", "#")), attributes
            assert not (tag == "script" and not attributes.get("src", "").startswith("/static/"))
    if name in ("projects", "users", "models", "tools"):
        assert "&lt;" in page


def test_hostile_names_lead_to_their_sessions(hostile: httpx.Client) -> None:
    for name, number in (("projects", 0), ("users", 0), ("tools", -1)):
        found = rows(panel(hostile, name, ""), number)
        assert len(found) >= 10
        for link, told in found[:10]:
            assert total(hostile, link) == told, link

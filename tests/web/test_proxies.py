"""The guide's proxy, as the guide has it: everything that the pages do goes through it, and it says who asks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, expect

from agentstore import AsyncClickHouseStore
from agentstore.web.pages import purge
from tests.builders import message, session
from tests.cli.running import Cli
from tests.web.conftest import PATIENCE, in_use, run_aside
from tests.web.proxying import NAME, USERS, free_port, nginx, of_guide
from tests.web.serving import SECONDS, served

TIDE = "tide"
HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def address(module_cli: Cli) -> Iterator[str]:
    """Of the proxy, in front of the sample in a store that is written to."""
    port = free_port()
    with nginx(port) as address:
        asyncio.run(write(module_cli.dsn, TIDE, "Fix the drifting tide clock"))
        with served(module_cli, "--trust-proxy-header", "X-Forwarded-User", "--allow-host", address, port=port):
            yield address


async def write(dsn: str, id: str, title: str) -> None:
    async with AsyncClickHouseStore(dsn) as store:
        await store.ensure_schema()
        await store.write_session("local", session(id, first_message=title, message_count=1), [message(0, title)])


def client(address: str, user: str = "ada") -> httpx.Client:
    """A program, or what a browser would send without being one."""
    at = urlsplit(address)
    return httpx.Client(
        base_url=f"https://127.0.0.1:{at.port}",
        headers={"host": at.netloc},
        auth=(user, USERS[user]) if user else None,
        verify=False,
        trust_env=False,
        timeout=SECONDS,
    )


def test_who_asks_is_what_the_proxy_says(address: str) -> None:
    with client(address, "") as nobody:
        assert nobody.get("/sessions").status_code == 401
    with client(address) as ada:
        for name in ("X-Forwarded-User", "x_forwarded_user"):
            page = ada.get("/sessions", headers={**HTML, name: "somebody else"})
            assert page.status_code == 200
            assert "<span>ada</span>" in page.text
            assert "somebody else" not in page.text
        assert ada.get("/sessions", headers={**HTML, "host": "evil.example"}).status_code == 421


def test_what_changes_something_comes_from_a_page_over_tls(address: str) -> None:
    with client(address) as ada:
        star = f"/api/v1/sessions/{TIDE}/star"
        for origin in ("https://evil.example", address.replace("https", "http"), f"https://{NAME}"):
            assert ada.put(star, headers={"origin": origin}).status_code == 403
        refused = ada.put(star)
        assert refused.status_code == 403
        # There is no token here that a program could send.
        assert refused.json()["hint"].startswith("programs send it as a browser does, Origin: https://")
        assert ada.put(star, headers={"origin": address}).status_code == 204
        assert "ada" in [one["user_id"] for one in ada.get(f"/api/v1/sessions/{TIDE}/stars").json()]
        assert ada.delete(star, headers={"origin": address}).status_code == 204


def test_what_is_long_comes_through(address: str) -> None:
    with client(address) as ada:
        assert ada.get("/search", params={"q": "海" * 1000}, headers=HTML).status_code == 200
        note = {"data": {"note": "x" * 100_000}, "headers": {**HTML, "origin": address}}
        refused = ada.post(f"/sessions/{TIDE}/pin?at=0", **note)  # type: ignore[arg-type]
        assert refused.status_code == 413
        assert "Too large" in refused.text


def test_a_proxy_waits_as_long_as_erasing_may_take() -> None:
    found = re.search(r"proxy_read_timeout (\d+)s;", of_guide("nginx"))
    assert found is not None
    assert int(found[1]) > purge._SECONDS


def test_an_open_page_is_told_of_news_and_stars_in_place(browser: Browser, address: str, module_cli: Cli) -> None:
    with in_use(browser):
        login = {"username": "mei", "password": USERS["mei"]}
        context = browser.new_context(ignore_https_errors=True, http_credentials=login)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE)
        try:
            page = context.new_page()
            with page.expect_event("requestfinished", lambda one: "/costs" in one.url):
                page.goto(f"{address}/sessions?since=all")
            page.wait_for_function("navigator.locks.query().then(({ held }) => held.length > 0)")
            run_aside(lambda: write(module_cli.dsn, "new", "Seen through it"))
            # Nothing on the way keeps it back.
            expect(page.get_by_text("Seen through it")).to_be_visible()
            expect(page.locator("#away")).to_be_hidden()
            page.goto(f"{address}/sessions/{TIDE}")
            page.locator("[data-star]").click()
            expect(page.locator("[data-star]")).to_have_text("★ Starred")
            page.reload()
            expect(page.locator("[data-star]")).to_have_text("★ Starred")
        finally:
            context.close()

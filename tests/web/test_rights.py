"""A user of the database who may only read: all is there to be read, and what would change something says why not."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from agentstore.errors import AgentStoreError, QueryError, WriteError
from agentstore.integrations.problems import problem_of
from tests.web.conftest import in_use, logged_in
from tests.web.granting import READ, TITLE, pages_of
from tests.web.serving import Pages

TIDE = "/sessions/tide"
MAY_NOT = "the user that this server is to the database may not write"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with pages_of(tmp_path_factory.mktemp("reader"), READ) as pages:
        yield pages


@pytest.fixture
def client(pages: Pages) -> Iterator[httpx.Client]:
    with pages.client() as client:
        client.headers["origin"] = pages.address
        yield client


def test_one_who_may_only_read_reads_everything(client: httpx.Client) -> None:
    for path in ("/sessions?since=all", TIDE, "/search?q=tide&since=all", "/overview?since=all&panel=all", "/commits",
                 "/files", f"{TIDE}/markdown", f"{TIDE}/purge", f"{TIDE}/pin?at=0", "/costs?id=tide"):  # fmt: skip
        assert client.get(path).status_code == 200, path
    with client.stream("GET", "/live") as stream:
        assert next(stream.iter_lines()) == "event: hello"


@pytest.mark.parametrize(
    ("below", "sent"),
    [("/star", {"on": "1"}), ("/star", {"on": ""}), ("/hide", {"on": "1"}), ("/pin?at=0", {"note": "it"}),
     ("/purge", {"title": TITLE})],
)  # fmt: skip
def test_what_would_change_something_is_refused_and_said(
    client: httpx.Client, below: str, sent: dict[str, str]
) -> None:
    answer = client.post(TIDE + below, data=sent)
    assert answer.status_code == 403
    assert MAY_NOT in answer.text
    for inside in ("Traceback", "DB::Exception", "session_stars", "Internal error"):
        assert inside not in answer.text
    # It is there as before.
    assert client.get("/api/v1/sessions/tide/stars").json() == []
    assert TITLE in client.get("/sessions?since=all").text


def test_a_program_is_told_as_well(client: httpx.Client) -> None:
    answer = client.put("/api/v1/sessions/tide/star")
    assert (answer.status_code, answer.json()["detail"]) == (403, MAY_NOT)


@pytest.mark.parametrize("script", [True, False])
def test_a_button_that_may_not_says_so(browser: Browser, pages: Pages, script: bool) -> None:
    with in_use(browser):
        context = browser.new_context(java_script_enabled=script)
        try:
            page = logged_in(context, pages)
            page.goto(pages.address + TIDE)
            page.locator("[data-star]").click()
            expect(page.locator("main")).to_contain_text(MAY_NOT)
        finally:
            context.close()


def test_the_key_that_may_not_says_so(context: BrowserContext, pages: Pages) -> None:
    page = logged_in(context, pages)
    page.goto(f"{pages.address}/sessions?since=all")
    page.keyboard.press("j")
    page.keyboard.press("s")
    expect(page.get_by_role("alert")).to_have_text(f"The star was not changed: {MAY_NOT}.")
    expect(page.locator("tr.row .star")).to_have_count(0)


def refused(code: int) -> WriteError:
    """A write that the server has refused with this code."""
    error = WriteError("not stored", table="session_stars")
    error.__cause__ = QueryError("no", code=code)
    return error


@pytest.mark.parametrize(
    ("error", "status"),
    [(refused(164), 403), (refused(497), 403), (refused(60), 500), (QueryError("no", code=497), 403),
     (QueryError("no", code=60), 500), (WriteError("not stored"), 500), (WriteError("not yet", retriable=True), 503)],
)  # fmt: skip
def test_what_a_client_is_told_of_a_refusal(error: AgentStoreError, status: int) -> None:
    assert problem_of(error).status == status

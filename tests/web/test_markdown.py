"""A session as Markdown, as the command line has it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.cli.long_session import ID as LONG
from tests.cli.running import Cli
from tests.web.serving import Pages, served

TIDE = "0b6e2f4a-51c7-4f0e-9a53-2d8c6a1e7b01"


@pytest.fixture(scope="module")
def client(sample_pages: Pages) -> Iterator[httpx.Client]:
    with sample_pages.client() as client:
        yield client


@pytest.mark.parametrize(
    ("asked", "flags"),
    [("", ()), ("?tools=1", ("--tools",)), ("?tools=1&thinking=1&full=1", ("--tools", "--thinking", "--full"))],
)
def test_it_is_what_the_command_prints(
    client: httpx.Client, sample_cli: Cli, asked: str, flags: tuple[str, ...]
) -> None:
    answer = client.get(f"/sessions/{TIDE}/markdown{asked}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert 'filename="Fix-the-drifting-tide-clock.md"' in answer.headers["content-disposition"]
    done = sample_cli("show", TIDE, "--format", "md", *flags)
    assert answer.text == done.out


def test_one_message_comes_alone_with_its_calls(client: httpx.Client) -> None:
    answer = client.get(f"/sessions/{TIDE}/markdown?at=3")
    assert answer.text.startswith("## 3 · assistant")
    assert answer.text.count("\n## ") == 0
    assert "**Edit**" in answer.text
    assert client.get(f"/sessions/{TIDE}/markdown?at=999").status_code == 404
    assert client.get("/sessions/nobody/markdown").status_code == 404


def test_head_says_what_it_is(client: httpx.Client) -> None:
    answer = client.head(f"/sessions/{TIDE}/markdown")
    assert answer.content == b""
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"


def test_a_long_one_comes_in_pieces_and_ends_when_nobody_reads_it(long_cli: Cli) -> None:
    with served(long_cli) as pages, pages.client() as client:
        sizes = []
        with client.stream("GET", f"/sessions/{LONG}/markdown?tools=1&full=1") as stream:
            for piece in stream.iter_raw():
                sizes.append(len(piece))
                if sum(sizes) > 1_000_000:
                    break
        assert max(sizes) < 1_000_000
        # It serves on, and has nothing to wait for when it ends.
        assert client.get(f"/sessions/{LONG}/markdown?at=0").status_code == 200
        assert pages.stop() == 0
        assert pages.process.stderr is not None
        assert pages.process.stderr.read() == ""

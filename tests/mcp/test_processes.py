"""The server as a process: its end, what it prints, HTTP and its token, and a store that is away."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.mcp.asking import Agent, agent, environment, handles
from tests.mcp.test_tools import conversation, filled

HELLO = {
    "jsonrpc": "2.0", "id": 1, "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}  # fmt: skip


def started(home: Path, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "agentstore", "mcp", *arguments],
        env=environment(home, f"local:{home / 'store'}"), cwd=home,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def greeted(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    assert process.stdout
    process.stdin.write(json.dumps(HELLO).encode() + b"\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["result"]["serverInfo"]["name"] == "agentstore"


@pytest.mark.parametrize(("number", "code"), [(None, 0), (signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_ends_at_the_end_of_stdin_and_at_a_signal(home: Path, number: signal.Signals | None, code: int) -> None:
    process = started(home)
    greeted(process)
    if number is not None:
        process.send_signal(number)
        assert process.wait(30) == code
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (code, b"", b"")


def test_a_client_that_reads_no_more_is_no_fault(home: Path) -> None:
    process = started(home)
    greeted(process)
    assert process.stdin
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}).encode() + b"\n")
    process.stdin.flush()
    process.stdin.close()
    told = process.stderr.read()
    process.stderr.close()
    assert (process.wait(30), told) == (0, b"")


def test_what_is_no_message_breaks_nothing_and_stdout_has_messages_only(home: Path) -> None:
    process = started(home)
    assert process.stdin
    process.stdin.write(b"no json\n\xff\xfe\n[]\n")
    greeted(process)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert all(json.loads(line)["jsonrpc"] == "2.0" for line in out.splitlines())


@pytest.mark.parametrize("missing", ["mcp", "mcp_types"])
def test_without_the_extra_it_says_what_to_install(home: Path, missing: str) -> None:
    blocked = f"import sys; sys.modules[{missing!r}] = None; from agentstore.cli import main; sys.exit(main(['mcp']))"
    done = subprocess.run(
        [sys.executable, "-c", blocked], env=environment(home, f"local:{home / 'store'}"), cwd=home,
        stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'agentstore[mcp]'" in done.stderr
    assert "Traceback" not in done.stderr


@contextmanager
def over_http(home: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], str, str]]:
    process = started(home, "--http", "--port", "0", *arguments)
    try:
        assert process.stderr
        address = process.stderr.readline().decode().strip()
        told = "" if arguments else process.stderr.readline().decode().strip().removeprefix("Authorization: Bearer ")
        yield process, address, told
    finally:
        process.terminate()
        process.communicate(timeout=30)
    assert process.returncode == 0


async def test_http_is_for_who_has_the_token_and_asks_this_machine(home: Path) -> None:
    await filled(f"local:{home / 'store'}", "local", conversation("s", ["hello tide", "yes"]))
    with over_http(home) as (_, address, token):
        assert address.startswith("http://127.0.0.1:")
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http,
            Client(streamable_http_client(address, http_client=http)) as client,
        ):
            assert handles(await Agent(client)("search", query="tide", project="*"))
        accepts = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
        async with httpx.AsyncClient(headers=accepts) as plain:
            for headers in (
                {}, {"Authorization": "Bearer no"}, {"Authorization": f"Basic {token}"}, {"Authorization": token},
                {"Authorization": f"Bearer {token}x"}, {"Authorization": "Bearer"},
            ):  # fmt: skip
                for method in ("POST", "GET", "DELETE", "OPTIONS"):
                    response = await plain.request(method, address, headers=headers, json=HELLO)
                    assert response.status_code == 401
                    assert token not in response.text
            mine = {"Authorization": f"Bearer {token}"}
            assert (await plain.post(address, headers=mine, json=HELLO)).status_code == 200
            for foreign, code in (({"Host": "evil.example"}, 421), ({"Origin": "https://evil.example"}, 403)):
                assert (await plain.post(address, headers={**mine, **foreign}, json=HELLO)).status_code == code


def test_only_what_asks_is_answered_and_nobody_holds_up_its_end(home: Path) -> None:
    with over_http(home) as (process, address, token):
        mine = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        for method in ("GET", "DELETE", "PUT", "OPTIONS"):
            response = httpx.request(method, address, headers=mine)
            assert (response.status_code, response.headers["allow"]) == (405, "POST")
        assert httpx.post(address, headers=mine, content=b"x" * 5_000_000).status_code == 413
        with socket.create_connection(("127.0.0.1", httpx.URL(address).port)) as slow:
            head = f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nContent-Length: 99\r\n"
            slow.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
            assert b"100 Continue" in slow.recv(100)  # it waits for the body
            process.terminate()
            assert process.wait(30) == 0
        assert process.stderr
        assert process.stderr.read() == b""


def test_a_token_from_a_file_is_not_told(home: Path) -> None:
    file = home / "token"
    file.write_text("0123456789abcdef-of-a-file\n")
    with over_http(home, "--token-file", str(file)) as (_, address, _told):
        accepts = {"Accept": "application/json, text/event-stream"}
        mine = {"Authorization": "Bearer 0123456789abcdef-of-a-file", **accepts}
        assert httpx.post(address, headers=mine, json=HELLO).status_code == 200
    file.write_text("short")
    process = started(home, "--http", "--token-file", str(file))
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert b"no token" in err


async def test_a_store_that_is_away_is_told_of_and_comes_back(home: Path) -> None:
    from tests.local.server_processes import end_all_servers

    dsn = f"local:{home / 'store'}"
    await filled(dsn, "local", conversation("s", ["hello tide", "yes"]))
    async with agent(home, dsn) as asked:
        assert handles(await asked("search", query="tide", project="*"))
        await asyncio.to_thread(end_all_servers, home)
        (home / "store").rename(home / "away")
        text, is_error = await asked.answered("sessions", project="*")
        assert is_error
        assert not re.search(r"Traceback|fault of agentstore", text)
        assert not (home / "store").exists()
        (home / "away").rename(home / "store")
        assert handles(await asked("search", query="tide", project="*"))

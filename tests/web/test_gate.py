"""Who is let in, from where, and what every answer says to the browser."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agentstore.errors import ConfigError
from agentstore.faces.listening import listening
from agentstore.web.access.headers import POLICY
from agentstore.web.access.logins import Login, Logins
from agentstore.web.access.sealed import Sealed
from agentstore.web.live.streams import MOST
from agentstore.web.settings import WebSettings
from tests.cli.running import Cli
from tests.web.serving import SECONDS, Pages, served

TOKEN = "a-token-of-sixteen-or-more"


@pytest.fixture
def client(sample_pages: Pages) -> Iterator[httpx.Client]:
    with sample_pages.client() as client:
        yield client


def has_ipv6() -> bool:
    try:
        listening("::1", 0).close()
    except ConfigError:
        return False
    return True


# --- the link ----------------------------------------------------------------------------------------------------


def test_the_link_lets_one_browser_in_and_only_once(sample_pages: Pages) -> None:
    with sample_pages.stranger() as first, sample_pages.stranger() as second:
        link = sample_pages.link
        answer = first.get(link)
        sample_pages.link = sample_pages.next_link()
        assert (answer.status_code, answer.headers["location"]) == (302, "/")
        kept = answer.headers["set-cookie"]
        assert kept.startswith(f"agentstore_{sample_pages.port}=")
        for one in ("HttpOnly", "SameSite=strict", "Path=/"):
            assert one.lower() in kept.lower()
        assert first.get("/sessions").status_code == 200
        again = second.get(link)
        assert again.status_code == 401
        assert "used before" in again.text
        assert "set-cookie" not in again.headers
        assert second.get("/sessions").status_code == 303


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("HEAD", {}),
        ("GET", {"sec-purpose": "prefetch"}),
        ("GET", {"sec-purpose": "prefetch;prerender"}),
        ("GET", {"purpose": "prefetch"}),
        ("GET", {"x-moz": "prefetch"}),
        ("GET", {"x-purpose": "preview"}),
    ],
)
def test_who_only_looks_at_the_link_does_not_use_it_up(
    sample_pages: Pages, method: str, headers: dict[str, str]
) -> None:
    with sample_pages.stranger() as looking, sample_pages.stranger() as opening:
        looked = looking.request(method, sample_pages.link, headers=headers)
        assert looked.status_code == 403
        assert "set-cookie" not in looked.headers
        assert opening.get(sample_pages.link).status_code == 302
        sample_pages.link = sample_pages.next_link()


def test_who_is_not_logged_in_sees_the_login_and_comes_to_where_they_wanted(sample_pages: Pages) -> None:
    with sample_pages.stranger() as client:
        answer = client.get("/sessions?text=a%20b&since=all")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/login?next=%2Fsessions%3Ftext%3Da%2520b%26since%3Dall"
        assert "Token" in client.get(answer.headers["location"]).text
        let_in = client.get(answer.headers["location"] + "&" + sample_pages.link.partition("?")[2])
        sample_pages.link = sample_pages.next_link()
        assert let_in.headers["location"] == "/sessions?text=a%20b&since=all"


def test_the_way_to_the_login_is_short_enough_for_a_proxy(sample_pages: Pages) -> None:
    with sample_pages.stranger() as client:
        assert len(client.get("/search", params={"q": "海" * 100}).headers["location"]) > 1000
        answer = client.get("/search", params={"q": "海" * 1000})
        assert answer.headers["location"] == "/login?next=%2Fsearch"
        # nginx takes 4 KiB of headers, and says 502 where there are more.
        for path in ("/search?q=" + "a" * 2400, "/sessions/" + "a" * 3000):
            answer = client.get(path)
            assert sum(len(name) + len(value) + 4 for name, value in answer.headers.raw) < 4000
        assert answer.headers["location"] == "/login"


@pytest.mark.parametrize("next", ["//evil.example/", "/\\evil.example", "https://evil.example", "\t//evil.example", ""])
def test_a_login_goes_on_to_our_own_pages_only(sample_pages: Pages, next: str) -> None:
    with sample_pages.stranger() as client:
        answer = client.get("/login", params={"next": next, "token": sample_pages.link.rpartition("=")[2]})
        sample_pages.link = sample_pages.next_link()
        assert answer.headers["location"] == "/"


@pytest.mark.parametrize("path", ["/sessions", "/", "/nowhere", "/api/v1/sessions", "/live", "/sessions/x", "/health"])
def test_nothing_is_told_to_a_stranger(sample_pages: Pages, path: str) -> None:
    with sample_pages.stranger(accept="application/json") as client:
        answer = client.get(path)
        assert answer.status_code == 401
        assert answer.json()["title"] == "Not logged in"
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("value", ["", "x", "a.b", "é.ü", "e30.0000", "MTc2NDAwMDAwMA." + "0" * 64])
def test_a_cookie_that_is_not_ours_is_none(sample_pages: Pages, value: str) -> None:
    with sample_pages.stranger() as client:
        cookie = f"{sample_pages.cookie}={value}".encode("latin-1")
        assert client.get("/sessions", headers=[(b"accept", b"text/html"), (b"cookie", cookie)]).status_code == 303


def test_a_cookie_lives_on_when_the_pages_are_started_again(module_cli: Cli, sample_cli: Cli) -> None:
    cli = Cli(module_cli.home, sample_cli.dsn)
    with served(cli) as pages, pages.client() as client:
        value = client.cookies[pages.cookie]
    with served(cli) as pages, pages.stranger(cookie=f"{pages.cookie}={value}") as client:
        assert client.get("/sessions").status_code == 200
    key = cli.home / "state" / "agentstore" / "web.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.write_bytes(bytes(32))
    with served(cli) as pages, pages.stranger(cookie=f"{pages.cookie}={value}") as client:
        assert client.get("/sessions").status_code == 303


def test_a_login_that_is_used_goes_on_but_not_for_ever() -> None:
    day = 86400
    now = [1_000_000_000.0]
    logins = Logins(bytes(32), TOKEN, clock=lambda: now[0])
    value = logins.cookie()
    login = logins.opened(value)
    assert login is not None
    assert not logins.is_worn(login)
    now[0] += 29 * day
    assert logins.is_worn(login)
    unused, days = value, 29
    while True:
        value, seconds = logins.renewed(login)
        assert 0 < seconds <= 30 * day
        assert days + seconds / day <= 365
        now[0] += 20 * day
        days += 20
        again = logins.opened(value)
        # One that was not renewed has ended by now.
        assert logins.opened(unused) is None
        if again is None:
            break
        assert again.id == login.id
        assert logins.opened(value + "0") is None
        login = again
    assert 345 < days < 386
    now[0] = 1_000_000_000.0
    assert logins.opened(Logins(bytes(32), TOKEN, clock=lambda: now[0]).cookie()) != logins.opened(unused)


def test_a_cookie_of_before_they_could_be_renewed_is_good() -> None:
    now = [1_000_000_000.0]
    value = Sealed(bytes(32), f"login {TOKEN}").seal("1000000000")
    logins = Logins(bytes(32), TOKEN, clock=lambda: now[0])
    assert logins.opened(value) == Login("1000000000", 1_000_000_000, 1_000_000_000)
    now[0] += 31 * 86400
    assert logins.opened(value) is None


def test_the_cookie_is_given_anew_when_it_is_used_and_no_longer_new(module_cli: Cli, sample_cli: Cli) -> None:
    cli = Cli(module_cli.home, sample_cli.dsn)
    with served(cli) as pages:
        with pages.client() as fresh:
            assert "set-cookie" not in fresh.get("/sessions").headers
        key = (cli.home / "state" / "agentstore" / "web.key").read_bytes()
        logins = Logins(key, clock=lambda: time.time() - 2 * 86400)
        with pages.stranger(cookie=f"{pages.cookie}={logins.cookie()}", origin=pages.address) as client:
            for path in ("/static/x/app.css", "/favicon.ico", "/login"):
                assert "set-cookie" not in client.get(path).headers
            kept = client.get("/sessions").headers["set-cookie"]
            for one in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=2592000"):
                assert one.lower() in kept.lower()
            assert len(client.get("/nowhere").headers.get_list("set-cookie")) == 1
            # The last word is that of logging out.
            assert [one.partition(";")[0] for one in client.post("/logout").headers.get_list("set-cookie")] == [
                f'{pages.cookie}=""'
            ]
        value = kept.partition(";")[0].partition("=")[2]
        with pages.stranger(cookie=f"{pages.cookie}={value}") as client:
            answer = client.get("/sessions")
            assert answer.status_code == 200
            assert "set-cookie" not in answer.headers


def test_logging_out_takes_the_cookie_away(client: httpx.Client) -> None:
    answer = client.post("/logout", headers={"origin": str(client.base_url).rstrip("/")})
    assert answer.status_code == 303
    assert client.get("/sessions").status_code == 303


def test_wrong_tokens_are_not_looked_at_for_ever(module_cli: Cli, sample_cli: Cli) -> None:
    with served(Cli(module_cli.home, sample_cli.dsn)) as pages, pages.stranger() as client:
        answers = [client.get("/login?token=guess").status_code for _ in range(25)]
        assert answers == [401] * 20 + [429] * 5
        assert client.get(pages.link).status_code == 429


def test_wrong_tokens_of_one_keep_nobody_else_out() -> None:
    now = [1000.0]
    logins = Logins(bytes(32), TOKEN, clock=lambda: now[0])
    for _ in range(20):
        assert not logins.is_guessing("guesser")
        assert not logins.accepts("wrong", "guesser")
    assert logins.is_guessing("guesser")
    assert not logins.is_guessing("somebody")
    assert logins.is_bearer(TOKEN, "somebody")
    now[0] += 61
    assert not logins.is_guessing("guesser")
    # What is remembered of guessers has an end.
    for number in range(5000):
        logins.accepts("wrong", f"peer {number}")
    assert len(logins._guesses) == 1000


def test_a_long_token_lets_in_also_where_others_guess(module_cli: Cli, sample_cli: Cli) -> None:
    """Behind a proxy all have the same address."""
    token = "0123456789abcdef" * 2
    with with_token(Cli(module_cli.home, sample_cli.dsn), token=token) as pages:
        origin = {"origin": pages.address}
        with pages.stranger() as guesser:
            answers = [guesser.post("/login", data={"token": "guess"}, headers=origin).status_code for _ in range(21)]
            assert answers == [401] * 20 + [429]
        with pages.stranger() as client:
            assert client.post("/login", data={"token": token}, headers=origin).status_code == 303
        with pages.stranger(authorization=f"Bearer {token}") as program:
            assert program.get("/sessions").status_code == 200


def test_a_short_token_is_not_looked_at_where_somebody_guesses() -> None:
    logins = Logins(bytes(32), TOKEN)
    for number in range(20):
        logins.accepts(f"{number}", "guesser")
    assert not logins.may_try(TOKEN, "guesser")
    assert logins.may_try(TOKEN, "somebody")


def test_zones_of_a_cookie_are_those_that_all_know(client: httpx.Client) -> None:
    for cookie, zone in (
        ("Asia/Tokyo", "Asia/Tokyo"),
        ("right/UTC", "Europe/Berlin"),
        ("../etc/passwd", "Europe/Berlin"),
    ):
        client.cookies.set("agentstore_tz", cookie.replace("/", "%2F"))
        assert f"<strong data-zone>{zone}</strong>" in client.get("/sessions").text
        assert client.get("/overview/days", headers={"x-part": "panel"}).status_code == 200


def test_streams_of_a_login_are_bounded(sample_pages: Pages) -> None:
    with sample_pages.client() as one, sample_pages.client() as other, contextlib.ExitStack() as open_ones:

        def begun(client: httpx.Client) -> tuple[httpx.Response, contextlib.ExitStack]:
            stack = open_ones.enter_context(contextlib.ExitStack())
            return stack.enter_context(client.stream("GET", "/live", timeout=SECONDS)), stack

        held = [begun(one) for _ in range(MOST)]
        assert {answer.status_code for answer, _ in held} == {200}
        refused = one.get("/live", headers={"accept": "application/json"})
        assert refused.status_code == 429
        assert refused.json()["title"] == "Too many streams"
        assert int(refused.headers["retry-after"]) > 0
        # Who has logged in as well is another one.
        assert begun(other)[0].status_code == 200
        # Only asked for, it is none.
        for _ in range(MOST + 1):
            answer = other.head("/live")
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
        assert one.head("/live").status_code == 429
        held[0][1].close()
        deadline = time.monotonic() + SECONDS
        while (again := begun(one)[0].status_code) == 429:
            assert time.monotonic() < deadline
        assert again == 200


# --- from where --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "localhost:1", "127.0.0.1.evil.example:{port}", "", "[::1]"]
)
def test_another_host_is_refused_and_told_why(client: httpx.Client, sample_pages: Pages, host: str) -> None:
    answer = client.get("/sessions", headers={"host": host.format(port=sample_pages.port)})
    assert answer.status_code == 421
    assert "Host" in answer.text
    assert "--allow-host" in answer.text


@pytest.mark.parametrize("host", ["localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}"])
def test_the_names_of_loopback_are_ours(client: httpx.Client, sample_pages: Pages, host: str) -> None:
    cookie = f"{sample_pages.cookie}={client.cookies[sample_pages.cookie]}"
    named = {"host": host.format(port=sample_pages.port), "cookie": cookie}
    assert client.get("/sessions", headers=named).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
def test_a_write_from_elsewhere_is_refused(client: httpx.Client, headers: dict[str, str]) -> None:
    answer = client.post("/logout", headers=headers)
    assert answer.status_code == 403
    assert "Origin" in answer.text
    assert client.get("/sessions").status_code == 200


def test_a_form_of_ours_may_say_no_origin(client: httpx.Client) -> None:
    # What a browser sends that is set to tell nobody where it was.
    answer = client.post("/logout", headers={"origin": "null", "sec-fetch-site": "same-origin"})
    assert answer.status_code == 303


def test_a_header_that_counts_must_not_come_twice(sample_pages: Pages) -> None:
    with socket.create_connection(("127.0.0.1", sample_pages.port), SECONDS) as connection:
        host = f"127.0.0.1:{sample_pages.port}"
        connection.sendall(
            f"POST /logout HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nOrigin: http://evil\r\n"
            "Content-Length: 0\r\n\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("twice", ["Accept", "Sec-Fetch-Site", "Cookie", "X-Forwarded-For"])
@pytest.mark.parametrize("path", ["/sessions", "/nowhere", "/login?token=no"])
def test_a_header_that_comes_twice_is_no_fault_of_ours(sample_pages: Pages, path: str, twice: str) -> None:
    with sample_pages.stranger() as client:
        headers = [("accept", "text/html"), (twice, "text/html"), (twice, "cross-site")]
        answer = client.get(path, headers=headers)
        assert answer.status_code in (200, 303, 400, 401)
        assert answer.headers["content-security-policy"] == POLICY


def test_accept_may_be_several_headers(client: httpx.Client) -> None:
    answer = client.get("/sessions/nowhere", headers=[("accept", "application/xhtml+xml"), ("accept", "text/html")])
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("name", ["X User", "X-Üser", "X-User:", "X-User\n"])
def test_a_name_that_no_header_has_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="header"):
        WebSettings(org="local", user="ada", user_header=name)
    with pytest.raises(ConfigError, match="header"):
        WebSettings(org="local", user="ada", user_header="X-User", org_header=name)


def test_pages_are_of_an_organisation() -> None:
    with pytest.raises(ConfigError, match="organisation"):
        WebSettings(org="", user="ada")


@pytest.mark.parametrize("port", [-1, 65536])
def test_a_port_that_there_is_none_of_is_refused(port: int) -> None:
    with pytest.raises(ConfigError, match=str(port)):
        listening("127.0.0.1", port)


def test_others_than_loopback_need_a_login() -> None:
    with pytest.raises(ConfigError, match=r"0\.0\.0\.0") as caught:
        WebSettings(org="local", user="ada", host="0.0.0.0")
    assert "--token-file" in caught.value.hint
    assert WebSettings(org="local", user="ada", host="0.0.0.0", token=TOKEN).token == TOKEN
    assert TOKEN not in repr(WebSettings(org="local", user="ada", token=TOKEN))


@pytest.mark.parametrize(
    ("hosts", "host", "is_ours"),
    [
        (("history.example",), "history.example", True),
        (("history.example",), "history.example:8377", True),
        (("history.example",), "history.example:1", False),
        (("history.example:443",), "history.example", False),
        (("fe80::1",), "[fe80::1]:8377", True),
        ((), "127.0.0.1", False),
        (("https://history.example",), "history.example", True),
        (("https://history.example",), "history.example:8377", False),
        (("https://History.example:8443",), "history.example:8443", True),
    ],
)
def test_which_names_are_ours(hosts: tuple[str, ...], host: str, is_ours: bool) -> None:
    assert (host in WebSettings(org="local", user="ada", hosts=hosts).allowed_hosts) is is_ours


@pytest.mark.parametrize("host", ["", "https://", "https://a/b", "http://a", "a b", "https://ada@a"])
def test_a_name_that_no_host_has_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="host"):
        WebSettings(org="local", user="ada", hosts=(host,))


# --- a token, a proxy --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def with_token(cli: Cli, *arguments: str, token: str = TOKEN) -> Iterator[Pages]:
    file = cli.home / "token"
    file.write_text(token + "\n")
    file.chmod(0o600)
    with served(cli, "--token-file", str(file), *arguments) as pages:
        yield pages


def test_a_token_of_a_file_lets_many_in(module_cli: Cli, sample_cli: Cli) -> None:
    with with_token(Cli(module_cli.home, sample_cli.dsn)) as pages:
        assert pages.link == f"{pages.address}/"
        for _ in range(2):
            with pages.stranger() as client:
                origin = {"origin": pages.address}
                sent = client.post("/login", data={"token": TOKEN, "next": "/sessions"}, headers=origin)
                assert (sent.status_code, sent.headers["location"]) == (303, "/sessions")
                assert client.get("/sessions").status_code == 200
        with pages.stranger(authorization=f"Bearer {TOKEN}") as program:
            assert program.get("/sessions").status_code == 200
        with pages.stranger(authorization="Bearer another", accept="application/json") as program:
            assert program.get("/sessions").status_code == 401


def test_what_is_reached_over_tls_gives_a_cookie_for_tls_only(module_cli: Cli, sample_cli: Cli) -> None:
    with with_token(Cli(module_cli.home, sample_cli.dsn), "--allow-host", "https://history.example") as pages:
        for host, origin, status, is_secure in (
            ("history.example", "https://history.example", 303, True),
            ("history.example", "http://history.example", 403, None),
            (pages.address.partition("//")[2], pages.address, 303, False),
        ):
            with pages.stranger(host=host, origin=origin) as client:
                answer = client.post("/login", data={"token": TOKEN})
                assert answer.status_code == status
                if is_secure is not None:
                    assert ("secure" in answer.headers["set-cookie"].lower().split("; ")) is is_secure


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_the_address_that_is_printed_is_one_that_it_hears(module_cli: Cli, sample_cli: Cli) -> None:
    with with_token(Cli(module_cli.home, sample_cli.dsn), "--host", "::") as pages, pages.stranger() as client:
        assert client.get("/login").status_code == 200


def test_who_has_read_the_link_may_have_gone(sample_cli: Cli) -> None:
    with served(sample_cli) as pages, pages.stranger() as client:
        assert pages.process.stdout is not None
        pages.process.stdout.close()
        assert client.get(pages.link).status_code == 302
        assert client.get("/sessions").status_code == 200


def test_another_token_ends_the_logins_of_the_one_before() -> None:
    key = b"k" * 32
    cookie = Logins(key, TOKEN).cookie()
    assert Logins(key, TOKEN).opened(cookie)
    assert not Logins(key, TOKEN + "s").opened(cookie)
    assert not Logins(key).opened(cookie)


@pytest.mark.parametrize(
    ("text", "mode", "said"), [("short", 0o600, "16"), (TOKEN, 0o644, "chmod 600"), ("", 0o600, "16")]
)
def test_a_file_that_is_no_secret_is_refused(module_cli: Cli, text: str, mode: int, said: str) -> None:
    file = module_cli.home / "bad-token"
    file.write_text(text)
    file.chmod(mode)
    done = module_cli("web", "--port", "0", "--token-file", str(file))
    assert done.code == 2
    assert said in done.err
    assert TOKEN not in done.err


def test_a_proxy_says_who_asks_and_for_which_organisation(module_cli: Cli, sample_cli: Cli) -> None:
    flags = ("--trust-proxy-header", "X-User", "--trust-proxy-org-header", "X-Org", "--allow-host", "history.example")
    with served(Cli(module_cli.home, sample_cli.dsn), *flags) as pages:
        with pages.stranger(host="history.example") as client:
            refused = client.get("/sessions")
            assert refused.status_code == 401
            assert "X-User" in refused.text
            assert "--trust-proxy-header" in refused.text
            assert "X-Org" in client.get("/sessions", headers={"x-user": "mei"}).text
            ours = client.get("/sessions?since=all", headers={"x-user": "mei", "x-org": "local"})
            assert "Fix the drifting tide clock" in ours.text
            assert "mei" in ours.text
            theirs = client.get("/sessions?since=all", headers={"x-user": "mei", "x-org": "others"})
            assert "Fix the drifting tide clock" not in theirs.text
        with pages.stranger(**{"host": "evil.example", "x-user": "mei", "x-org": "local"}) as client:
            assert client.get("/sessions").status_code == 421


def test_two_ways_in_at_once_are_refused(module_cli: Cli, sample_cli: Cli) -> None:
    file = module_cli.home / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    cli = Cli(module_cli.home, sample_cli.dsn)
    done = cli("web", "--port", "0", "--token-file", str(file), "--trust-proxy-header", "X-User")
    assert done.code == 2
    assert "together" in done.err


# --- what every answer says --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [("/sessions", 200), ("/nowhere", 404), ("/login", 302), ("/static/x/app.css", 200), ("/sessions?since=soon", 400),
     ("/static/x/../../pyproject.toml", 404), ("/logout", 405), ("/favicon.ico", 200)],
)  # fmt: skip
def test_every_answer_has_the_policy(client: httpx.Client, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    is_ours = path in ("/static/x/app.css", "/favicon.ico")
    assert ("no-store" in answer.headers["cache-control"]) is not is_ours
    assert "server" not in answer.headers


def test_refusals_have_the_policy_too(sample_pages: Pages) -> None:
    with sample_pages.stranger() as client:
        for answer in (
            client.get("/sessions"),
            client.get("/login"),
            client.get("/", headers={"host": "evil.example"}),
        ):
            assert answer.headers["content-security-policy"] == POLICY


def test_a_fault_is_told_without_its_inside(client: httpx.Client) -> None:
    answer = client.get("/sessions?since=soon")
    assert "soon" in answer.text
    assert "2w, 3d" in answer.text
    assert "Traceback" not in answer.text
    assert "agentstore/web" not in answer.text


def test_a_body_that_is_too_large_is_refused(client: httpx.Client, sample_pages: Pages) -> None:
    body = {"token": "x" * 200_000}
    assert client.post("/login", data=body, headers={"origin": sample_pages.address}).status_code == 413


def test_a_port_that_is_taken_is_told(sample_cli: Cli, sample_pages: Pages) -> None:
    done = sample_cli("web", "--port", str(sample_pages.port))
    assert done.code == 2
    assert str(sample_pages.port) in done.err
    assert "--port 0" in done.err


def test_it_ends_well_when_it_is_told_to(sample_cli: Cli, tmp_path: Path) -> None:
    with served(sample_cli) as pages:
        with pages.client() as client, client.stream("GET", "/live", timeout=SECONDS) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: hello"
            assert pages.stop() == 0
            assert list(lines)  # to its end, which came
        assert pages.process.stderr is not None
        assert pages.process.stderr.read() == ""

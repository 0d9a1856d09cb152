"""Where the store is: DSNs, options, the environment, and passwords that never show."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path
from typing import Any

import pytest

from agentstore import AsyncClickHouseStore, ConfigError, ConnectOptions
from agentstore.settings import default_local_path, resolve_target

PASSWORD = "s3cr3t-Zq9xW"


def parsed(dsn: str, **overrides: Any) -> dict[str, Any]:
    """What differs from the defaults."""
    options, plain = resolve_target(dsn, overrides), ConnectOptions()
    names = ConnectOptions.__struct_fields__
    return {name: getattr(options, name) for name in names if getattr(options, name) != getattr(plain, name)}


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("clickhouse://", {}),
        ("clickhouse://example.org", {"host": "example.org"}),
        ("clickhouse://example.org:9001", {"host": "example.org", "port": 9001}),
        ("clickhouse://example.org/", {"host": "example.org"}),
        ("clickhouse://example.org/db", {"host": "example.org", "database": "db"}),
        ("clickhouse://ada@h/db", {"host": "h", "user": "ada", "database": "db"}),
        ("clickhouse://ada:pw@h", {"host": "h", "user": "ada", "password": "pw"}),
        ("clickhouse://:pw@h", {"host": "h", "password": "pw"}),
        ("clickhouse://a%40b:p%2Fw%3A%40%23%3F%25@h", {"host": "h", "user": "a@b", "password": "p/w:@#?%"}),
        ("clickhouse://h/d%20%40b", {"host": "h", "database": "d @b"}),
        ("clickhouse://h?pool_size=3&compression=lz4", {"host": "h", "pool_size": 3, "compression": "lz4"}),
        ("clickhouse://h?verify=false", {"host": "h", "verify": False}),
        ("clickhouse://h?query_timeout_seconds=1.5", {"host": "h", "query_timeout_seconds": 1.5}),
        ("clickhouses://h", {"host": "h", "secure": True}),
        ("clickhouses://h:9440/db", {"host": "h", "port": 9440, "secure": True, "database": "db"}),
        ("clickhouses://h?ca_certs=/x.pem", {"host": "h", "secure": True, "ca_certs": "/x.pem"}),
        ("clickhouse://[::1]:9000", {"host": "::1", "port": 9000}),
        ("clickhouse://:9001", {"port": 9001}),
        ("clickhouse://H:9001", {"host": "h", "port": 9001}),
        ("clickhouse://ada:p%2Cw@a:9000,b:9001/db",
         {"host": "a:9000,b:9001", "user": "ada", "password": "p,w", "database": "db"}),
        ("clickhouse://ada:p,w@a,b", {"host": "a,b", "user": "ada", "password": "p,w"}),
        ("clickhouse://a,b:9001?port=9005", {"host": "a,b:9001", "port": 9005}),
        ("clickhouses://[::1]:9000,[::2],c.example", {"host": "[::1]:9000,[::2],c.example", "secure": True}),
        ("clickhouse://a,b?host_order=in_order", {"host": "a,b", "host_order": "in_order"}),
        ("clickhouse://[fe80::1%25eth0]:9000,b", {"host": "[fe80::1%eth0]:9000,b"}),
        ("clickhouse://h?cluster=main", {"host": "h", "cluster": "main"}),
        ("local:/var/lib/x", {"local_path": "/var/lib/x"}),
        ("local:rel ative/ä", {"local_path": "rel ative/ä"}),
        ("local:/x?database=db&pool_size=2", {"local_path": "/x", "database": "db", "pool_size": 2}),
    ],
)  # fmt: skip
def test_a_dsn_says(dsn: str, expected: dict[str, Any]) -> None:
    assert parsed(dsn) == expected


def test_defaults() -> None:
    options = ConnectOptions()
    assert (options.user, options.database, options.password, options.native_port) == (
        "default",
        "agentstore",
        "",
        9000,
    )
    assert ConnectOptions(secure=True).native_port == 9440
    assert ConnectOptions(secure=True, port=9999).native_port == 9999


def hosts_of(target: str | ConnectOptions, **overrides: Any) -> list[tuple[str, int]]:
    return [(host.name, host.port) for host in resolve_target(target, overrides).hosts]


def test_every_host_has_a_port() -> None:
    assert hosts_of("clickhouse://") == [("localhost", 9000)]
    assert hosts_of("clickhouse://h:9001") == [("h", 9001)]
    assert hosts_of("clickhouse://a,b:9001,[::1]") == [("a", 9000), ("b", 9001), ("::1", 9000)]
    assert hosts_of("clickhouses://a,b:9001") == [("a", 9440), ("b", 9001)]
    assert hosts_of("clickhouse://a,b:9001", port=9005) == [("a", 9005), ("b", 9001)]
    assert hosts_of("clickhouse://a:9001,b:9001,a:9001") == [("a", 9001), ("b", 9001)]
    assert hosts_of("clickhouse://h:9001", host="a,b:1") == [("a", 9001), ("b", 1)]
    assert hosts_of("clickhouse://h:9001", host="a:2, b:1") == [("a", 2), ("b", 1)]
    assert hosts_of("clickhouse://h:9001", port=9002) == [("h", 9002)]
    assert hosts_of("clickhouse://h:9001", host="::1") == [("::1", 9001)]
    assert hosts_of(ConnectOptions(host="a,[::1]:5", port=4)) == [("a", 4), ("::1", 5)]
    assert ConnectOptions(host="[::1]:5,b").where == "[::1]:5,b:9000"
    assert "a:1,b:9000" in repr(AsyncClickHouseStore("clickhouse://u:pw@a:1,b"))


@pytest.mark.parametrize("host", ["", "a,", "a b", "a:b", "a:70000", "a:1:2", "[::1", "[::1]x", "a@b", "[h]:1", "a:²"])
def test_a_list_of_hosts_that_cannot_be_read_is_refused(host: str) -> None:
    with pytest.raises(ConfigError, match="host: "):
        ConnectOptions(host=host)


def test_overrides_win_over_dsn_options_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTSTORE_DSN", "clickhouse://env/db")
    assert resolve_target(None, {}).host == "env"
    assert resolve_target(None, {"host": "given"}).host == "given"
    assert resolve_target("clickhouse://dsn?pool_size=3", {"pool_size": 5}).pool_size == 5
    options = ConnectOptions(host="h", password="pw")
    assert resolve_target(options, {}) == options
    assert resolve_target(options, {"database": "x"}) == ConnectOptions(host="h", password="pw", database="x")


def test_without_anything_it_is_the_users_local_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AGENTSTORE_DSN", raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert AsyncClickHouseStore().options.local_path == str(tmp_path / "agentstore")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert default_local_path() == Path.home() / ".local" / "share" / "agentstore"
    monkeypatch.setenv("AGENTSTORE_DSN", "")
    assert AsyncClickHouseStore().options.local_path == str(default_local_path())


@pytest.mark.parametrize(("port", "native"), [(8123, "9000"), (8443, "9440")])
def test_http_ports_are_refused_with_the_native_one(port: int, native: str) -> None:
    for make in (
        lambda: ConnectOptions(port=port),
        lambda: resolve_target(f"clickhouse://h:{port}", {}),
        lambda: resolve_target(f"clickhouses://h:{port}/db", {}),
        lambda: resolve_target("clickhouse://h", {"port": port}),
        lambda: resolve_target(f"clickhouse://h?port={port}", {}),
        lambda: AsyncClickHouseStore(f"clickhouse://h:{port}"),
        lambda: AsyncClickHouseStore(f"clickhouse://h:9001,b:{port}"),
        lambda: AsyncClickHouseStore("clickhouse://h", host=f"b:{port}"),
    ):
        with pytest.raises(ConfigError, match=rf"{port} speaks HTTP.*{native}") as caught:
            make()
        assert native in caught.value.hint


@pytest.mark.parametrize(
    "bad",
    [
        "", "example.org", "http://h:8123", "https://h", "clickhouse:h", "clickhouse:/h", "Clickhouse//h", "local",
        "local:", "postgres://h/db", "clickhouse+native://h", "clickhouse://h:port", "clickhouse://h:99999",
        "clickhouse://h:-1", "clickhouse://[::1", "clickhouse://h/db#x", "clickhouse://h?pool_size", "clickhouse://h?=",
        "clickhouse://h?pool_size=0", "clickhouse://h?pool_size=many", "clickhouse://h?secure=perhaps",
        "clickhouse://h?colour=red", "clickhouse://h?query_timeout_seconds=0",
        "clickhouse://h?connect_timeout_seconds=nan", "clickhouse://h/d@b", "clickhouse://h?ca_certs=a@b",
        "clickhouse://a,,b", "clickhouse://a,", "clickhouse://,", "clickhouse://a:9000,b:x",
        "clickhouse://a:9000,b:99999", "clickhouse://a,::1", "clickhouse://::1", "clickhouse://a,[::1", "clickhouse://[a]",
        "clickhouse://[::1]9000,b", "clickhouse://a,b c", "clickhouse://a%2Cb,c", "clickhouse://a:1,b:2?port=3",
        "clickhouse://a,b?host_order=best", "clickhouse://a,b?host=c,,d",
        "clickhouse://h?compression=gzip", "clickhouse://h?port=70000", "clickhouse://h?database=",
    ],
)  # fmt: skip
def test_bad_dsns_are_refused(bad: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AsyncClickHouseStore(bad)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    "bad", [{"port": "x"}, {"port": None}, {"pool_size": 1.5}, {"host": 5}, {"password": None}, {"colour": "red"}]
)
def test_bad_overrides_are_refused_by_name(bad: dict[str, Any]) -> None:
    [name] = bad
    with pytest.raises(ConfigError, match=name):
        AsyncClickHouseStore("clickhouse://h", **bad)


def test_a_target_of_another_type_is_refused() -> None:
    wrong: Any
    for wrong in (5, b"clickhouse://h", ["clickhouse://h"], Path("/x")):
        with pytest.raises(ConfigError, match="expected a DSN or ConnectOptions"):
            AsyncClickHouseStore(wrong)


def test_options_are_frozen_and_compared_by_value() -> None:
    options = ConnectOptions(host="h")
    with pytest.raises(AttributeError):
        options.host = "x"  # type: ignore[misc]
    assert options == ConnectOptions(host="h")
    assert options != ConnectOptions(host="h", password="pw")


def test_the_password_is_in_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for store in (
        AsyncClickHouseStore(f"clickhouse://ada:{PASSWORD}@h:9000/db"),
        AsyncClickHouseStore("clickhouse://h", password=PASSWORD),
        AsyncClickHouseStore(f"clickhouse://h?password={PASSWORD}"),
        AsyncClickHouseStore(f"local:/x?password={PASSWORD}"),
        AsyncClickHouseStore(f"clickhouse://ada:{PASSWORD}@a:9000,b:9001,[::1]/db"),
    ):
        assert store.options.password == PASSWORD
        shown = f"{store!r} {store} {store.options!r} {store.options} {[store.options]} {vars(store)}"
        assert PASSWORD not in shown
        assert "***" in shown
        assert PASSWORD not in repr(list(store.options.__rich_repr__()))
    assert PASSWORD not in caplog.text
    assert "password=''" in repr(ConnectOptions())


MISTYPED = [
    "clickhose://ada:{}@h/db",
    "clickhouse:/ada:{}@h/db",
    "clickhouse:ada:{}@h",
    "ada:{}@h:9000",
    "clickhouse://ada:{}@h:90x0/db",
    "clickhouse://ada:{}@h:8123/db",
    "clickhouse://ada:{}@h:99999",
    "clickhouse://ada:{}@[::1/db",
    "clickhouse://ada:{}@h/db?pool_size=x",
    "clickhouse://ada:{}@h/db?colour=red",
    "clickhouse://ada:{}@h/db#frag",
    "clickhouse://ada:12/{}@h:9000/db",
    "clickhouse://ada:12#{}@h/db",
    "clickhouse://ada:12?{}@h/db",
    "clickhouse://ada:12?{}=x@h/db",
    "clickhouse://ada:12?a={}@h/db",
    "clickhouse://ada:{}/x@h:9000/db",
    "clickhouse://ada:{}?x@h:9000/db",
    "clickhouse://ada:{}#x@h:9000/db",
    "clickhouse://ada:{}@@h:port/db",
    "clickhouse://ada:{} @h:port/db",
    "clickhouse://ada:{}[@h/db",
    "clickhouse://{}:@h:x/db",
    "clickhouse://ada:{}@a:9000,b:port/db",
    "clickhouse://ada:12,{}/x@a,b/db",
    "clickhouse://ada:12,{}:x",
    "clickhouse://ada:12,x:{}",
    "clickhouse://ada:{},b",
    "clickhouse://ada:1:{}",
    "clickhouse://ada:{}@a,,b/db",
    "clickhouse://ada:{}@a:1,b:2/db?port=3",
    "clickhouse://ada:{}@a,b:8123/db",
]


@pytest.mark.parametrize("dsn", MISTYPED)
@pytest.mark.parametrize("password", [PASSWORD, f"77{PASSWORD}", f"a{PASSWORD}=&%"])
def test_the_password_is_in_no_error(dsn: str, password: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AsyncClickHouseStore(dsn.format(password))
    told = "".join(traceback.format_exception(caught.value)).replace(f"({dsn!r})", "")
    assert PASSWORD not in f"{caught.value} {caught.value!r} {caught.value.hint} {vars(caught.value)}"
    # Nor in what Python prints of the errors behind it; its own source lines show the test, not the value.
    assert PASSWORD not in told


@pytest.mark.parametrize("host", ["ada:{}@h", "clickhouse://ada:{}@h:9000/db", "ada:{}@h,b"])
def test_the_password_is_in_no_error_of_a_host_that_names_an_account(host: str) -> None:
    with pytest.raises(ConfigError, match="no host's name holds an @") as caught:
        AsyncClickHouseStore("clickhouse://h/db", host=host.format(PASSWORD))
    assert PASSWORD not in f"{caught.value} {caught.value!r} {vars(caught.value)}"


@pytest.mark.parametrize("path", ["./history", "history", "/var/lib/x", "~/h", "C\\x"])
def test_a_path_without_a_scheme_is_shown_with_the_dsn_that_was_meant(path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AsyncClickHouseStore(path)
    assert repr(path) in caught.value.message
    assert f"local:{path}" in caught.value.hint


def test_an_option_of_the_wrong_type_is_named_first() -> None:
    with pytest.raises(ConfigError, match=r"^pool_size: expected int, got str$"):
        AsyncClickHouseStore("clickhouse://h?pool_size=many")

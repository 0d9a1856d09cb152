"""Real profiles with real constraints, and clusters, as the engine takes them from its configuration."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agentstore import AsyncClickHouseStore, ConfigError
from agentstore.connection import needs, profile
from agentstore.connection.sql import sql
from agentstore.local.engine import configuration
from tests.builders import commit, message, session
from tests.live.connections import connected
from tests.local.conftest import ServerThread

USERS = """\
<clickhouse>
    <profiles><default>{settings}<constraints>{constraints}</constraints></default></profiles>
    <users><default>
        <password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
    </default></users>
    <quotas><default></default></quotas>
</clickhouse>
"""
NODE = "<replica><host>127.0.0.{}</host><port>9000</port></replica>"
CLUSTERS = f"""\
<remote_servers>
    <replicas><shard>{NODE.format(1)}{NODE.format(2)}</shard></replicas>
    <shards><shard>{NODE.format(1)}</shard><shard>{NODE.format(2)}</shard></shards>
</remote_servers>
<macros><kind>replicas</kind></macros>
"""

Start = Callable[..., str]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts the engine with more in its configuration; returns a DSN."""
    template = configuration._TEMPLATE
    with ExitStack() as running:

        def started(settings: str = "", constraints: str = "", more: str = "") -> str:
            users = tmp_path / "users.xml"
            users.write_text(USERS.format(settings=settings, constraints=constraints))
            more += f"<users_config>{users}</users_config>"
            monkeypatch.setattr(configuration, "_TEMPLATE", template.replace("</clickhouse>", f"{more}</clickhouse>"))
            server = running.enter_context(ServerThread(tmp_path / "db", password="secret"))
            return f"clickhouse://default:secret@127.0.0.1:{server.port}/history"

        yield started


async def use(store: AsyncClickHouseStore) -> None:
    await store.ensure_schema()
    await store.write_session("o", session("s"), [message(0, "a quokka")])
    await store.write_session("o", session("t"))
    await store.write_git_links("o", [commit("s", "abcdef")])
    assert [one.commit_count for one in await store.usage_by_user("o")] == [1]
    assert len(await store.get_session_messages("o", "s")) == 1


async def test_a_profile_does_not_leak_in(start: Start) -> None:
    dsn = start("<join_use_nulls>1</join_use_nulls><final>1</final>")
    async with AsyncClickHouseStore(dsn) as store:
        await use(store)
        await store.write_git_links("o", [])
        async with connected(store) as connection:
            assert connection.fitted.sent == {"limit": "0", "offset": "0", "join_use_nulls": "0", "final": "0"}


async def test_a_constraint_that_is_in_the_way_is_named(start: Start) -> None:
    dsn = start(
        "<join_use_nulls>1</join_use_nulls><max_result_rows>9</max_result_rows>"
        "<result_overflow_mode>break</result_overflow_mode>",
        "<join_use_nulls><const/></join_use_nulls><result_overflow_mode><const/></result_overflow_mode>",
    )
    said = r"join_use_nulls is 1 and has to be 0: .*; result_overflow_mode is 'break' and has to be 'throw'"
    with pytest.raises(ConfigError, match=said) as caught:
        await AsyncClickHouseStore(dsn).open()
    assert "ALTER USER" in caught.value.hint
    assert "secret" not in str(caught.value)


async def test_constraints_that_do_no_harm_are_kept(start: Start) -> None:
    dsn = start(
        "<result_overflow_mode>break</result_overflow_mode>",
        # Not max_block_size: the local server itself sets it in every session.
        "<result_overflow_mode><const/></result_overflow_mode>"
        "<preferred_block_size_bytes><const/></preferred_block_size_bytes>",
    )
    async with AsyncClickHouseStore(dsn) as store:
        await use(store)
        async with connected(store) as connection:
            assert connection.fitted.left_out == {"preferred_block_size_bytes"}
            assert "result_overflow_mode" not in connection.fitted.sent


async def test_settings_are_asked_for_once_and_again_later(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    question = needs.question

    def counted(*arguments: object) -> object:
        nonlocal asked
        asked += 1
        return question(*arguments)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(profile, "question", counted)
    now = 0.0
    dsn = start()
    options = AsyncClickHouseStore(dsn).options
    known = profile.Profiles(options, clock=lambda: now)
    async with AsyncClickHouseStore(dsn) as store:
        before = asked
        assert before == 1
        async with connected(store) as connection:
            asked = 0
            for seconds, expected in ((0.0, 1), (1.0, 1), (60.0, 1), (61.0, 2), (120.0, 2), (122.0, 3)):
                now = seconds
                await known.fit(connection, "here", "default")
                assert asked == expected, seconds
            await known.fit(connection, "elsewhere", "default")
            assert asked == 4


async def test_a_broken_version_is_warned_about_once_for_a_store(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answer = needs.answer
    monkeypatch.setattr(profile, "answer", lambda columns: ("26.9.1.1000", answer(columns)[1]))
    dsn = start()
    async with AsyncClickHouseStore(dsn) as store:
        await store.ensure_schema()
        async with connected(store) as connection:
            statement = sql("ALTER TABLE messages MODIFY TTL toDateTime(_version / 1000000000) + INTERVAL 9 YEAR")
            with caplog.at_level(logging.WARNING, "agentstore"):
                assert caplog.messages == []
                await connection.fetch(statement, {"materialize_ttl_after_modify": 0}, timeout=60)
    with caplog.at_level(logging.WARNING, "agentstore"):
        async with AsyncClickHouseStore(dsn, pool_size=3) as store:
            await use(store)
    (said,) = [one for one in caplog.messages if "TTL" in one]
    assert "ClickHouse 26.9.1.1000" in said
    assert "fixed in 26.9.1.1616" in said


async def test_a_cluster_is_looked_at_before_anything_is_created(start: Start) -> None:
    dsn = start(more=CLUSTERS)
    with pytest.raises(ConfigError, match=r"no cluster 'nowhere'.*its clusters: 'replicas', 'shards'"):
        await AsyncClickHouseStore(dsn, cluster="nowhere").open()
    with pytest.raises(ConfigError, match=r"'shards' has 2 shards, and each node would show only the rows of its own"):
        await AsyncClickHouseStore(dsn, cluster="shards").open()
    async with AsyncClickHouseStore(dsn) as store:
        await store.ensure_schema()
    # The engine refuses ON CLUSTER, so what is opened, and set up again, did not say it.
    for cluster in ("replicas", "{kind}"):
        async with AsyncClickHouseStore(dsn, cluster=cluster) as store:
            assert await store.ensure_schema() == []
            await use(store)

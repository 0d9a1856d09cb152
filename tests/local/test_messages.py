"""What a client, or whoever starts the server, reads when the engine fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from asynch.errors import ServerException

from agentstore.local.engine.engine import Engine
from agentstore.local.engine.errors import EngineError
from agentstore.local.server.server import LocalServer
from tests.local.talk import query_alone, running


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LocalServer]:
    async with running(tmp_path) as started:
        yield started


def test_a_start_that_fails_says_why(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The engine's own error says: Error initializing EmbeddedServer: ."""
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata" / "odd.sql").write_text("ATTACH DATABASE _ UUID 'no uuid' ENGINE = Atomic")
    (tmp_path / "metadata" / "odd").mkdir()
    with pytest.raises(EngineError, match="while loading database `odd`") as caught:
        Engine(str(tmp_path)).open()
    assert (caught.value.code, caught.value.name) == (376, "CANNOT_PARSE_UUID")
    assert "while loading database `odd`" in capfd.readouterr().err  # and the log has it as before


def test_a_start_that_fails_shows_no_addresses_of_the_engines_code(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(EngineError, match="Not a directory") as caught:
        Engine(str(tmp_path)).open()
    assert "Stack trace" not in str(caught.value)
    assert "@ 0x" not in str(caught.value)


async def test_a_message_that_is_cut_says_so(server: LocalServer) -> None:
    with pytest.raises(ServerException) as caught:
        await query_alone(server, "SELECT throwIf(1, 'before\\0after')")
    assert caught.value.code == 395
    assert "before… (the rest of the engine's message is cut off)" in str(caught.value)
    with pytest.raises(ServerException) as caught:
        await query_alone(server, "SELECT throwIf(1, 'a Stack trace: whole')")
    assert "a Stack trace: whole" in str(caught.value)
    assert "cut off" not in str(caught.value)

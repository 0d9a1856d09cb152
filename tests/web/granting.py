"""Pages whose user the database lets do a part of what they could do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentstore.local.engine import configuration
from tests.cli.running import Cli
from tests.local.conftest import ServerThread
from tests.local.test_profiles import USERS
from tests.web.serving import Pages, served
from tests.web.test_proxies import write

TITLE = "Fix the drifting tide clock"
# The engine itself makes and drops a database when it starts, and reads what is inserted as a file.
READ = "SELECT, SHOW, CREATE, DROP"
WRITE = f"{READ}, INSERT, FILE"


@contextlib.contextmanager
def granted(directory: Path, rights: str) -> Iterator[str]:
    """The engine with one user who has these rights; its DSN."""
    users = directory / "users.xml"
    grants = f"<grants><query>GRANT {rights} ON *.*</query></grants>"
    users.write_text(
        USERS.format(settings="", constraints="").replace("</default></users>", f"{grants}</default></users>")
    )
    more = f"<users_config>{users}</users_config></clickhouse>"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(configuration, "_TEMPLATE", configuration._TEMPLATE.replace("</clickhouse>", more))
        with ServerThread(directory / "db", password="secret") as server:
            yield f"clickhouse://default:secret@127.0.0.1:{server.port}/history"


@contextlib.contextmanager
def pages_of(directory: Path, rights: str) -> Iterator[Pages]:
    """A session written by one who may do everything, and pages that have these rights."""
    with granted(directory, "ALL") as dsn:
        asyncio.run(write(dsn, "tide", TITLE))
    with granted(directory, rights) as dsn, served(Cli(directory, dsn)) as pages:
        yield pages

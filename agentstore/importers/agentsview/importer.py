"""agentsview's database as one importer among others."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable, Sequence

from agentstore.importers.agentsview.history import AgentsViewHistory
from agentstore.importers.agentsview.tables import is_agentsview
from agentstore.importers.importer import NO_FACTS, FileFacts, Home, Options
from agentstore.importers.sqlite_files import is_sqlite, open_database, with_log

_FOLDER = ".agentsview"
_FILE = "sessions.db"
_TABLE = re.compile(rb"CREATE TABLE\s+[`\"]?(?:tool_calls|messages|sessions)[`\"]?\s*\(", re.IGNORECASE)


class AgentsView:
    """agentsview's databases. What they have is a copy of what other importers read (``Session.copied_by``)."""

    name = "agentsview"
    version = 2  # what usage events cost; several of a response are one object

    def places(self, home: Home) -> list[pathlib.PurePath]:
        """The same on all systems; two variables name another folder, the second in older versions."""
        named = home.environ.get("AGENTSVIEW_DATA_DIR") or home.environ.get("AGENT_VIEWER_DATA_DIR")
        return [(home.path.joinpath(named) if named else home.path / _FOLDER) / _FILE]

    def detect(self, path: pathlib.Path, head: bytes) -> bool:
        """Other agents call theirs ``sessions.db``, too, so its tables decide. They are not looked at in files that
        have another name and do not begin with them."""
        if not is_sqlite(head) or not (path.name == _FILE or _TABLE.search(head)):
            return False
        with open_database(path, lambda _reason: None) as database:
            return is_agentsview(database) or (path.parent.name == _FOLDER and path.name == _FILE)

    def beside(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return with_log(path)

    def around(self, path: pathlib.Path) -> Iterable[pathlib.Path]:
        return ()

    def survey(
        self, files: Sequence[pathlib.Path], options: Options, known: FileFacts = NO_FACTS, grown: FileFacts = NO_FACTS
    ) -> AgentsViewHistory:
        return AgentsViewHistory(files, options, known, grown)

"""What sessions did with a file, a line for each session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentstore.cli.resolving import short_ids
from agentstore.cli.terminal.tables import Column, table
from agentstore.faces.money import count
from agentstore.faces.times import moment, zone_title
from agentstore.faces.titles import title_of

if TYPE_CHECKING:
    from agentstore import FileHistoryEntry
    from agentstore.cli.opening import Opened

_OPERATIONS = ("write", "edit", "move", "delete", "read")


class Touched:
    """The touches of one session. ``latest`` is the first that came: a history begins with what is newest."""

    def __init__(self, latest: FileHistoryEntry) -> None:
        self.latest = latest
        self.operations: Counter[str] = Counter()
        self.paths: set[str] = set()

    def add(self, touch: FileHistoryEntry) -> None:
        """One touch more."""
        self.operations[touch.operation] += 1
        self.paths.add(touch.path)

    @property
    def told(self) -> str:
        """What was done, and how often."""
        known = [one for one in _OPERATIONS if self.operations[one]]
        numbers = ((one, self.operations[one]) for one in known)
        return ", ".join(f"{number} {one}s" if number > 1 else one for one, number in numbers)


def show_touched(opened: Opened, found: Sequence[Touched], *, is_folder: bool) -> None:
    """A table of sessions, in the order given."""
    ids = short_ids([one.latest.session_id for one in found])
    users = {one.latest.user_id for one in found}
    columns = [
        Column("id", style="yellow"),
        Column(zone_title("last touched", opened.zone), rank=1, most=16),
        Column("did", rank=2, least=12, good=12),
        Column("files", right=True, rank=5),
        Column("user", least=6, most=16, rank=6),
        Column("agent", rank=7, style="cyan"),
        Column("project", least=8, most=24, rank=4, style="green"),
        Column("title", least=12, good=24, most=60),
    ]
    rows = []
    for one in found:
        last = one.latest
        rows.append(
            (
                ids[last.session_id],
                moment(last.touched_at, opened.zone),
                one.told,
                count(len(one.paths)) if is_folder else "",
                last.user_name or last.user_id if len(users) > 1 else "",
                last.agent_type,
                last.project_name,
                title_of(last),
            )
        )
    table(opened.screen, columns, rows)

"""What goes with a session when it is erased, told before it is asked and after it was done."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agentstore.faces.money import count
from agentstore.faces.subagents import all_below

if TYPE_CHECKING:
    from agentstore import AsyncClickHouseStore, Session, SourceFile


class Doomed(NamedTuple):
    """A session that is to be erased, the subagents that the store lists below it, and the files it was read from."""

    session: Session
    subagents: list[Session]
    files: list[SourceFile]

    @property
    def counts(self) -> str:
        """How much it is, with its subagents."""
        all_of_it = [self.session, *self.subagents]
        parts = [
            f"{count(sum(one.message_count for one in all_of_it))} messages",
            f"{count(sum(one.tool_call_count for one in all_of_it))} tool calls",
            f"{len(self.subagents)} subagent{'s' * (len(self.subagents) > 1)}" if self.subagents else "",
        ]
        return " · ".join(filter(None, parts))


async def doomed_with(store: AsyncClickHouseStore, org: str, session: Session) -> Doomed:
    """What would be erased with this session."""
    subagents = await all_below(store, org, session)
    files = await store.list_source_files(org, session_id=session.id)
    return Doomed(session, subagents, files)

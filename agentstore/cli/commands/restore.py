"""``agentstore restore``: the agent's own files of a session, written back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, CommandError, NothingFound
from agentstore.cli.options import Common

if TYPE_CHECKING:
    from agentstore.cli.opening import Opened


def restore(
    id: Annotated[str, Parameter(help="the id, or as much of its beginning as no other has")],
    folder: Annotated[
        str | None, Parameter(help="where to write; without it where the agent keeps its own here")
    ] = None,
    /,
    *,
    cwd: Annotated[str | None, Parameter(help="of Claude Code: to be resumed in this directory")] = None,
    overwrite: Annotated[bool, Parameter(help="also where a file with other bytes is there already")] = False,
    common: Common = Common(),
) -> int:
    """Write the transcript of a session back as it was kept, so that its agent can resume it on this machine.

    Its file, those of its subagents and what lay beside them, byte for byte; secrets are markers. Prints the paths.
    """
    from agentstore.cli.opening import run

    async def restored(opened: Opened) -> int:
        from agentstore import AlreadyThereError, NotFoundError
        from agentstore.cli.resolving import session_of
        from agentstore.ingest import restore as write_back

        session = await session_of(opened.store, opened.org, id)
        try:
            paths = await write_back(opened.store, opened.org, session.id, folder, cwd=cwd, overwrite=overwrite)
        except NotFoundError as error:
            raise NothingFound(error.message, hint="agentstore show has what is stored of it") from error
        except AlreadyThereError as error:
            raise CommandError(error.message, hint="--overwrite, or another folder") from error
        for path in paths:
            opened.screen.line(str(path))
        return FOUND

    return run(restored, common, use="change")

"""``agentstore export``: sessions as lines of JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, CommandError, NothingFound
from agentstore.cli.options import Common, Shown, Which

if TYPE_CHECKING:
    from collections import Counter

    from agentstore.cli.opening import Opened
    from agentstore.cli.terminal.screen import Screen


def export(
    *,
    output: Annotated[
        str, Parameter(name=("--output", "-o"), help="into this file, which is there when all of it is")
    ] = "",
    format: Annotated[
        Literal["jsonl", "parquet"], Parameter(help="lines of JSON, or a folder of Parquet files (--output names it)")
    ] = "jsonl",
    limit: Annotated[int, Parameter(name=("--limit", "-n"), help="at most so many sessions; 0: all")] = 0,
    which: Which = Which(),
    utc: Annotated[bool, Parameter(help="--since and --until in UTC")] = False,
    tz: Annotated[str | None, Parameter(help="--since and --until in this zone [AGENTSTORE_TZ]")] = None,
    common: Common = Common(),
) -> int:
    """Write sessions with all that is in them as lines of JSON, one record on each, the latest session first.

    A line is a record of the library with its own names, and "type": session, message, tool_call, git_link,
    file_touch, session_star or message_pin. A session comes before what is in it, its subagents after it. However
    much it is, some megabytes are held. docs/guides/export.md shows how it is read again.
    """
    from agentstore.cli.opening import run

    if limit < 0:
        raise CommandError(f"--limit: {limit} is less than 0", hint="0 is all")
    if format == "parquet" and output in ("", "-"):
        raise CommandError("Parquet files need a folder", hint="--output FOLDER")

    async def exported(opened: Opened) -> int:
        if format == "parquet":
            return await _to_parquet(opened, output, which, limit)
        if output in ("", "-"):
            await _write(opened, opened.screen, which, limit)
            return FOUND
        from agentstore.cli.terminal.screen import Screen
        from agentstore.cli.whole_file import whole_file

        with whole_file(output) as stream:
            counts = await _write(
                opened, Screen(stream.write, opened.screen.width, colours=False, is_terminal=False), which, limit
            )
        from agentstore.cli.exporting import counted

        opened.screen.fold(f"{output}: {counted(counts)}")
        return FOUND

    return run(exported, common, Shown(json=True, utc=utc, tz=tz))


async def _to_parquet(opened: Opened, folder: str, which: Which, limit: int) -> int:
    from agentstore.cli.exporting import counted, records_of
    from agentstore.errors import ConfigError

    try:
        from agentstore.cli.exporting_parquet import write_parquet
    except (ImportError, ConfigError):
        raise CommandError("Parquet needs pyarrow", hint="pip install 'agentstore[frames]'") from None

    counts = await write_parquet(records_of(opened, which, limit), folder)
    if not counts:
        raise NothingFound("no session matches", hint="without filters: agentstore export")
    opened.screen.fold(f"{folder}: {counted(counts)}")
    return FOUND


async def _write(opened: Opened, screen: Screen, which: Which, limit: int) -> Counter[str]:
    """How many records of each type were written; none is ``NothingFound``."""
    from collections import Counter

    from agentstore.cli.exporting import line_of, records_of

    counts: Counter[str] = Counter()
    async for type, record in records_of(opened, which, limit):
        screen.raw(line_of(type, record))
        counts[type] += 1
    if not counts:
        raise NothingFound("no session matches", hint="without filters: agentstore export")
    return counts

"""git, asked about a file without running anything that a repository's configuration names.

A repository may be anybody's: its configuration can name programs (filters, textconv, fsmonitor, hooks, pagers, helpers
of remotes). Only objects are read here, never the working tree or the index, so that filters and fsmonitor have nothing
to do; the rest is switched off. Whose repository it must be (``safe.directory``) is left to git and its user.
"""

from __future__ import annotations

import asyncio
import contextlib
import os

SECONDS = 20.0
_KEPT = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "SYSTEMROOT", "USERPROFILE", "LD_LIBRARY_PATH")
_SET = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    # A clone without all objects would fetch what it lacks.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}
_OFF = (
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.pager=cat",
    "core.quotePath=true",
    "diff.external=",
    "protocol.allow=never",
)


class GitError(Exception):
    """git did not answer; the text says why, in git's words or ours."""


async def git(top: str, *arguments: str, seconds: float = SECONDS) -> bytes:
    """What git prints in the working tree ``top``. ``GitError`` where it fails, is not there, or takes too long."""
    options = [word for one in _OFF for word in ("-c", one)]
    environment = {**{name: os.environ[name] for name in _KEPT if name in os.environ}, **_SET}
    try:
        process = await asyncio.create_subprocess_exec(
            "git", "--no-pager", *options, "-C", top, *arguments,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
    except (OSError, ValueError) as error:  # no git; a path with a NUL
        raise GitError(f"git cannot be run: {error}") from None
    try:
        out, told = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        raise GitError(f"git took longer than {seconds:.0f} seconds") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        first = told.decode("utf-8", errors="replace").strip().partition("\n")[0]
        raise GitError(first.removeprefix("fatal: ") or f"git ended with {process.returncode}")
    return out

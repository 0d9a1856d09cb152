"""``agentstore completion``: what completes commands and options in a shell."""

from __future__ import annotations

import os
import pathlib
from typing import Annotated, Literal, get_args

from cyclopts import Parameter

from agentstore.cli.failing import FOUND, CommandError

Shell = Literal["bash", "zsh", "fish"]
_SHELLS = (
    "that of $SHELL where none is named. In ~/.bashrc: source <(agentstore completion bash); in a directory of zsh's "
    "fpath: agentstore completion zsh > _agentstore; in ~/.config/fish/completions: agentstore completion fish > "
    "agentstore.fish"
)


def completion(
    shell: Annotated[Shell | None, Parameter(help=_SHELLS)] = None,
    /,
) -> int:
    """Print what completes commands and options in your shell."""
    from agentstore.cli.app import app

    print(app.generate_completion(shell=shell or _own_shell()))
    return FOUND


def _own_shell() -> Shell:
    name = pathlib.Path(os.environ.get("SHELL", "")).name
    for shell in get_args(Shell):
        if shell == name:
            return shell  # type: ignore[no-any-return]
    raise CommandError(f"no completion for the shell {name!r}", hint="agentstore completion bash|zsh|fish")

"""Commands as processes, and what they print beside what they printed before."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOTS = Path(__file__).resolve().parent / "snapshots"
REWRITE = "AGENTSTORE_REWRITE_SNAPSHOTS"
SECONDS = 60


@dataclass(frozen=True)
class Done:
    """What came of a command."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@dataclass(frozen=True)
class Cli:
    """Runs commands on one store, in an environment where nothing else is configured.

    Times are those of Berlin, so that a zone that is forgotten shows.
    """

    home: Path
    dsn: str
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
        return {
            **kept,
            "HOME": str(self.home),
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error",
            "AGENTSTORE_CONFIG": str(self.home / "config.toml"),
            "AGENTSTORE_DSN": self.dsn,
            "AGENTSTORE_USER": "ada",
            "AGENTSTORE_LOCAL_IDLE_SECONDS": "20",
            "TZ": "Europe/Berlin",
            "COLUMNS": "80",
            **self.more,
        }

    def __call__(
        self, *arguments: str, width: int = 80, colours: bool = False, cwd: Path | None = None, **variables: str
    ) -> Done:
        """Run ``agentstore`` with these arguments to its end, its output a pipe."""
        environment = {**self.environment, "COLUMNS": str(width), **variables}
        if colours:
            environment["FORCE_COLOR"] = "1"
        done = subprocess.run(
            self.command(*arguments),
            env=environment,
            cwd=cwd or self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    @staticmethod
    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "agentstore", *arguments]


def check_snapshot(name: str, text: str) -> None:
    """The text is what the file of this name holds. With ``AGENTSTORE_REWRITE_SNAPSHOTS=1`` it becomes so."""
    path = SNAPSHOTS / f"{name}.txt"
    if os.environ.get(REWRITE):
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"no snapshot {path}: {REWRITE}=1 writes it"
    assert text == path.read_text(encoding="utf-8")


def check_snapshots(cli: Cli, name: str, *arguments: str, clean: Callable[[str], str] = str) -> None:
    """A command's output at both widths, and in colours, is as it was. ``clean`` takes out what may be another."""
    for width in (80, 40):
        done = cli(*arguments, width=width)
        assert (done.code, done.err) == (0, "")
        check_snapshot(f"{name}.{width}", clean(done.out))
    coloured = cli(*arguments, colours=True)
    check_snapshot(f"{name}.colours", clean(coloured.out).replace("\x1b", "ESC"))

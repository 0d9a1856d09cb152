"""The unit tests on every other Python that is found: ``make test-pythons``.

Found are ``python3.N`` on the PATH and in pyenv's versions, from 3.11 on: of each N the newest, without the N that runs
this, since ``make test`` is for that. Each has an environment of its own in a temporary folder, with the extra
``unit`` of pyproject.toml: no engine, so it is made in seconds. A Python that cannot be set up is told and skipped, for
its packages may not be published yet; a failing test fails the run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
_NAME = re.compile(r"python3\.\d+")
_VERSION = "import sys; print(*sys.version_info[:3], sys.version_info.releaselevel)"
# What is installed for this Python is not for another one.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}

Version = tuple[int, int, int]


class CannotBeSetUpError(Exception):
    """There is no environment for this Python; the text says why."""


def pythons() -> dict[Version, Path]:
    """The newest release of each other minor version, in their order."""
    newest: dict[tuple[int, int], tuple[Version, Path]] = {}
    for path in _candidates():
        version = _version_of(path)
        if version and OLDEST <= version[:2] != sys.version_info[:2]:
            newest[version[:2]] = max(newest.get(version[:2], (version, path)), (version, path), key=lambda one: one[0])
    return dict(sorted(newest.values()))


def requirements() -> list[str]:
    """What the package and its unit tests need, as pyproject.toml says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    # The package itself is not installed, so its own extras are taken for what they need.
    return [*project["dependencies"], *_needed(extras["unit"], extras)]


def _needed(requirements: Iterable[str], extras: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for one in requirements:
        if own := re.fullmatch(r"agentstore\[(.+)\]", one):
            for name in own[1].split(","):
                yield from _needed(extras[name], extras)
        else:
            yield one


def run(python: Path, folder: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """pytest on this Python, in an environment made in ``folder``."""
    own = folder / "bin" / "python"
    _set_up([str(python), "-m", "venv", str(folder)])
    _set_up([str(own), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", *requirements()])
    # Several of these share the checkout, so none may keep a cache in it.
    return _run([str(own), "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments])


def main(arguments: Sequence[str]) -> int:
    """0 where all tests pass on all that could be set up."""
    found = pythons()
    if not found:
        print("No other Python from 3.11 on was found.")
    failed = 0
    with (
        tempfile.TemporaryDirectory(prefix="agentstore-pythons-") as folder,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        runs = {
            version: pool.submit(run, path, Path(folder, f"{version[1]}"), arguments) for version, path in found.items()
        }
        for version, done in runs.items():
            name = "Python " + ".".join(map(str, version))
            try:
                result = done.result()
            except CannotBeSetUpError as error:
                print(f"{name}: skipped, it cannot be set up: {error}", flush=True)
                continue
            failed += result.returncode != 0
            print(f"{name}: {_last_line(result.stdout) if not result.returncode else 'failed'}", flush=True)
            if result.returncode:
                print(result.stdout + result.stderr, flush=True)
    return 1 if failed else 0


def _candidates() -> Iterator[Path]:
    places = [Path(place) for place in os.environ.get("PATH", "").split(os.pathsep) if place]
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for place in (*places, *sorted(pyenv.glob("versions/*/bin"))):
        try:
            yield from sorted(path for path in place.iterdir() if _NAME.fullmatch(path.name))
        except OSError:  # a folder of the PATH that is not there, or that may not be read
            continue


def _version_of(path: Path) -> Version | None:
    """None for what is no Python that runs, as a shim of pyenv's whose version is not chosen, and for no release."""
    try:
        told = subprocess.run([path, "-c", _VERSION], capture_output=True, text=True, timeout=60, env=_ENVIRONMENT)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if told.returncode or not told.stdout.endswith(" final\n"):
        return None
    major, minor, patch, _ = told.stdout.split()
    return int(major), int(minor), int(patch)


def _set_up(command: Sequence[str]) -> None:
    done = _run(command)
    if done.returncode:
        raise CannotBeSetUpError(_last_line(done.stderr) or _last_line(done.stdout) or "no reason was told")


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=ROOT, env=_ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
    )


def _last_line(text: str) -> str:
    """The last line that says something; of pip's the last error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or [""])[-1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["tests/unit"]))

"""Starting a server in the background, and what it has to say about it.

The server process is nobody's child: the launcher forks and exits at once, so a client is left with no zombie, no open
transport and no warning when its loop ends, and a Ctrl-C in its terminal does not reach the server that others share.
Until the server runs, one pipe carries everything it writes; its last line is an ``Outcome``.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import msgspec

from agentstore.errors import ConfigError, ConnectionFailedError
from agentstore.local.directory.layout import StoreDirectory
from agentstore.local.directory.log_file import last_lines, log_tail
from agentstore.local.directory.outcome import INSTALL_HINT, Outcome, failure

_MAX_OUTPUT_BYTES = 256 * 1024

# -P and the root at the end of sys.path: a file of the user's working directory, or a package that shadows the standard
# library, must not get into the server.
_LAUNCHER = """\
import os, sys
if os.fork():
    os._exit(0)
sys.path.append(sys.argv.pop(1))
from agentstore.local.process.main import main
sys.exit(main())
"""


class Launch:
    """One attempt to start a server. ``poll`` never waits; ``close`` must be called, and leaves the server running.

    Raises ``ConfigError`` at once where no server can be started: the engine is not installed, or the interpreter
    is embedded in another program.
    """

    def __init__(
        self,
        directory: StoreDirectory,
        *,
        idle_timeout_seconds: float,
        fsync: bool = False,
        allow_external: bool = False,
    ) -> None:
        _require_engine()
        self._directory = directory
        self._output = bytearray()
        # Nothing may be quoted from an older log. If it cannot be removed, the server says why it cannot write there.
        with contextlib.suppress(OSError):
            directory.log_file.unlink()
        self._pipe, child_end = os.pipe()
        try:
            # `poll` must not wait: it runs under a lock that `close` needs.
            os.set_blocking(self._pipe, False)
            options = ["--idle-timeout", repr(idle_timeout_seconds), "--fsync" if fsync else "--no-fsync"]
            self._launcher = _spawn(directory, child_end, options + ["--allow-external"] * allow_external)
        except OSError as error:
            os.close(self._pipe)
            raise ConnectionFailedError(f"cannot start {sys.executable}: {error.strerror}") from error
        finally:
            # Whatever happened: kept open here, the pipe would never end, and the death of the server go unnoticed.
            os.close(child_end)

    def poll(self) -> Outcome | None:
        """How the start ended, or None while it goes on.

        Raises ``ConnectionFailedError`` when the process ended without a word: killed, crashed, or not importable.
        """
        self._launcher.poll()  # reaps it; it exits at once
        # Before the outcome is looked for: a server that ends right after its last line has said it all the same.
        is_over = self._read()
        outcome = _parse(self._output)
        if outcome is None and is_over:
            text = last_lines(self._output.decode("utf-8", "replace")) or log_tail(self._directory)
            raise failure(f"the local server on {self._directory.root} ended while it started", text)
        return outcome

    def close(self) -> None:
        """Stop listening to the server."""
        os.close(self._pipe)
        if self._launcher.poll() is None:
            # The launcher only forks and ends: no server ends with it.
            self._launcher.kill()
        self._launcher.wait()

    def _read(self) -> bool:
        """Take what the pipe holds; True once its other end is closed."""
        with contextlib.suppress(BlockingIOError):  # nothing more for now
            while chunk := os.read(self._pipe, 65536):
                self._output += chunk
                del self._output[:-_MAX_OUTPUT_BYTES]
            return True
        return False


def _require_engine() -> None:
    if importlib.util.find_spec("chdb") is None:
        raise ConfigError("a local store needs the ClickHouse engine, which is not installed", hint=INSTALL_HINT)
    if not sys.executable:
        raise ConfigError("a local store cannot be started from here: sys.executable is empty")


def _spawn(directory: StoreDirectory, output: int, options: list[str]) -> subprocess.Popen[bytes]:
    package_root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-P", "-c", _LAUNCHER, str(package_root)]
    command += ["--path", str(directory.root), "--detached", *options]
    # Passwords and addresses of this client's own are no business of a server that others share.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AGENTSTORE_")}
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=environment,
        cwd="/",  # or the server would keep the client's directory from being unmounted
        start_new_session=True,
    )


def _parse(output: bytearray) -> Outcome | None:
    """The outcome in the last line, if that line is whole and is one."""
    if not output.endswith(b"\n"):
        return None
    with contextlib.suppress(msgspec.DecodeError):  # some other text, such as a warning or a traceback
        return msgspec.json.decode(output[:-1].rpartition(b"\n")[2], type=Outcome)
    return None

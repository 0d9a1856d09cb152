"""``agentstore web`` as a process, and what a client without a browser sees of it."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from tests.cli.running import Cli

SECONDS = 30
_LINK = re.compile(r"(http://\S+?)(/login\?token=\S+|/)(?=\s)")


@dataclass
class Pages:
    """Pages that are served: by which process, where, and the link that lets one in."""

    process: subprocess.Popen[str]
    address: str
    link: str
    lines: list[str] = field(default_factory=list)

    @property
    def port(self) -> int:
        port = urlsplit(self.address).port
        assert port is not None
        return port

    @property
    def cookie(self) -> str:
        """The cookie's name."""
        return f"agentstore_{self.port}"

    def next_link(self) -> str:
        """The link that is printed when the one before was used."""
        assert self.process.stdout is not None
        found = _LINK.search(self.process.stdout.readline())
        assert found is not None
        return found.group(1) + found.group(2)

    @contextlib.contextmanager
    def client(self) -> Iterator[httpx.Client]:
        """A client that has logged in with the link. It takes the next one for who comes after it."""
        with self.stranger() as client:
            answer = client.get(self.link)
            assert answer.status_code == 302, answer.text
            self.link = self.next_link()
            yield client

    def stranger(self, **headers: str) -> httpx.Client:
        """A client that has not logged in."""
        named = {"accept": "text/html", **headers}
        return httpx.Client(base_url=self.address, headers=named, timeout=SECONDS, trust_env=False)

    def stop(self) -> int:
        """Ends it as a service manager does; its exit code."""
        self.process.terminate()
        return self.process.wait(SECONDS)


@contextlib.contextmanager
def served(cli: Cli, *arguments: str, port: int = 0, **variables: str) -> Iterator[Pages]:
    """The pages of a store, on this port or a free one, until the end of the block."""
    environment = {**cli.environment, "XDG_STATE_HOME": str(cli.home / "state"), **variables}
    process = subprocess.Popen(
        Cli.command("web", "--port", str(port), *arguments),
        env=environment,
        cwd=cli.home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        said = []
        while (found := _LINK.search(line := process.stdout.readline())) is None:
            said.append(line)
            assert line, "".join(said) + process.stderr.read()
        yield Pages(process, found.group(1), found.group(1) + found.group(2))
    finally:
        process.kill()
        process.communicate(timeout=SECONDS)

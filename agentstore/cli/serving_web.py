"""What ``agentstore web`` does between its options and the pages."""

from __future__ import annotations

import contextlib
import os
import platform
import secrets
import sys
import threading
import webbrowser
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from platformdirs import user_state_path

from agentstore.cli.failing import FOUND, CommandError
from agentstore.cli.opening import Opened, run
from agentstore.cli.options import Common, Shown
from agentstore.errors import AgentStoreError, SchemaError
from agentstore.faces.listening import listening
from agentstore.web.serving import serve
from agentstore.web.settings import WebSettings

_SHORTEST_TOKEN = 16
_KEY_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class WebOptions:
    """The options that only this command has."""

    host: str
    port: int
    opens: bool
    token_file: Path | None
    user_header: str
    org_header: str
    hosts: tuple[str, ...]


def serve_web(options: WebOptions, common: Common, shown: Shown) -> int:
    """Open the store and serve its pages until it is told to end."""
    token = token_in(options.token_file) if options.token_file else ""

    async def served(opened: Opened) -> int:
        await _usable(opened)
        with contextlib.closing(listening(options.host, options.port)) as sock:
            settings = WebSettings(
                org=opened.org,
                user=opened.settings["user"],
                zone=opened.zone,
                host=options.host,
                port=sock.getsockname()[1],
                hosts=options.hosts,
                token=token,
                user_header=options.user_header,
                org_header=options.org_header,
                key=kept_key(),
                machine=platform.node(),
            )
            teller = _Teller(opened, settings, opens=options.opens)
            teller.tell_address()
            await serve(opened.store, settings, sock, on_token=teller.tell_token)
        return FOUND

    return run(served, common, shown, use="change")


async def _usable(opened: Opened) -> None:
    """Tables of a local store that are missing or older are brought up to date before anybody looks at a page.

    A server that is away is not: pages say so, and come back by themselves.
    """
    try:
        await opened.store.list_agents(opened.org)
    except SchemaError:
        raise
    except AgentStoreError as error:
        opened.screen.fold(f"the store does not answer yet: {error.message}", style="dim")


class _Teller:
    """Prints where the pages are, and each token that lets somebody in."""

    def __init__(self, opened: Opened, settings: WebSettings, *, opens: bool) -> None:
        self._screen = opened.screen
        self._settings = settings
        self._opens = opens
        self._told = 0
        # Any address is also that of loopback, of its own kind: a socket of "::" hears nothing of IPv4.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
        self._address = f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"

    def tell_address(self) -> None:
        """Where they are, if no link of a token says it."""
        if self._settings.token or self._settings.user_header:
            self._screen.line(f"{self._address}/  (Ctrl-C ends it)")
            sys.stdout.flush()
            if self._opens:
                _open(f"{self._address}/")

    def tell_token(self, token: str) -> None:
        """The link for the next browser."""
        link = f"{self._address}/login?token={quote(token)}"
        # Who has read the first one may be gone by now: that must not keep out who comes with it.
        with contextlib.suppress(BrokenPipeError) if self._told else contextlib.nullcontext():
            self._screen.line(f"{link}  (Ctrl-C ends it)" if not self._told else f"for another browser: {link}")
            sys.stdout.flush()
        if self._opens and not self._told:
            _open(link)
        self._told += 1


def _open(address: str) -> None:
    """In a thread: a browser that is started may take its time, and one of the terminal does not come back."""
    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()


def token_in(file: Path) -> str:
    """The token in a file of its owner's."""
    try:
        text = file.read_text(encoding="utf-8").strip()
        mode = file.stat().st_mode
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise CommandError(f"{file}: {reason}", hint=f"openssl rand -hex 32 > {file}; chmod 600 {file}") from None
    if os.name == "posix" and mode & 0o077:
        raise CommandError(f"{file} can be read by others", hint=f"chmod 600 {file}")
    if len(text) < _SHORTEST_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
        raise CommandError(
            f"{file}: a token is one line of {_SHORTEST_TOKEN} or more letters, digits and signs",
            hint=f"openssl rand -hex 32 > {file}",
        )
    return text


def kept_key() -> bytes:
    """What cookies are signed with: kept, so that a browser stays logged in when the pages are started again.

    Where it cannot be kept, it is one for this time.
    """
    fresh = secrets.token_bytes(_KEY_BYTES)
    file = user_state_path("agentstore") / "web.key"
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with contextlib.suppress(FileExistsError):
            # Whole under another name first: who starts beside us must not read half of it.
            own = file.with_name(f"{file.name}.{os.getpid()}")
            descriptor = os.open(own, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            try:
                os.write(descriptor, fresh)
            finally:
                os.close(descriptor)
            try:
                os.link(own, file)
            finally:
                os.unlink(own)
        if file.stat().st_mode & 0o077 == 0 and len(known := file.read_bytes()) == _KEY_BYTES:
            return known
    return fresh

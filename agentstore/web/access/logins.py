"""Tokens that let a viewer in, and the cookie that keeps them in."""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable

from agentstore.web.access.sealed import Sealed

# A login ends by itself after that.
COOKIE_SECONDS = 30 * 86400
_GUESSES = 20
_GUESSES_SECONDS = 60.0
_MOST_PEERS = 1_000


class Logins:
    """The tokens of one process.

    A one-time token is good for one login: ``on_used`` is told the next one. A ``fixed`` token is good until the
    process is started with another one, and with it all cookies that it gave.
    """

    def __init__(
        self,
        key: bytes,
        fixed: str = "",
        *,
        on_used: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fixed = fixed
        self._once = "" if fixed else secrets.token_urlsafe(24)
        # Of the token, too: who changes it ends the logins of all who knew the old one.
        self._sealed = Sealed(key, f"login {fixed}")
        self._on_used = on_used
        self._clock = clock
        # By who guessed: a stranger must not keep out those who know the token.
        self._guesses: OrderedDict[str, list[float]] = OrderedDict()

    @property
    def token(self) -> str:
        """What would be let in now."""
        return self._fixed or self._once

    def accepts(self, token: str, peer: str) -> bool:
        """Whether this is the token. A one-time token is another one after that. ``peer`` is where it comes from."""
        if not _same(token, self.token):
            self._count_guess(peer)
            return False
        if self._once:
            self._once = secrets.token_urlsafe(24)
            if self._on_used is not None:
                self._on_used(self._once)
        return True

    def is_bearer(self, token: str, peer: str) -> bool:
        """Whether a program may ask with this: with a fixed token only, since it asks more than once."""
        if not self._fixed:
            return False
        if not _same(token, self._fixed):
            self._count_guess(peer)
            return False
        return True

    def is_guessing(self, peer: str) -> bool:
        """Whether so many wrong tokens came from there within a minute that no more are looked at for now."""
        now = self._clock()
        latest = [one for one in self._guesses.get(peer, ()) if 0 <= now - one < _GUESSES_SECONDS]
        return len(latest) >= _GUESSES

    def _count_guess(self, peer: str) -> None:
        self._guesses[peer] = [*self._guesses.pop(peer, []), self._clock()][-_GUESSES:]
        while len(self._guesses) > _MOST_PEERS:
            self._guesses.popitem(last=False)

    def cookie(self) -> str:
        """What a browser is given that has logged in."""
        return self._sealed.seal(str(int(self._clock())))

    def is_cookie(self, value: str) -> bool:
        """Whether we gave this, and not too long ago."""
        told = self._sealed.opened(value)
        return told is not None and self._clock() - int(told) < COOKIE_SECONDS


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="surrogatepass"), other.encode())

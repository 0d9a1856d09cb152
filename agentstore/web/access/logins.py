"""Tokens that let a viewer in, and the cookie that keeps them in."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable

from agentstore.web.access.sealed import Sealed

# A login ends by itself after that.
COOKIE_SECONDS = 30 * 86400
_GUESSES = 20
_GUESSES_SECONDS = 60.0


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
        self._guesses: list[float] = []

    @property
    def token(self) -> str:
        """What would be let in now."""
        return self._fixed or self._once

    def accepts(self, token: str) -> bool:
        """Whether this is the token. A one-time token is another one after that."""
        if not _same(token, self.token):
            self._guesses.append(self._clock())
            return False
        if self._once:
            self._once = secrets.token_urlsafe(24)
            if self._on_used is not None:
                self._on_used(self._once)
        return True

    def is_bearer(self, token: str) -> bool:
        """Whether a program may ask with this: with a fixed token only, since it asks more than once."""
        if not self._fixed:
            return False
        if not _same(token, self._fixed):
            self._guesses.append(self._clock())
            return False
        return True

    def is_guessed_at(self) -> bool:
        """Whether so many wrong tokens came within a minute that no more are looked at for now."""
        now = self._clock()
        self._guesses = [one for one in self._guesses[-_GUESSES:] if 0 <= now - one < _GUESSES_SECONDS]
        return len(self._guesses) >= _GUESSES

    def cookie(self) -> str:
        """What a browser is given that has logged in."""
        return self._sealed.seal(str(int(self._clock())))

    def is_cookie(self, value: str) -> bool:
        """Whether we gave this, and not too long ago."""
        told = self._sealed.opened(value)
        return told is not None and self._clock() - int(told) < COOKIE_SECONDS


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="surrogatepass"), other.encode())

"""Tokens that let a viewer in, and the cookie that keeps them in."""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from agentstore.web.access.sealed import Sealed

_DAY = 86400
# A login that is not used ends by itself after that, one that is used goes on.
COOKIE_SECONDS = 30 * _DAY
# And after that one ends in any case: a cookie that was copied is not good for ever.
_LONGEST_SECONDS = 365 * _DAY
# Nobody comes upon a token that is so long by trying.
_LONG = 32
_GUESSES = 20
_GUESSES_SECONDS = 60.0
_MOST_PEERS = 1_000


class Login(NamedTuple):
    """What is sealed into a cookie. ``id`` tells it from others, and stays the same when it is renewed."""

    id: str
    began: int
    renewed: int


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

    def may_try(self, token: str, peer: str) -> bool:
        """Whether a token from there is looked at: no longer where somebody guesses, but for the right one.

        Behind a proxy all come from the same address, and one who guesses would keep out those who know the token. A
        short one might be guessed: it is not looked at then.
        """
        return not self.is_guessing(peer) or (len(self._fixed) >= _LONG and _same(token, self._fixed))

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
        now = int(self._clock())
        return self._sealed_of(Login(secrets.token_hex(8), now, now))

    def opened(self, value: str) -> Login | None:
        """The login that we gave this for; None where we did not, or where it has ended."""
        told = (self._sealed.opened(value) or "").split()
        match told:
            case [id, began, renewed]:
                login = Login(id, int(began), int(renewed))
            # As they were given before they could be renewed.
            case [began]:
                login = Login(began, int(began), int(began))
            case _:
                return None
        return login if self._clock() < _end_of(login) else None

    def is_worn(self, login: Login) -> bool:
        """Whether it is time for another cookie of this login: it was given more than a day ago."""
        return self._clock() - login.renewed > _DAY

    def renewed(self, login: Login) -> tuple[str, int]:
        """Another cookie of this login, and for how many seconds it is good."""
        again = login._replace(renewed=int(self._clock()))
        return self._sealed_of(again), _end_of(again) - again.renewed

    def _sealed_of(self, login: Login) -> str:
        return self._sealed.seal(" ".join(map(str, login)))


def _end_of(login: Login) -> int:
    return min(login.renewed + COOKIE_SECONDS, login.began + _LONGEST_SECONDS)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="surrogatepass"), other.encode())

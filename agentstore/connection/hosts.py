"""Which of several hosts to connect to next, and which to leave alone for how long. Pure: every ``now`` is passed in.

A host that failed rests for a growing, jittered while, and is as good as any other one once it has answered. Nobody is
refused because all rest: then the one that rests least longer is tried at once. When a rest is over, one connection
tries the host first; the others go on leaving it alone until that one knows.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from agentstore.settings import Host

FIRST_REST_SECONDS = 2.0
LONGEST_REST_SECONDS = 30.0
# How long one address is waited for while others are left: a round of all of them with this, the next with double.
# A server that lives shakes hands within some round trips; one that is only slow is reached in a later round.
FIRST_TRY_SECONDS = 1.0
_GRAIN_SECONDS = 0.01


class Address(NamedTuple):
    """One address of a host; "" for a host whose name is not looked up yet."""

    host: Host
    ip: str = ""

    def __str__(self) -> str:
        return str(self.host) if self.ip in ("", self.host.name) else f"{self.host} ({self.ip})"


@dataclass(slots=True)
class _Failure:
    """The failures of one address since it last answered."""

    count: int
    noted_at: float
    rests_until: float
    # It refused an insert for now: it answers reads all the while, and they are no sign that it takes inserts again.
    refused: bool = False


class Hosts:
    """What is known of the hosts of one store. ``order`` is "random" or "in_order"."""

    def __init__(self, hosts: Sequence[Host], order: str = "random", rng: random.Random | None = None) -> None:
        self._hosts = tuple(hosts)
        self._in_order = order == "in_order"
        self._rng = rng or random.Random()
        self._places: dict[Address, float] = {}
        self._addresses: dict[Host, tuple[Address, ...]] = {}
        self._failures: dict[Address, _Failure] = {}
        self._heard: dict[Address, float] = {}

    def __repr__(self) -> str:
        failing = ", ".join(f"{address} failed {failure.count} times" for address, failure in self._failures.items())
        return f"<Hosts {','.join(map(str, self._hosts))}{': ' if failing else ''}{failing}>"

    @property
    def has_choice(self) -> bool:
        """Whether there is more than one place to go."""
        return sum(len(self._addresses.get(host, (host,))) for host in self._hosts) > 1

    def answered(self, address: Address, now: float) -> None:
        """The address answered something: its failures are forgotten, but for a refusal while that one rests."""
        self._heard[address] = now
        failure = self._failures.get(address)
        if failure is not None and not (failure.refused and now < failure.rests_until):
            del self._failures[address]

    def failed(self, address: Address, *, began: float, now: float) -> None:
        """An attempt to connect that ``began`` then was in vain. Attempts made side by side count once."""
        failure = self._failures.get(address)
        if failure is not None and began <= failure.noted_at:
            return
        count = failure.count + 1 if failure else 1
        # The exponent is bounded, too: a host that stays away for days would make the number grow with every failure.
        rest = min(FIRST_REST_SECONDS * 2 ** min(count - 1, 16), LONGEST_REST_SECONDS) * self._rng.uniform(0.5, 1.0)
        self._failures[address] = _Failure(count, now, now + rest)

    def lost(self, address: Address, now: float) -> None:
        """A connection ended while its answer was awaited. All that end while the address rests are one failure."""
        if not self.rests(address, now):
            self.failed(address, began=now, now=now)

    def refused(self, address: Address, now: float) -> None:
        """It refused an insert for a reason that passes. It rests, whatever else it answers."""
        self._heard[address] = now
        self.lost(address, now)
        # There is a failure by now: `lost` has noted one, or one is resting already.
        self._failures[address].refused = True

    def rests(self, address: Address, now: float) -> bool:
        """Whether the address is left alone while there are others."""
        failure = self._failures.get(address)
        return failure is not None and now < failure.rests_until

    def is_trusted(self, address: Address) -> bool:
        """Whether its idle connections may be used: nothing failed there since it last answered.

        Where there is no other place to go it is as good as any.
        """
        return address not in self._failures or not self.has_choice

    def heard(self, address: Address) -> float:
        """When it last answered anything, to whatever connection."""
        return self._heard.get(address, float("-inf"))

    def search(self, *, without: Address | None = None) -> Search:
        """The order in which one connection tries the hosts, ``without`` one of their addresses."""
        return Search(self, self._mixed(map(Address, self._hosts)), without)

    def _mixed(self, addresses: Iterable[Address]) -> list[Address]:
        """In the order of one draw for the life of the store, or as given.

        All its connections prefer the same host: so a read sees what the store wrote, also where replicas lag. Many
        stores are spread over the hosts all the same.
        """
        found = list(addresses)
        if not self._in_order:
            found.sort(key=lambda address: self._places.setdefault(address, self._rng.random()))
        return found

    def _is_resolved(self, address: Address, ips: Sequence[str]) -> list[Address]:
        self._failures.pop(address, None)  # the name is found again
        found = tuple(Address(address.host, ip) for ip in dict.fromkeys(ips))
        for gone in set(self._addresses.get(address.host, ())) - set(found):  # names move, in clouds every few minutes
            self._failures.pop(gone, None)
            self._heard.pop(gone, None)
            self._places.pop(gone, None)
        self._addresses[address.host] = found
        # The resolver knows whether IPv6 or IPv4 leads anywhere from here; within one of them no address is better.
        families = list(dict.fromkeys(map(_is_ipv6, found)))
        return sorted(self._mixed(found), key=lambda one: families.index(_is_ipv6(one)))

    def _seconds_of_rest(self, address: Address, now: float) -> float:
        failure = self._failures.get(address)
        return failure.rests_until - now if failure else 0.0

    def _is_tried(self, address: Address, until: float) -> None:
        failure = self._failures.get(address)
        if failure is not None:
            failure.rests_until = max(failure.rests_until, until)


def _is_ipv6(address: Address) -> bool:
    return ":" in address.ip


class Search:
    """One connection's way through the hosts: ask ``next()``, try that, say what came of it, until it says None.

    A name is tried by looking it up and saying its addresses (``resolved``), which then are next. What did not answer
    in time may be slow only (``cut_short``): it is tried again for longer, while the time of the whole lasts.
    """

    def __init__(self, hosts: Hosts, todo: list[Address], without: Address | None) -> None:
        self._hosts = hosts
        self._todo = todo
        self._again: list[Address] = []
        self._seconds = FIRST_TRY_SECONDS
        self._without = without

    def next(self, now: float, remaining: float) -> tuple[Address, float] | None:
        """Where to connect to, and for how long at most; None where nothing is left to try, or no time."""
        if not self._todo:
            # What a timer that was early has left is no time to try anything again.
            again = self._again if remaining > _GRAIN_SECONDS else []
            self._todo, self._again, self._seconds = again, [], self._seconds * 2
        if not self._todo or remaining <= 0:
            return None
        chosen = self._choose(now)
        # With the chosen one, and with those to be tried again: each has a share of the time that is left.
        left = len(self._todo) + len(self._again)
        self._todo.remove(chosen)
        # The last one gets all that is left; before, nobody may use up the time of the others.
        seconds = remaining if left == 1 else min(self._seconds, remaining / left)
        # An address whose rest has ended is tried by this connection alone: for the others it goes on resting until
        # this one knows, for a second at most.
        self._hosts._is_tried(chosen, now + min(seconds, FIRST_TRY_SECONDS))
        return chosen, seconds

    def resolved(self, address: Address, ips: Sequence[str]) -> None:
        """The name's addresses, in the resolver's order."""
        found = [one for one in self._hosts._is_resolved(address, ips) if one != self._without]
        # In front: the addresses take the place that their name had in the order.
        self._todo[:0] = found

    def cut_short(self, address: Address) -> None:
        """It did not answer within the seconds it was given."""
        self._again.append(address)

    def _choose(self, now: float) -> Address:
        for address in self._todo:
            if not self._hosts.rests(address, now):
                return address
        return min(self._todo, key=lambda one: self._hosts._seconds_of_rest(one, now))

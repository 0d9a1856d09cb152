"""How the pages are served: decided once, when they start."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from agentstore.errors import ConfigError

DEFAULT_PORT = 8377
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TLS = "https://"
_HOST = re.compile(rf"(?:{_TLS})?[^\s/@?#]+", re.IGNORECASE)
_ANY_ADDRESS = ("0.0.0.0", "::")


@dataclass(frozen=True, kw_only=True)
class WebSettings:
    """Who is let in, and for whom the store is read.

    One of three lets a viewer in: by default a link with a one-time token, that this process prints; with ``token`` who
    knows it; with ``user_header`` whoever the proxy in front says it is, and nobody without a proxy. The organisation
    is ``org``, or what the proxy says in ``org_header``, never what a viewer says.

    ``key`` signs cookies: one that outlives the process keeps viewers in when it is started again. ``hosts`` are names
    that a browser may call this by, besides those of loopback; with "https://" in front of it, one that is reached over
    TLS only, through a proxy. ``machine`` is the one whose sessions can be
    resumed by a command as it is.
    """

    org: str
    user: str
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    hosts: tuple[str, ...] = ()
    token: str = field(default="", repr=False)
    user_header: str = ""
    org_header: str = ""
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    machine: str = ""

    def __post_init__(self) -> None:
        if self.user_header and self.token:
            raise ConfigError("a token and a proxy that says who it is cannot be had together")
        if self.org_header and not self.user_header:
            raise ConfigError("only a proxy that says who it is can say for which organisation")
        for name in filter(None, (self.user_header, self.org_header)):
            if not _HEADER.fullmatch(name):
                raise ConfigError(f"{name!r} is no name of a header")
        for name in self.hosts:
            if not _HOST.fullmatch(name):
                raise ConfigError(f"{name!r} is no name of a host", hint="history.example, or https://history.example")
        if not self.org:
            raise ConfigError("pages are of an organisation, whose name is not empty")
        if self.host not in LOOPBACK and not (self.token or self.user_header):
            raise ConfigError(
                f"{self.host} can be reached by others, so that a login is needed",
                hint="--token-file FILE, or --trust-proxy-header NAME behind a proxy that sets it",
            )

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """What a ``Host`` header may be, in small letters: with the port, and without it where it is HTTP's own."""
        own = [] if self.host in _ANY_ADDRESS else [self.host]
        plain = [one for one in self.hosts if not _is_tls(one)]
        named = [f"[{one}]" if one.count(":") > 1 and "]" not in one else one for one in (*LOOPBACK, *own, *plain)]
        found = {one if _has_port(one) else f"{one}:{self.port}" for one in named}
        # A name that was asked for is also that of a proxy, whose port is not ours.
        found.update(named if self.port == 80 else named[len(LOOPBACK) + len(own) :])
        return frozenset(one.lower() for one in found) | self.tls_hosts

    @property
    def tls_hosts(self) -> frozenset[str]:
        """Those of them that a browser reaches over TLS: what it is given there is for TLS only."""
        return frozenset(one[len(_TLS) :].lower() for one in self.hosts if _is_tls(one))

    @property
    def cookie(self) -> str:
        """The name of the cookie: browsers share cookies between all ports of a host."""
        return f"agentstore_{self.port}"


def _is_tls(name: str) -> bool:
    return name.lower().startswith(_TLS)


def _has_port(name: str) -> bool:
    return name.rpartition("]")[2].rpartition(":")[1] == ":"

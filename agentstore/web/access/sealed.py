"""Values that a browser keeps for us, and that nobody can make up. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac


class Sealed:
    """Signs texts with a key, and reads what it has signed. ``purpose`` keeps the two apart that share a key."""

    def __init__(self, key: bytes, purpose: str) -> None:
        self._key = hashlib.blake2b(purpose.encode(), key=key, digest_size=32).digest()

    def seal(self, text: str) -> str:
        """The text with its signature, in characters that a cookie may have."""
        packed = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
        return f"{packed}.{self._signature(packed)}"

    def opened(self, sealed: str) -> str | None:
        """The text; None of what was not sealed with this key, or was changed."""
        packed, _, signature = sealed.partition(".")
        # As bytes: ``compare_digest`` refuses texts beyond ASCII, and a cookie may hold any.
        if not hmac.compare_digest(signature.encode(), self._signature(packed).encode()):
            return None
        return base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)).decode()

    def name(self, text: str) -> str:
        """A short name for a text, from which nobody can tell the text."""
        return self._signature(text)[:16]

    def _signature(self, packed: str) -> str:
        return hmac.new(self._key, packed.encode(), hashlib.sha256).hexdigest()

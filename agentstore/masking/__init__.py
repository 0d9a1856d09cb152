"""Secrets out of bytes and texts, before anything else reads them: bytes in, bytes out, no network, no store.

``Masker().mask(data)`` takes whole lines of a source file, ``mask_text`` a text. What is a secret is replaced by a
marker that names its kind, ``‹secret:github-token›``. JSON stays JSON, the same input gives the same output, and
masking twice changes nothing. What it may find is in three tables: ``token_formats`` (tokens that are known by their
form), ``names`` (words whose values are secret) and ``placeholders`` (values that are none). It needs
``agentstore[ingest]``.

What it leaves alone: numbers that are secrets, a value on the line after its name, cookies and ids of sessions, secrets
that a program cut in two.
"""

from __future__ import annotations

from agentstore.masking.masker import Masker
from agentstore.masking.rules import Rule, Span

__all__ = ["Masker", "Rule", "Span"]

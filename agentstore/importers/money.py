"""Dollars as agents tell them, in whole nanodollars: sums of these are exact, in any order."""

from __future__ import annotations

import decimal
from typing import Any

_MOST_DOLLARS = 10**6  # of one response or session; a greater amount is none
_LONGEST = 64
_EXACT = decimal.Context(prec=120, traps=[])


def nanodollars(amount: Any, digits: int = 9) -> int:
    """An amount that was decoded; 0 for what is none. ``digits`` is 7 for cents."""
    # By exact type: True is no amount. A great int is not written as a text first, which takes time.
    if type(amount) is float or (type(amount) is int and 0 < amount <= _MOST_DOLLARS * 100):
        return nanodollars_in(repr(amount), digits)
    return 0


def nanodollars_in(text: str, digits: int = 9) -> int:
    """An amount as JSON has it, digit by digit."""
    if not text or len(text) > _LONGEST:
        return 0
    found = _EXACT.create_decimal(text)
    scaled = found.scaleb(digits, _EXACT)
    if not scaled.is_finite() or not 0 < scaled <= _MOST_DOLLARS * 10**9:
        return 0
    return int(scaled.to_integral_value(decimal.ROUND_HALF_EVEN, _EXACT))

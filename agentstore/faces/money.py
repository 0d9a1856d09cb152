"""Money as people read it. Pure."""

from __future__ import annotations

_DOLLAR = 1_000_000_000


def dollars(nanodollars: int) -> str:
    """Dollars and cents; below a cent as many digits as it takes to say something."""
    if nanodollars == 0:
        return "$0"
    sign, amount = ("-", -nanodollars) if nanodollars < 0 else ("", nanodollars)
    if amount >= _DOLLAR // 100 - _DOLLAR // 20_000:  # what four digits would show as a cent is one
        cents = (amount + _DOLLAR // 200) // (_DOLLAR // 100)
        return f"{sign}${cents // 100:,}.{cents % 100:02d}"
    return f"{sign}${amount / _DOLLAR:.4f}" if amount >= _DOLLAR // 10_000 else f"{sign}<$0.0001"


def count(number: int) -> str:
    """A number with its thousands apart."""
    return f"{number:,}"


def short_count(number: int) -> str:
    """A large number in a few characters: 1.2k, 34k, 5.6M."""
    for size, name in ((1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")):
        if number >= size:
            whole, tenths = divmod(number * 10 // size, 10)
            return f"{whole}.{tenths}{name}" if whole < 10 else f"{whole}{name}"
    return str(number)

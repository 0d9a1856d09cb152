"""What all records have in common."""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, frozen=True, gc=False):
    """Base of all records: frozen and compared by value.

    Build them by keyword: the order of the fields is not promised. They are not ``kw_only`` because reads build
    thousands at a time, and ``map(Message, *columns)`` takes a fifth of the time of a call with keywords (2.7 against
    13 ms for 10,000 messages).
    """

"""The clock of deadlines: the running loop's own.

Not ``anyio.current_time()``: where sniffio is installed it raises outside a task, and deadlines are kept by callbacks
of the loop (``call_at``), which are in none. A deadline that raised there was never kept.
"""

from __future__ import annotations

import asyncio


def loop_time() -> float:
    """Seconds of the running loop, in a task or in a callback, the same that ``loop.call_at`` takes."""
    return asyncio.get_running_loop().time()

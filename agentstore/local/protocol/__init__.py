"""ClickHouse's native protocol and its Native format: bytes and text in, values out, and back.

Pure: no I/O and no event loop. An incoming block is measured, never parsed.
"""

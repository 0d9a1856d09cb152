"""The ClickHouse engine (chdb) in this process, what it is told, and what it leaves out: disk space, failed writes.

Blocks. One module imports chdb.
"""

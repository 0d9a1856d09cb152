"""The local store's server: a real ClickHouse without a server to install.

wire < type_names < columns < blocks, compression, protocol, statements (bytes and text, no I/O) < engine (chdb) <
spool, session (one client's worker thread) < channel < queries < connection < server (asyncio).

Shares no code with the rest of the package, so that client and server cannot be wrong together.
"""

"""The local store's server: a real ClickHouse without a server to install.

wire < type_names < columns < blocks, compression, protocol, statements (bytes and text, no I/O)
< space, configuration, write_guard (the disk) < engine (the only importer of chdb)
< overlay, totals, session, spool (in one client's worker thread)
< host, replies, channel, queries, connection, server (on the event loop).

Shares no code with the rest of the package, so that client and server cannot be wrong together.
"""

"""The local store: a real ClickHouse without a server to install.

Rooms, each of which imports from those named with it only:

- ``protocol``, ``sql``: pure, no other room
- ``engine``: ``protocol``; the only importer of chdb
- ``sandbox``: ``engine`` and below
- ``session``: ``sandbox`` and below
- ``server``: ``session`` and below; on the event loop
- ``directory``: no other room
- ``process``: ``directory``, ``server``
- ``client``: ``directory``

Shares no code with the rest of the package but the errors, so that client and server cannot be wrong together.
"""

"""A warning for sessions that were surely meant to be seen, and are not."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from agentstore.write.entry import Entry
from agentstore.write.rows import MESSAGES

logger = logging.getLogger("agentstore")

_ID_CHARACTERS = 200


class UnlistedWarning:
    """Said once: a session came with messages of role "user" and ``user_message_count`` 0, and no list will show it.

    It is stored as it is. Whoever forgot the field forgot it in every session, so one line is enough.
    """

    def __init__(self) -> None:
        self._said = False

    def check(self, sessions: Iterable[Entry], rows: Iterable[Entry]) -> None:
        """Look at what one call writes."""
        if self._said:
            return
        silent = {one.id for entry in sessions for one in entry.records if one.user_message_count == 0}
        if not silent:
            return
        messages = (one for entry in rows if entry.table is MESSAGES for one in entry.records)
        found = next((one.session_id for one in messages if one.role == "user" and one.session_id in silent), None)
        if found is not None:
            self._said = True
            logger.warning(
                "session %.*r has messages of role 'user' and user_message_count 0: it is stored, but lists, search and"
                " analytics leave it out; set Session.user_message_count (said once for each store)",
                _ID_CHARACTERS,
                found,
            )

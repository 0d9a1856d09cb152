"""``Reads``: every read of a store, each with its docstring, in the class of what it is about."""

from __future__ import annotations

from agentstore.models import SearchPage, SearchQuery
from agentstore.read.changes import ChangeReads
from agentstore.read.children import ChildReads
from agentstore.read.file_history import FileReads
from agentstore.read.git_links import GitLinkReads
from agentstore.read.ingested import IngestReads
from agentstore.read.messages import MessageReads
from agentstore.read.prompts import PromptReads
from agentstore.read.search import pages
from agentstore.read.search.index_lookup import IndexLookup
from agentstore.read.stars_and_pins import MarkReads
from agentstore.read.summary import SummaryReads
from agentstore.read.versions import VersionReads
from agentstore.read.windows import WindowReads
from agentstore.telemetry.methods import traced


class Reads(
    MessageReads,
    WindowReads,
    VersionReads,
    PromptReads,
    ChildReads,
    GitLinkReads,
    FileReads,
    MarkReads,
    SummaryReads,
    ChangeReads,
    IngestReads,
):
    """The read side of a store. Which connections a read may use is said in its body: see ``ReadLanes``."""

    # It remembers between searches what is slow to find out.
    _index_lookup: IndexLookup | None = None

    async def search(self, org_id: str, query: SearchQuery) -> SearchPage:
        """Message contents and tool calls of browsable sessions that hold the query, one result per matching row.

        Mode "substring": a row holds the query as it is; ``%``, ``_`` and ``\\`` are plain characters. The order is
        started_at descending, session id descending, ordinal ascending, messages before tool calls.

        Mode "words": a row (a tool call's input and result are one) holds all words of the query, in any order, and
        all its phrases, which stand in double quotes and are found as substrings are; a quote that is not closed
        reaches to the end. The order is relevance (BM25 among the matching rows), then that of substrings. Where more
        than 10,000 rows match, the newest 10,000 are ranked, and ``total_is_lower_bound`` is true.

        - A word is a run of letters, marks and digits with a letter or a digit in it; everything else separates:
          ``snake_case`` asks for ``snake`` and ``case``. It is found where none of these stands before or after it.
        - Scripts without spaces between words (Han, kana, Thai, Lao, Khmer, Myanmar, …): a run of such a script is
          found anywhere (``検索`` in ``全文検索``), and a word may begin and end next to one (``Python`` in
          ``Pythonで``).
        - Nothing is stemmed and no word is too frequent; given twice it counts once. At most 64 different ones.

        Both modes fold case as Unicode's simple case folding does, one code point to one: ``ÄRGER`` = ``ärger``, ``Σ``
        = ``σ`` = ``ς``, ``ẞ`` = ``ß``, but ``ß`` is not ``ss``, and ``é`` is not ``e``. Texts are cut on the server to
        200 characters around the first hit.

        At most six statements are sent, planned to take at most one and a half times what one takes that scans the
        texts in question, and some milliseconds. A search that is cancelled, or whose caller is gone, stops on the
        server.
        """
        heavy = self._heavy
        self._index_lookup = self._index_lookup or IndexLookup(heavy)
        return await pages.search(self._index_lookup, org_id, query)


for _kind in Reads.__mro__:
    traced(_kind)

"""Hostile text as HTML: Markdown, code, diffs, tool calls, hits. Knows no store and no request.

All HTML is ``markupsafe.Markup``, so that templates escape whatever did not come from here. Nothing in it has a style,
an event handler, a script, or an address but those of links to the web and to mail.

- ``text_html(text, find)``, ``line_html(text, most, find)``: the door for titles, names, paths; ``visible(text)``
- ``markdown_html(text, find)``, ``plain_html(text, find)``
- ``message_parts(content, calls, find, most) -> list[MessagePart]``: ``kind`` "text", "thinking", "machine"; ``html``,
  ``title``, ``is_folded``, ``is_marked``, ``more_characters``
- ``told_call(call, project_path, find, limits) -> ToldCall``: ``name``, ``kind``, ``summary``, ``state``, ``body``,
  ``result``, ``skill``, ``has_subagent``, ``is_error``; ``input_block``, ``result_block(call, limits, find) -> Block``:
  ``html``, ``lines``, ``more``, ``more_characters``, ``is_cut``, ``is_whole``, ``is_marked``; ``FIRST``, ``WHOLE``
- ``code_html(text, language, find)``, ``language_of(path)``; ``diff_html(lines, find)``, ``changed_lines(old, new)``,
  ``lines_of_diff(text)``; ``without_ansi(text)``
- ``finder(needle)``, ``word_finder(query)``: what is to be marked (``find``), ``marked(text, spans)`` by known offsets
- ``snippet_html(hit)``: a hit of a search, JSON of a tool call as names and values
- ``await in_thread(size, render)``: beside the event loop, where there is much

Classes for CSS: ``plain`` (pre-wrap); ``code`` and Pygments' (``static/code.css``), ``shell``, ``prompt``; ``diff``,
``line``, ``added``, ``removed``, ``kept``, ``place``, ``file``, ``sign``; ``output``, ``input``, ``value``;
``machine``; ``arguments`` (a ``dl``), ``todos`` (``done``, ``open``); ``table``, ``center``, ``right``; ``image``,
``no-link``.
"""

from agentstore.web.rendering.ansi import without_ansi
from agentstore.web.rendering.blocks import FIRST, WHOLE, Block, Limits
from agentstore.web.rendering.calls import ToldCall, input_block, result_block, told_call
from agentstore.web.rendering.code import code_html, language_of
from agentstore.web.rendering.diffs import diff_html, lines_of_diff
from agentstore.web.rendering.markdown import markdown_html, plain_html
from agentstore.web.rendering.marks import Find, finder, marked, nothing, word_finder
from agentstore.web.rendering.messages import MessagePart, message_parts, said_line
from agentstore.web.rendering.patches import changed_lines
from agentstore.web.rendering.snippets import snippet_html
from agentstore.web.rendering.text import line_html, text_html, visible
from agentstore.web.rendering.threads import in_thread

__all__ = [
    "FIRST",
    "WHOLE",
    "Block",
    "Find",
    "Limits",
    "MessagePart",
    "ToldCall",
    "changed_lines",
    "code_html",
    "diff_html",
    "finder",
    "in_thread",
    "input_block",
    "language_of",
    "line_html",
    "lines_of_diff",
    "markdown_html",
    "marked",
    "message_parts",
    "nothing",
    "plain_html",
    "result_block",
    "said_line",
    "snippet_html",
    "text_html",
    "told_call",
    "visible",
    "without_ansi",
    "word_finder",
]

"""Results of commands without what they said to a terminal. Pure.

Colours, titles, links, cursor moves go whole: of ``ESC[31m`` nothing is left, not "[31m". What a sequence that never
ends would have swallowed stays. Each character is looked at once or twice, whatever the text.
"""

from __future__ import annotations

import re

_SEQUENCE = re.compile(
    # Control sequences, also when their end is missing.
    "(?:\x1b\\[|\x9b)[0-?]*+[ -/]*+[@-~]?"
    # Strings for the terminal: titles, links, device controls. Without an end on their line only their beginning goes.
    "|(?:\x1b[\\]PX^_]|[\x90\x98\x9d-\x9f])(?:[^\x07\x1b\x9c\n]*+(?:\x07|\x1b\\\\|\x9c))?"
    # All other ones, of two or three characters.
    "|\x1b[ -/]*+[0-~]?"
    # Ends of strings whose beginning is gone, bells, shifts of the character set.
    "|[\x07\x0e\x0f\x9c]"
)
_RETURNS = re.compile("\r+\n?")
_BEGINNINGS = re.compile("[\x07\x0e\x0f\x1b\x90\x98\x9b-\x9f]")


def without_ansi(text: str) -> str:
    """The text alone. A line that was written over and over (a progress bar) becomes lines: nothing is hidden."""
    if "\r" in text:
        text = _RETURNS.sub("\n", text)
    # Most texts have none of them, and one look for a single character is ten times as fast.
    return _SEQUENCE.sub("", text) if _BEGINNINGS.search(text) else text

"""Which session wrote the lines of a file, and the prompt that led to them.

git says which commit a line is of, git links which session made that commit, and the edit calls that are stored which
of them wrote the line. ``blaming`` puts these together; ``replay`` and ``choosing`` are pure.
"""

from agentstore.blame.blaming import blame
from agentstore.blame.records import Blame, BlameConfidence, BlamedLines

__all__ = ["Blame", "BlameConfidence", "BlamedLines", "blame"]

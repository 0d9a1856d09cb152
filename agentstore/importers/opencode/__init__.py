"""OpenCode, and the agents that took its storage over: Kilo, MiMo Code, iCodeMate.

What is known of the format, and from where ([m] counted on real files, [s] read in the agent's or agentsview's public
source, [g] guessed):

* one session has three shapes, which give the same rows: files of JSON (``tree``, up to 1.1), rows of a SQLite database
  (``database``, since 1.2; since 2.0 with other tables, which hold the same session again), and what
  ``opencode export`` prints (``export``) [m: exports of 1.2.5, exploded into the other two] [s: tables and folders]
* a session is ``info``; a message is ``info`` and parts; one message of role "assistant" is one response of the model
  (a step), so that a prompt has many [m]
* tokens are on the message, and again on its ``step-finish`` part: they count once. ``input`` is without the cache.
  ``output`` has the reasoning inside in 1.2.5 [m] and outside in later versions [s]; ``total`` tells which (``usage``)
* ids sort by time until they begin again after 795 days [s]; so messages are in the order of their time, then their id
* nothing is appended: messages change while they are written, and an undo takes messages away when the next prompt is
  sent. Until then ``info.revert`` says where; what it hides was said, and stays (``database`` tells how a change shows)
* a fork has copies of messages with new ids and the old times [s]: see ``identity``
"""

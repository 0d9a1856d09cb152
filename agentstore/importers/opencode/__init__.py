"""OpenCode, and the agents that took its storage over: Kilo, MiMo Code, iCodeMate.

What is known of the format, and from where ([m] counted on real files, [r] seen in what the program wrote when it was
run for that, [s] read in its or agentsview's public source):

* one session has three shapes, which give the same rows: files of JSON (``files``, up to 1.1) [s], rows of a SQLite
  database (``database``, since 1.2) [r: 1.18.33, and Kilo 7.7.9, with subagents and forks], and what
  ``opencode export`` prints [m: 1.2.5] [r: the same sessions, imported by 1.18.33]. 2.0 has other tables, which hold a
  session again (``current``) [s]
* a session is ``info``; a message is ``info`` and parts; one message of role "assistant" is one response of the model
  (a step), so that a prompt has many [m]
* tokens are on the message, and again on its ``step-finish`` part: they count once. ``input`` is without the cache.
  ``output`` has the reasoning inside in 1.2.5 [m] and outside in 1.18 [r]; ``total`` tells which (``usage``)
* ids sort by time until they begin again after 795 days [s]; so messages are in the order of their time, then their id
* nothing is appended: messages change while they are written, and an undo takes messages away when the next prompt is
  sent. Until then ``info.revert`` says where; what it hides was said, and stays (``database`` tells how a change shows)
* a fork has copies of messages with new ids and the old times [r]: see ``identity``
"""

"""What the faces of the store share: the command line, the pages in a browser, the tools of agents.

How a session, a time and an amount are told to people, how text of transcripts becomes safe to show, and which path and
project of a history something on this machine is. Only ``repositories``, ``telling``, ``subagents`` and ``erasing`` ask
a store anything.
"""

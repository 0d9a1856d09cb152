"""What the faces of the store share: the command line, the pages in a browser, the tools of agents.

How a session, a time and an amount are told to people, and how text of transcripts becomes safe to show. All but
``addresses`` and ``titles`` know nothing of a store; none of them asks it anything.
"""

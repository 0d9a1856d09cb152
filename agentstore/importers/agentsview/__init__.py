"""agentsview's own database: the sessions of the dozens of agents that it reads, as far as it keeps them.

``~/.agentsview/sessions.db`` (``AGENTSVIEW_DATA_DIR``). Read in its public source, from the first release to 2026-08
(``user_version`` 90), and counted on a database that agentsview 0.46.1 (143) made of 48 real sessions of Claude Code,
OpenCode and Pi: calls, tokens and keys of responses are those of our own importers in all of them; prompts, but for
those that were queued. Its tables have grown all the time, so only columns that exist are read:

* ``sessions``: one row a session. ``agent`` names differ for Claude Code and Qwen Code; ``id`` is what our own
  importers give, but for subagents of Claude Code, and ``host~`` before those of other machines (``identity``)
* ``messages``: what a person sees. Claude Code's have the ids of the transcript (``claude_message_id``,
  ``source_uuid``), Pi's kin their entries' ids
* ``tool_calls``: ``result_content`` since 0.6, without the results of "Read" and "Glob" (their length is there);
  ``tool_result_events`` what came in parts, and since 0.43 all results of some agents
* ``usage_events``: tokens of agents that tell them only for a session as a whole

What is not in it: whether a result was an error (but in events), results that were left out, injected lines, and
branches of Claude Code's sessions that a retry replaced. So a result of this importer says that it is a copy
(``Session.copied_by``): what a native importer has stored of the same session stays, unless the copy has more.
"""
